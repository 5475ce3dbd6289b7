import type { Fields } from '../ports/log.ts'
import { isSource } from './order.ts'
import type { Versions } from './source.ts'

/** One hand-over, as far as it has come. */
export interface Attempt {
  /** As `performance.now()` counts. */
  readonly began: number
  versions: Versions
  serial?: string | undefined
  /** The region that answered, when it was not the primary. */
  replica?: string | undefined
  /** The version that served before. */
  readonly previous?: string | undefined
}

/** Writes the record of one hand-over: references only. */
export function record(
  audit: (fields: Fields) => void,
  secret: string,
  { began, versions, serial, replica, previous }: Attempt,
  outcome: 'ok' | 'refused' | 'rolled-back',
  reason?: string,
): void {
  audit({
    ...{ action: 'hand-over', ...(isSource(secret) ? { source: secret } : { secret }) },
    ...{ ...versions, serial },
    ...{ region: replica, previous, outcome, reason },
    ms: Math.round(performance.now() - began),
  })
}
