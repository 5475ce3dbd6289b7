import middy from '@middy/core'
import type { Context as LambdaContext } from 'aws-lambda'
import type { Wired } from '../ports/index.ts'
import type { Keys, Pens } from '../ports/keys.ts'
import type { Log } from '../ports/log.ts'
import type { Edge, Root } from './edge.ts'
import { keys } from './keys.ts'
import { parse } from './parse.ts'
import { report, timeUp } from './report.ts'
import { bind, trace } from './trace.ts'
import { within } from './within.ts'

/** Before Lambda ends the invocation, so that there is time to say so. Milliseconds. */
const FAREWELL = 1_500
/** So much before that whoever can answers for what is done. Milliseconds. */
const SOONER = 500

/** What the runtime and the middlewares put into the context. */
interface Context extends LambdaContext {
  readonly log: Log
  readonly trace: string
  readonly keys: (log: Log) => Keys | undefined
  readonly pens: (log: Log) => Pens | undefined
}

type Handler<E, R> = middy.MiddyfiedHandler<E, R, Error, Context>

/** What KMS keys are made into `keys` and `pens` from. */
type Keyed = Pick<Wired, 'keyholes' | 'sealing' | 'pen'>
/** The ports as the way in sees them. */
type Seen<W> = Omit<W, keyof Keyed> & { readonly log: Log }
type Keyring = { readonly keys: Keys | undefined; readonly pens: Pens | undefined }

/**
 * A Lambda handler. The order of the middlewares is written here and nowhere else. It does not compile when the way in asks
 * for a port that nothing provides: without keyholes there are no `keys`, rather than none configured.
 */
export function serve<E, R, W extends Keyed>(
  edge: Edge<E, R, Seen<NoInfer<W>> & Keyring>,
  root: Root<W>,
): Handler<E, R>
export function serve<E, R, W extends object>(
  edge: Edge<E, R, Seen<NoInfer<W>>>,
  root: Root<W>,
): Handler<E, R>
export function serve<E, R, W extends Partial<Keyed>>(
  edge: Edge<E, R, Seen<W> & Keyring>,
  { log, connect, begin }: Root<W>,
): Handler<E, R> {
  return middy<E, R, Error, Context>({
    timeoutEarlyInMillis: FAREWELL,
    timeoutEarlyResponse: () => {
      throw timeUp()
    },
  })
    .use(report(edge, log))
    .use(trace(log, () => process.env['_X_AMZN_TRACE_ID']))
    .use(parse(edge.parse))
    .use(keys(connect))
    .handler((event, context) => {
      const remaining = () => context.getRemainingTimeInMillis()
      begin(remaining)
      const { keyholes: _, sealing: __, pen: ___, ...wired } = connect()
      const begun = edge.trace?.(event)
      const log = begun === undefined ? context.log : bind(context.log, { trace: begun })
      const ports = { ...wired, log, keys: context.keys(log), pens: context.pens(log) }
      const trace = begun ?? context.trace
      const work = edge.run(event, { ports, request: context.awsRequestId, trace, remaining })
      const { late } = edge
      if (late === undefined) return work
      return within(work, remaining() - FAREWELL - SOONER, () => late(event, log))
    })
}
