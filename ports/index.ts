import type { Secret } from '../pki/secret.ts'
import type { Authority } from './authority.ts'
import type { Bus } from './bus.ts'
import type { Clock } from './clock.ts'
import type { Fleet } from './fleet.ts'
import type { Keyhole, Keys, Pen } from './keys.ts'
import type { Log } from './log.ts'
import type { Demands, Notary } from './notary.ts'
import type { Queue } from './queue.ts'
import type { Keeper, Vault } from './vault.ts'

/** Everything a workflow may ask for; each names the few it touches with `Pick`. */
export interface Ports {
  readonly authority: Authority
  readonly vault: Vault
  readonly keeper: Keeper
  readonly fleet: Fleet
  readonly queue: Queue
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Log
  /** Absent when no sign function is configured. */
  readonly notary: Notary | undefined
  readonly demand: Demands
  /** A fresh random passphrase; the caller wipes it. */
  readonly passphrase: () => Secret
  /** Absent when no KMS keys are configured: passphrases are then stored as they are. */
  readonly keys: Keys | undefined
  /** The organization in every encryption context. */
  readonly org: string
  /** A deployment that has not ended after so many milliseconds counts as failed. */
  readonly deadline: number
}

/** What the composition root provides; the middleware turns keyholes into `keys`. */
export interface Wired extends Omit<Ports, 'keys'> {
  readonly keyholes: readonly Keyhole[]
  /** The asymmetric key of an ARN, for those functions that sign. */
  readonly pen?: (key: string) => Pen
  /** How sealing may differ from the policy of docs/kms.md. */
  readonly sealing?: {
    readonly minRegions?: number | undefined
    readonly onDenied?: 'stop' | 'next' | undefined
    readonly onKeyState?: 'stop' | 'next' | undefined
  }
  /** Invokes this function again, asynchronously, with an event. */
  readonly again: (event: string) => Promise<void>
}
