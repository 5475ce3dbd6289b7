import type { Dice, Weather } from './dice.ts'
import type { Loop } from './loop.ts'
import type { Material } from './material.ts'

/** What a rule found broken. */
export interface Breach {
  readonly at: number
  readonly rule: string
}

/** What all parts of the simulated world share. */
export interface World {
  readonly loop: Loop
  readonly dice: Dice
  /** Now; it becomes calm at the end. */
  weather: Weather
  readonly counts: Counts
  /** The first rule that was broken. */
  breach: Breach | undefined
  /** Every certificate that was ever issued, by PEM and by serial. */
  readonly issued: Map<string, Material>
  /** Serials of what does not fit together: such a certificate must never become current. */
  readonly spoiled: Set<string>
  /** Nothing answers. */
  out(): boolean
  /** Says what happened, for whoever has to find out why a rule was broken. */
  note(what: string, about?: string, more?: unknown): void
  /** A rule is broken: the run ends. */
  fail(rule: string): void
}

/** How much happened. */
export interface Counts {
  calls: number
  killed: number
  looks: number
  promotions: number
  deployments: number
  deployed: number
  rollbacks: number
  rejected: number
  renewals: number
  /** By an authority of certrelay's own; and how many of those certificates no secret has ever had. */
  signed: number
  orphans: number
  helped: number
  dead: number
  /** Seals in fewer regions than there are; and passphrases that were sealed anew. */
  degraded: number
  resealed: number
}

export function counts(): Counts {
  return {
    calls: 0,
    killed: 0,
    looks: 0,
    promotions: 0,
    deployments: 0,
    deployed: 0,
    rollbacks: 0,
    rejected: 0,
    renewals: 0,
    signed: 0,
    orphans: 0,
    helped: 0,
    dead: 0,
    degraded: 0,
    resealed: 0,
  }
}
