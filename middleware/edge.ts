import type { RelayError } from '../pki/error.ts'
import type { Ports, Wired } from '../ports/index.ts'
import type { Log } from '../ports/log.ts'

/** Every port there is. */
type All = Ports & Pick<Wired, 'again'>

/** What the composition root gives a function: a log at once, everything else on the first event. */
export interface Root<W = Wired> {
  readonly log: Log
  /** @throws CONFIG_INVALID */
  readonly connect: () => W
  /** An invocation begins, and has so many milliseconds left. */
  readonly begin: (remaining: () => number) => void
}

/** One invocation, with the ports that its way in asks for. */
export interface Visit<P = All> {
  readonly ports: P
  /** Lambda's own id of the invocation. */
  readonly request: string
  /** Of the trace that this invocation is a part of. */
  readonly trace?: string
  /** Real milliseconds until Lambda ends the invocation. */
  readonly remaining: () => number
}

/** One way in: how its event is read, what is done, and how a failure is told to whoever waits. */
export interface Edge<E, R, P = All> {
  /** @throws EVENT_INVALID */
  readonly parse: (event: unknown) => E
  /** The trace that the front door began, where its event tells one: every line of the invocation then has it. */
  readonly trace?: (event: E) => string | undefined
  readonly run: (event: E, visit: Visit<P>) => Promise<R>
  /** Answers for what is done when the time is up; without it the invocation fails as a whole. */
  readonly late?: (event: E, log: Log) => R
  /** Answers in spite of a failure; without it the failure is thrown, and Lambda's retries decide. */
  readonly fail?: (event: unknown, error: RelayError, log: Log) => Promise<R>
}

/** The part of a middy request that our middlewares touch. */
export interface Passing {
  event: unknown
  readonly context: object
  response?: unknown
  error?: unknown
}
