import { encodeBundle, facts } from '../../pki/bundle.ts'
import { Secret } from '../../pki/secret.ts'
import { writeTags } from '../../pki/tags.ts'
import { versionId } from '../../pki/version.ts'
import type { Log } from '../../ports/log.ts'
import type { Rollout } from '../../ports/queue.ts'
import { START } from '../support/fakes.ts'
import { type Acm, acm } from './authority.ts'
import { dice, weather } from './dice.ts'
import { type Ecs, ecs } from './fleet.ts'
import { functions } from './functions.ts'
import { twoRegions } from './kms.ts'
import { lists } from './lists.ts'
import { loop, type Run } from './loop.ts'
import { type Material, type Mint, mint } from './material.ts'
import { helper, renames, rotations } from './people.ts'
import { portsOf, type Site } from './ports.ts'
import { fifo, standard } from './queues.ts'
import { type Rules, rules } from './rules.ts'
import { type Shelf, shelf } from './secrets.ts'
import { nameOf, type Signer, signer } from './signer.ts'
import { type Tape, tape } from './tape.ts'
import { counts, type World } from './world.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** As in serverless.yml and resources.yml. */
const LOOKS = { most: 10, concurrency: 8 }
const ROLLOUTS = { most: 10, concurrency: 2 }
const COALESCE = 60
/** Of the certificates: so many are signed by an authority of certrelay's own, which only a sweep renews. */
const OWN = 0.25

/** What a history depends on. */
export interface Setting {
  readonly seed: number
  readonly certs: number
  /** Nothing of that kind happens; events are then neither lost nor is there an outage that loses them. */
  readonly without?: 'events' | 'sweep'
}

/** A world with everything in it, ready to begin. */
export interface Made {
  readonly world: World
  readonly rules: Rules
  readonly tape: Tape
  /** Every service is well again. */
  heal(): void
}

export async function site({ seed, certs, without }: Setting): Promise<Made> {
  const chance = dice(seed)
  const time = loop(START)
  const record = tape()
  const minted = await mint()
  const world: World = {
    loop: time,
    dice: chance,
    weather: climate(chance, without),
    counts: counts(),
    breach: undefined,
    issued: new Map(),
    spoiled: new Set(),
    out: () => world.weather.outages.some(({ from, to }) => from <= time.now() && time.now() < to),
    note: (what, about, more) => record.note(time.now(), what, about, more),
    fail: (rule) => {
      world.breach ??= { at: time.now(), rule }
      world.note(`BROKEN: ${rule}`)
    },
  }
  const asked = new Map<Run, Rollout>()
  const law = rules(world, {
    shelf: () => vault,
    acm: () => authority,
    signer: () => own,
    ecs: () => services,
    coalesce: COALESCE * 1_000,
  })
  const vault: Shelf = shelf(world, law)
  const event = (what: () => void) => (without === 'events' ? undefined : tell(world, what))
  const authority: Acm = acm(world, minted, (source, why) =>
    event(() => looks.send(JSON.stringify({ source, why }), 0)),
  )
  const own: Signer = signer(world, minted, law.asked)
  const services: Ecs = ecs(world, law.read, (service) => event(() => deeds.settle(service)))
  const deeds = functions(
    world,
    (run) => portsOf(place, run),
    (run, rollout) => asked.set(run, rollout),
  )
  const looks = standard(world, { ...LOOKS, invoke: deeds.looks })
  const rollouts = fifo(world, COALESCE, { ...ROLLOUTS, invoke: deeds.rollouts })
  const call = helper(world, services, vault, deeds)
  const place: Site = {
    world,
    acm: authority,
    signer: own,
    shelf: vault,
    ecs: services,
    looks,
    rollouts,
    root: minted.root,
    keys: chance.chance(0.5) ? twoRegions(world) : undefined,
    list: lists(world, authority, vault, law.material),
    rolling: (run, service) => law.deployed(run, service, asked.get(run)),
    log: (run) => log(world, law, run, call),
  }
  populate(place, minted, certs, without === 'sweep' ? 0 : OWN)
  rotations(world, vault, deeds)
  renames(world, vault)
  turn(world, services)
  if (without !== 'sweep') hourly(world, () => place.list(undefined).length > 0 && deeds.sweep())
  return {
    world,
    rules: law,
    tape: record,
    heal() {
      for (const service of services.services.values()) {
        service.sick = time.now()
        if (service.state === 'idle') services.turn(service, 'active')
      }
    },
  }
}

function climate(chance: World['dice'], without: Setting['without']): World['weather'] {
  const all = weather(chance, START, START + 20 * 365 * DAY)
  if (without !== 'sweep') return all
  // a queue that has given up, a certificate that was rejected, a rollout that fails for long: only a sweep finds them
  const rest = { lost: 0, spoiled: 0, outages: [], sickness: HOUR / 4 }
  return { ...all, ...rest, killed: all.killed / 4, failing: all.failing / 4 }
}

/** EventBridge: events come twice, late, or not at all; while nothing answers they wait. */
function tell(world: World, what: () => void): void {
  const { dice, loop, weather } = world
  if (dice.chance(weather.lost)) return
  for (const _copy of dice.chance(weather.twice) ? [1, 2] : [1]) {
    const late = dice.chance(weather.late)
      ? dice.stretch(1_000, 6 * HOUR)
      : dice.between(100, 2_000)
    const out = weather.outages.find(({ from, to }) => from <= loop.now() && loop.now() < to)
    loop.at((out?.to ?? loop.now()) + late, what)
  }
}

function hourly(world: World, sweep: () => unknown): void {
  world.loop.after(HOUR, () => {
    sweep()
    hourly(world, sweep)
  })
}

/** Certificates of all ages, current and deployed, in secrets that one to three services share. */
function populate(
  { world, acm, signer, shelf, ecs }: Site,
  minted: Mint,
  certs: number,
  own: number,
): void {
  const { dice } = world
  const names = Array.from({ length: Math.ceil(certs * 0.7) }, (_, n) => `mesh/service-${n}`)
  for (const name of names) ecs.add(name, dice.chance(0.8))
  const first = (nth: number) => {
    const { arn: source, material } = acm.add(nth, START - dice.between(2, 250) * DAY)
    return { source, material, chain: minted.chain }
  }
  const ours = (nth: number) => {
    const names = [nameOf(nth)]
    return { ...signer.former(nameOf(nth)), names, chain: minted.own.chain }
  }
  for (let nth = 0; nth < certs; nth++) {
    const { source, material, chain, ...wish } = dice.chance(own) ? ours(nth) : first(nth)
    const services = [
      ...new Set(Array.from({ length: 1 + Math.floor(dice.roll() * 2) }, () => dice.pick(names))),
    ]
    const version = versionId(source, material.serial)
    const { notBefore, notAfter } = material
    const kept = shelf.add(
      `mesh/secret-${nth}`,
      { source, services, rotating: dice.chance(0.15) },
      {
        ...writeTags({
          ...wish,
          source,
          services,
          promoted: { version, at: START - DAY },
          notBefore,
          notAfter,
          ...(dice.chance(0.3) && { renewBefore: Math.round(dice.between(10, 300)) }),
        }),
      },
    )
    shelf.put(kept.arn, version, bundle(source, chain, material), 'AWSCURRENT')
    shelf.move(kept.arn, 'DEPLOYED', undefined, version)
    for (const name of services) ecs.services.get(name)?.secrets.push(kept.arn)
  }
  for (const service of ecs.services.values()) ecs.turn(service, 'active')
}

function bundle(source: string, chain: string, { certificate, keys, root }: Material): string {
  const [issuer = ''] = chain.split(/(?<=-----END CERTIFICATE-----\n)/)
  const [[phrase, privateKey] = ['', '']] = keys
  const content = encodeBundle({
    format: 1,
    certificate,
    chain: issuer,
    anchors: root,
    privateKey,
    passphrase: Secret.from(phrase),
    facts: facts(source, certificate),
  })
  return Buffer.from(content.reveal()).toString()
}

/** Now and then somebody stops a service for some days. */
function turn(world: World, ecs: Ecs): void {
  const { loop, dice } = world
  for (const service of ecs.services.values()) {
    if (!dice.chance(0.2)) continue
    loop.after(dice.between(1, 900) * DAY, () => {
      if (world.weather.sick === 0) return
      ecs.turn(service, 'idle')
      loop.after(dice.stretch(HOUR, 20 * DAY), () => {
        if (service.state === 'idle') ecs.turn(service, 'active')
      })
    })
  }
}

/** What is logged is searched for material, counted, and calls a person where it calls for one. */
function log(world: World, rules: Rules, run: Run, call: (secret: string) => void): Log {
  const { counts: all } = world
  const write: Log['info'] = (event, fields = {}) => {
    rules.leaks(event, fields)
    const { secret } = fields
    world.note(event, typeof secret === 'string' ? secret : undefined, { run: run.id, ...fields })
    if (event === 'promoted') all.promotions++
    else if (event === 'rolled-back') all.rollbacks++
    else if (event === 'rejected') all.rejected++
    else if (event === 'resealed') all.resealed++
    else if (event === 'attention' && typeof secret === 'string') call(secret)
  }
  return {
    info: write,
    warn: write,
    error: write,
    audit: (fields) => rules.leaks('audit', fields),
    count: (metric, value, fields = {}) => {
      rules.leaks(metric, fields)
      rules.counted(metric, value)
    },
  }
}
