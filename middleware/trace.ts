import type { Fields, Log } from '../ports/log.ts'
import type { Passing } from './edge.ts'

/** Binds trace id, request id and function name to every line of the invocation. Adds `log` and `trace` to the context. */
export function trace(log: Log, environment: () => string | undefined) {
  function traceBefore({ context }: Passing): void {
    const { awsRequestId, functionName } = facts(context)
    const trace = /Root=([^;]+)/.exec(environment() ?? '')?.[1] ?? awsRequestId
    Object.assign(context, {
      trace,
      log: bind(log, {
        trace,
        request: awsRequestId,
        function: functionName,
      }),
    })
  }
  return { before: traceBefore }
}

/** A log whose every line also has `fixed`. */
export function bind(log: Log, fixed: Fields): Log {
  return {
    info: (event, fields) => log.info(event, { ...fixed, ...fields }),
    warn: (event, fields) => log.warn(event, { ...fixed, ...fields }),
    error: (event, fields) => log.error(event, { ...fixed, ...fields }),
    audit: (fields, attempts) => log.audit({ ...fixed, ...fields }, attempts),
    count: log.count,
  }
}

function facts(context: object) {
  const about: { awsRequestId?: unknown; functionName?: unknown } = context
  const text = (value: unknown) => (typeof value === 'string' ? value : 'none')
  return { awsRequestId: text(about.awsRequestId), functionName: text(about.functionName) }
}
