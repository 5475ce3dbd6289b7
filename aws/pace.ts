import { RelayError } from '../pki/error.ts'
import { told } from '../pki/fault.ts'
import type { Log } from '../ports/log.ts'
import { THROTTLES } from './errors.ts'
import { buckets } from './rates.ts'

/** Kept of an invocation for the call itself and what follows it. Milliseconds. */
export const RESERVE = 5_000

/** Time and chance as the pace sees them. Milliseconds, and from 0 to 1. */
export interface Rhythm {
  now(): number
  sleep(milliseconds: number): Promise<void>
  random(): number
}

/** The part of an SDK client, of any generation, that a middleware is put into. */
interface Client {
  readonly middlewareStack: {
    addRelativeTo(middleware: Middleware, place: Place): void
  }
}
type Middleware = <A, O>(next: (args: A) => Promise<O>, context: About) => (args: A) => Promise<O>
interface About {
  readonly commandName?: string
}
interface Place {
  readonly relation: 'after'
  readonly toMiddleware: string
  readonly name: string
  readonly override: boolean
}

/** Puts calls off until the account can take them. */
export interface Pace {
  /** Paces a client: every attempt of every call, retries too, before it is signed. Returns the client. */
  client<C extends Client>(client: C): C
}

/**
 * One environment's share of the account's quotas (`rates.ts`), when so many run at once. A call whose turn would come too
 * late for this invocation fails with SERVICE_UNAVAILABLE before it is sent: the queue brings its work back.
 *
 * @param remaining milliseconds that are left of the invocation
 */
export function pace(
  share: number,
  { log, remaining }: { readonly log: Pick<Log, 'count'>; readonly remaining: () => number },
  rhythm: Rhythm = REAL,
): Pace {
  const known = buckets(share)

  async function turn(operation: string): Promise<void> {
    const bucket = known.get(operation)
    if (bucket === undefined) return
    const most = remaining() - RESERVE
    const wait = bucket.take(rhythm.now(), Math.max(0, most))
    if (wait === undefined) {
      const what = `${operation} has no turn in the time of this invocation; it is tried again`
      throw new RelayError('SERVICE_UNAVAILABLE', what)
    }
    // environments that began together shall not go on together
    if (wait > 0) await rhythm.sleep(Math.min(most, wait * (1 + rhythm.random() / 4)))
  }

  const paced: Middleware = (next, { commandName = '' }) => {
    const operation = commandName.replace(/Command$/, '')
    return async (args) => {
      await turn(operation)
      try {
        return await next(args)
      } catch (error) {
        const { name, status } = told(error)
        if (THROTTLES.test(name) || status === 429) log.count('Throttled', 1, { operation })
        throw error
      }
    }
  }
  return {
    client(client) {
      client.middlewareStack.addRelativeTo(paced, PLACE)
      return client
    },
  }
}

/** Within the retries, and before the signature, which is good for five minutes. */
const PLACE: Place = {
  relation: 'after',
  toMiddleware: 'retryMiddleware',
  name: 'certrelayPace',
  override: true,
}

const REAL: Rhythm = {
  now: () => Date.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  random: () => Math.random(),
}
