import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { batch } from '../middleware/batch.ts'
import type { Ports } from '../ports/index.ts'
import { dice } from '../test/simulation/dice.ts'
import { type Loop, loop } from '../test/simulation/loop.ts'
import { mint } from '../test/simulation/material.ts'
import { notice, rollout } from '../test/simulation/messages.ts'
import { START } from '../test/support/fakes.ts'
import { reconcile } from '../workflows/reconcile.ts'
import { roll } from '../workflows/roll.ts'
import { settle } from '../workflows/settle.ts'
import { sweep } from '../workflows/sweep.ts'
import { type Account, account, type Environment, environment, type Visit } from './account.ts'
import { portsOf } from './calls.ts'
import { type Estate, estate } from './estate.ts'
import { line, type Message } from './line.ts'

const SIZES = [1_000, 100_000]
const HOUR = 3_600_000
const MINUTE = 60_000
/** As in serverless.yml and resources.yml. */
const LOOKS = { most: 10, concurrency: 8, share: 5 }
const ROLLOUTS = { most: 10, concurrency: 2, share: 2 }
const COALESCE = 60_000
/** The first sweep goes over all of them in this time: the heap is looked at more often. Milliseconds. */
const SWEEPING = 5 * MINUTE
const TIMEOUT = { queue: 2 * MINUTE, sweep: 15 * MINUTE }
/** ACM takes so long for a renewal, and a deployment so long. Milliseconds. */
const RENEWAL = [3_000, 12_000] as const
const DEPLOYMENT = [90_000, 240_000] as const

/**
 * Certificates that all fall due at once, each with a service of its own, under AWS's quotas and in virtual time: the real
 * workflows, the real pace (pki/bucket.ts, aws/rates.ts) and as many at once as serverless.yml says; no adapter and no SDK.
 * `tookSeconds` ends when the last certificate is current; `floorSeconds` is what the exports alone take. Deployments begin a
 * minute later.
 *
 * `functionsMb` is the most that lived in JavaScript's heap: the functions with all they hold, and next to nothing else, for
 * what AWS remembers (certificates, labels, tags, the messages that wait) is kept outside of that heap. `rssMb` is the whole
 * process, AWS included.
 */
export async function* fleet() {
  const sizes = process.argv.slice(3).map(Number)
  for (const size of sizes.length > 0 ? sizes : SIZES) yield await measure(size)
}

async function measure(size: number) {
  const started = performance.now()
  const site = build(estate(size, await mint()))
  let took = 0
  let rss = 0
  let heap = 0
  const { time, all, quotas } = site
  site.begin()
  for (let at = START; all.count.deployed < size && at < START + 4 * size * 1_000 + 4 * HOUR; ) {
    at += 1_000
    await time.play(at)
    if (all.count.current < size) took = at + 1_000 - START
    if ((at - START) % (at - START < SWEEPING ? 5_000 : 5 * MINUTE) !== 0) continue
    rss = Math.max(rss, process.memoryUsage.rss())
    heap = Math.max(heap, live())
  }
  const floor = size / 5
  return {
    certs: size,
    floorSeconds: floor,
    tookSeconds: took / 1_000,
    ratio: round(took / 1_000 / floor, 1_000),
    throttledShare: round(quotas.sent.throttled / quotas.sent.calls, 100_000),
    deployments: all.count.deployments,
    services: size,
    wallSeconds: round((performance.now() - started) / 1_000, 10),
    functionsMb: round(heap / 2 ** 20, 10),
    rssMb: Math.round(rss / 2 ** 20),
  }
}

/** Bytes in the heap that something still refers to. */
function live(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed
}

function round(value: number, parts: number): number {
  return Math.round(value * parts) / parts
}

interface Site {
  readonly time: Loop
  readonly all: Estate
  readonly quotas: Account
  begin(): void
}

function build(all: Estate): Site {
  const time = loop(START)
  const chance = dice(1)
  const quotas = account(time, chance.roll)
  const looks = line(time, { ...LOOKS, delay: 0, work: look })
  const rollouts = line(time, { ...ROLLOUTS, delay: COALESCE, work: begin })
  const settling = environment(1)
  const sweeping = environment(1)

  function ports(visit: Visit): Ports {
    return portsOf({ time, all, quotas, looks, rollouts, rolled, asked }, visit)
  }
  function asked(nth: number): void {
    time.after(chance.between(...RENEWAL), () => {
      all.renewed(nth)
      time.after(chance.between(300, 2_000), () =>
        looks.send(JSON.stringify({ source: all.source(nth), why: 'available' }), 0),
      )
    })
  }
  function rolled(nth: number): void {
    time.after(chance.between(...DEPLOYMENT), () => {
      all.ended(nth)
      const service = all.service(nth)
      invoke(settling, TIMEOUT.queue, (given) => settle(given, { service }))
    })
  }
  function invoke(
    where: Environment,
    most: number,
    work: (given: Ports) => Promise<unknown>,
    tries = 1,
  ): void {
    const until = time.now() + most
    const remaining = () => until - time.now()
    time.spawn(
      (run) => work(ports({ run, environment: where, remaining })),
      (_, error) => {
        if (error instanceof TypeError) throw error
        if (error === undefined || tries === 3) return
        time.after(tries * MINUTE, () => invoke(where, most, work, tries + 1))
      },
    )
  }
  const reading = batch(() => [], notice, reconcile)
  const rolling = batch(() => [], rollout, roll)
  function look(visit: Visit, messages: readonly Message[]) {
    return reading.run(messages, { ...visit, request: '', ports: ports(visit) })
  }
  function begin(visit: Visit, messages: readonly Message[]) {
    return rolling.run(messages, { ...visit, request: '', ports: ports(visit) })
  }
  const hourly = () => {
    invoke(sweeping, TIMEOUT.sweep, sweep)
    time.after(HOUR, hourly)
  }
  return { time, all, quotas, begin: hourly }
}
