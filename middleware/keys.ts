import type { Wired } from '../ports/index.ts'
import type { Keys } from '../ports/keys.ts'
import type { Log } from '../ports/log.ts'
import type { Passing } from './edge.ts'
import { failover } from './failover.ts'

/** Adds `keys` to the context: given the log for its audit lines, the port; `undefined` when no KMS keys are configured. */
export function keys(connect: () => Wired) {
  function keysBefore({ context }: Passing): void {
    const { keyholes } = connect()
    const make = (log: Log): Keys | undefined =>
      keyholes.length === 0
        ? undefined
        : failover(keyholes, { audit: log.audit, elapsed: () => performance.now() })
    Object.assign(context, { keys: make })
  }
  return { before: keysBefore }
}
