import { RelayError } from '../pki/error.ts'
import type { Log } from '../ports/log.ts'
import type { Edge, Passing } from './edge.ts'

/**
 * The outermost middleware: one line for every failure, and an answer to whoever waits for one.
 * What leaves the handler is a copy without `cause`, because the runtime prints it.
 */
export function report<E, R, P>({ fail }: Edge<E, R, P>, log: Log) {
  const raw = new WeakMap<object, unknown>() // by request: parsing replaces its event
  function reportBefore(request: Passing): void {
    raw.set(request, request.event)
  }
  async function reportOnError(request: Passing): Promise<void> {
    const error = ours(request.error)
    log.error('failed', { code: error.code, remedy: error.remedy, reason: error.message })
    log.count('Failed', 1, { code: error.code })
    request.error = error // middy hangs the error that it has on to one that differs
    if (fail === undefined) throw error
    request.response = await fail(raw.get(request), error, log)
  }
  return { before: reportBefore, onError: reportOnError }
}

/** Any error as ours, without its cause. An error we do not know is named by its class only: its message may hold anything. */
export function ours(error: unknown): RelayError {
  if (error instanceof RelayError) return new RelayError(error.code, error.message)
  const name = error instanceof Error ? error.name : 'Error'
  if (name === 'TimeoutError') return timeUp()
  return new RelayError(
    'SERVICE_UNAVAILABLE',
    `an unexpected ${name}${place(error)}; it is tried again, and if it stays, report it`,
  )
}

export function timeUp(): RelayError {
  const message = 'the time of this invocation is up; it is tried again'
  return new RelayError('SERVICE_UNAVAILABLE', message)
}

/** Where in our code it happened: file and line, which hold no data. The message before them is left out: it may look alike. */
function place(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const { stack = '', message } = error
  const frames = stack.slice(stack.indexOf(message) + message.length)
  const line = /^ {4}at .*?\(?([\w./-]+:\d+:\d+)\)?$/m.exec(frames)?.[1]
  return line === undefined ? '' : ` at ${line.replace(/^.*\//, '')}`
}
