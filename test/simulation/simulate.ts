import { START } from '../support/fakes.ts'
import { CALM } from './dice.ts'
import { type Setting, site } from './site.ts'
import type { Breach, Counts, World } from './world.ts'

const DAY = 86_400_000
/** After the last misfortune: what is under way ends, and whatever was missed is found. */
const EPILOGUE = 25 * DAY

/** What is simulated. */
export interface Simulation extends Setting {
  readonly years: number
}

/** How it went. */
export interface History {
  readonly seed: number
  readonly breach?: Breach & { readonly last: readonly string[]; readonly again: string }
  readonly counts: Counts
  /** Wall-clock. */
  readonly milliseconds: number
}

/**
 * Some years of certrelay in a world that goes wrong, in about a second: the same seed, the same history.
 *
 * Real are the workflows (`reconcile`, `roll`, `settle`, `sweep`, `rotate`, `retry`) with everything that they decide, the
 * batches of the functions with their partial failures, X.509 certificates and encrypted keys, and the check of every version
 * before it is promoted. Certificates are cast from eight molds (material.ts): each has its own serial, validity and signature,
 * and one of eight keys, encrypted under one of four passphrases. About a quarter of the secrets have certificates of an
 * authority of certrelay's own instead (signer.ts): for those certrelay makes each key and its request itself, and what is signed
 * holds the key of that request. Without the sweep there are none, for nothing else renews them.
 *
 * Imitated at the ports, so that no adapter, SDK or HTTP takes part: ACM with renewals that take their time; the function that
 * signs, which is out at times, refuses, or answers with what does not fit; Secrets Manager; ECS with deployments that end, fail or
 * hang; SQS with duplicates, disorder and receives that are counted; EventBridge and Lambda with their retries; people who answer
 * alarms. KMS is a key in each of two regions, one of which is out at times, or none. Nothing is paced: bench/fleet.ts does that. A
 * secret that is settled and far from its renewal is listed to the sweep only every few days, which spares looks that find nothing.
 */
export async function simulate({ years, ...setting }: Simulation): Promise<History> {
  const began = performance.now()
  const made = await site(setting)
  const { world, rules, tape } = made
  const end = START + years * 365 * DAY
  const watch = async (until: number) => {
    // in steps, so that a breach ends it soon after
    for (let at = world.loop.now(); at < until && world.breach === undefined; at = world.loop.now())
      await world.loop.play(Math.min(until, at + DAY))
  }
  await watch(end)
  const past = <T extends World['weather']['outages'][number]>(times: readonly T[]) =>
    times.filter(({ to }) => to <= end)
  world.weather = {
    ...CALM,
    outages: past(world.weather.outages),
    strikes: past(world.weather.strikes),
  }
  made.heal()
  await watch(end + EPILOGUE)
  if (world.breach === undefined) rules.settled()
  const { seed } = setting
  const milliseconds = performance.now() - began
  if (world.breach === undefined) return { seed, counts: world.counts, milliseconds }
  // `-` ends a name: service-1 is not service-11
  const named = world.breach.rule.match(/mesh\/secret-\d+-|mesh\/service-\d+/g) ?? []
  const again = command({ years, ...setting })
  const breach = { ...world.breach, last: tape.lines(named), again }
  return { seed, breach, counts: world.counts, milliseconds }
}

/** What repeats a run. */
function command({ seed, certs, years, without }: Simulation): string {
  const rest = without === undefined ? '' : ` --without ${without}`
  return `npm run simulate -- --seed ${seed} --certs ${certs} --years ${years}${rest}`
}
