import { random } from '../pki/generate.ts'

/** Chance from a seed: the same seed, the same history. */
export interface Dice {
  /** From 0 to below 1. */
  roll(): number
  chance(share: number): boolean
  between(low: number, high: number): number
  /** Between two positive numbers; short ones as likely as long ones of another order of magnitude. */
  stretch(low: number, high: number): number
  pick<T>(list: readonly T[]): T
}

const MOST = 2 ** 32

export function dice(seed: number): Dice {
  const below = random(seed)
  const roll = () => below(MOST) / MOST
  const between = (low: number, high: number) => low + roll() * (high - low)
  return {
    roll,
    chance: (share) => share > 0 && roll() < share,
    between,
    stretch: (low, high) => low * (high / low) ** roll(),
    pick(list) {
      const one = list[Math.floor(roll() * list.length)]
      if (one === undefined) throw new TypeError('an empty list')
      return one
    },
  }
}

const HOUR = 3_600_000
const DAY = 24 * HOUR

/** What goes wrong, and how often: shares from 0 to 1. */
export interface Weather {
  /** Of the calls of a run: the process dies before or after it. */
  readonly killed: number
  /** Of calls: 5xx or a throttle, before or after the effect. */
  readonly failing: number
  /** Of reads: an answer that is a few seconds old. */
  readonly stale: number
  /** Of messages and events: twice, late, never. */
  readonly twice: number
  readonly late: number
  readonly lost: number
  /** Of deployments: the service is sick from then on, for up to so long (milliseconds). */
  readonly sick: number
  readonly sickness: number
  /** Of deployments with the circuit breaker: they take hours, though nothing is wrong. */
  readonly slow: number
  /** Of certificates: what is exported, or signed, does not fit together. */
  readonly spoiled: number
  /** Of renewals, and of what an authority of certrelay's own is asked to sign: it refuses. */
  readonly refused: number
  /** Nothing answers in these times, epoch milliseconds. */
  readonly outages: readonly { readonly from: number; readonly to: number }[]
  /** An authority of certrelay's own does not answer in these times, or always spoils its answers in one `manner` (0.5 to 1). */
  readonly strikes: readonly {
    readonly from: number
    readonly to: number
    readonly manner: number
  }[]
  /** The nth region's KMS does not answer in these times. */
  readonly regions: readonly { readonly nth: number; readonly from: number; readonly to: number }[]
}

export const CALM: Weather = {
  killed: 0,
  failing: 0,
  stale: 0,
  twice: 0,
  late: 0,
  lost: 0,
  sick: 0,
  sickness: 0,
  slow: 0,
  spoiled: 0,
  refused: 0,
  outages: [],
  strikes: [],
  regions: [],
}

/** From hardly any misfortune to a lot of it. */
export function weather(dice: Dice, from: number, to: number): Weather {
  const much = dice.stretch(0.2, 4)
  const share = (usual: number) => Math.min(0.5, dice.between(0, 2) * usual * much)
  const times = (most: number) =>
    Array.from({ length: Math.round(dice.between(0, most) * much) }, () => {
      const began = dice.between(from, to)
      return { from: began, to: began + dice.stretch(HOUR / 4, 3 * DAY) }
    })
  const outages = times(20)
  const regions = times(400).map((one) => ({ ...one, nth: Math.floor(dice.roll() * 2) }))
  return {
    killed: share(0.005),
    failing: share(0.01),
    stale: share(0.03),
    // a look that waits leaves another one, up to twelve in a row: more copies than that would only grow
    twice: Math.min(0.1, share(0.03)),
    late: share(0.05),
    lost: share(0.1),
    sick: share(0.06),
    sickness: 3 * DAY,
    slow: share(0.04),
    spoiled: share(0.04),
    refused: share(0.1),
    outages,
    regions,
    strikes: times(300).map((one) => ({ ...one, manner: dice.roll() })),
  }
}
