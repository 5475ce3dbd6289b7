import type { Wired } from '../ports/index.ts'
import type { Keys, Pens } from '../ports/keys.ts'
import type { Log } from '../ports/log.ts'
import type { Surroundings } from './conduct.ts'
import type { Passing } from './edge.ts'
import { failover } from './failover.ts'
import { memory } from './memory.ts'
import { pens } from './signing.ts'
import { time as real, type Time } from './time.ts'

/** What is left of an invocation for everything but KMS. Milliseconds. */
const RESERVE = 500

/**
 * Adds `keys` and `pens` to the context: given the log for their audit lines, the ports; `undefined` when no KMS keys are
 * configured or connected.
 */
export function keys(
  connect: () => Partial<Pick<Wired, 'keyholes' | 'sealing' | 'pen'>>,
  time: Time = real,
) {
  const remembered = memory(time.random) // of this process: warm invocations share it
  function keysBefore({ context }: Passing): void {
    const { keyholes = [], sealing, pen } = connect()
    const around = (log: Log): Surroundings => ({
      ...{ audit: log.audit, warn: log.warn, count: log.count },
      ...{ time, memory: remembered, options: sealing },
      remaining: () => remaining(context) - RESERVE,
    })
    Object.assign(context, {
      keys: (log: Log): Keys | undefined =>
        keyholes.length === 0 ? undefined : failover(keyholes, around(log)),
      pens: (log: Log): Pens | undefined => pen && pens(pen, around(log)),
    })
  }
  return { before: keysBefore }
}

function remaining(context: object): number {
  const { getRemainingTimeInMillis: left }: { getRemainingTimeInMillis?: unknown } = context
  const milliseconds: unknown = typeof left === 'function' ? Reflect.apply(left, context, []) : 0
  return typeof milliseconds === 'number' ? milliseconds : 0
}
