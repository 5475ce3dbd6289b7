import type { RelayError } from '../pki/error.ts'

/** A deployment that a promotion needs. */
export interface Rollout {
  /** `cluster/service`. */
  readonly service: string
  /** Why: the secret (ARN) and its version. */
  readonly secret: string
  readonly version: string
  /** A deployment that began at this time (epoch milliseconds) or later will do. */
  readonly since: number
}

/** Where work waits its turn. In production: Amazon SQS. */
export interface Queue {
  /**
   * Asks for a look at a secret (ARN), after so many seconds; what SQS cannot put off so long (900) comes earlier and
   * says how much is left.
   *
   * @param waits how many looks in a row have found nothing to do but wait
   */
  look(secret: string, delay: number, waits?: number): Promise<void>
  /** The same for many secrets. */
  looks(all: readonly { readonly secret: string; readonly delay: number }[]): Promise<void>
  /** About how many looks wait their turn or are being done. */
  waiting(): Promise<number>
  /** Asks for a deployment; what is asked for one service waits in one line, for as long as changes are collected. */
  roll(rollout: Rollout): Promise<void>
  /** Puts a message that nobody can process aside, with the reason. */
  bury(body: string, reason: RelayError): Promise<void>
}
