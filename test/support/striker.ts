import type { Pace } from '../../aws/pace.ts'
import type { Faults } from '../../local/faults.ts'

/** What a killed process throws at every call that it would still make: nothing of it gets out any more. */
export class Killed extends Error {
  override readonly name = 'Killed'
}

/** How a call to AWS goes wrong. */
export const KINDS = {
  before: 'its process is killed before it',
  after: 'its process is killed after it, before the reply',
  unavailable: 'it is carried out and answered with 5xx',
  throttled: 'it is throttled',
  stale: 'it is answered as the time before',
} as const
export type Kind = keyof typeof KINDS

/** The nth call (the first is 0) goes wrong. */
export interface Strike {
  readonly at: number
  readonly kind: Kind
}

/** One call that was made. */
export interface Sent {
  readonly operation: string
  /** The same was asked before: it can be answered as it was then. */
  readonly repeated: boolean
}

/** Counts what the SDK's clients send, above the SDK's own retries, and strikes one of the calls. */
export interface Striker {
  /** Puts a client of this region under its eyes. */
  watch(region: string): Pace
  /** Counts from now on; forgets what was counted. */
  arm(strike?: Strike): void
  /** Counts no more. What was sent, and the operation that was struck, if any. */
  disarm(): { readonly sent: readonly Sent[]; readonly struck: string | undefined }
  /** Runs a process: true when it was killed. What it has thrown then is nobody's business. */
  run(work: () => Promise<unknown>): Promise<boolean>
  /** Forgets what was ever asked. */
  forget(): void
}

const READS = /^(Describe|Get|List)/

/** @param faults of the local AWS, which answers throttles and stale reads by itself. */
export function striker(faults: Faults): Striker {
  const asked = new Set<string>()
  let sent: Sent[] | undefined
  let strike: Strike | undefined
  let struck: string | undefined
  let dead = false

  /** How this call goes wrong, if it does. */
  function count(operation: string, key: string): Kind | undefined {
    const repeated = READS.test(operation) && asked.has(key)
    asked.add(key)
    if (sent === undefined) return undefined
    sent.push({ operation, repeated })
    if (sent.length - 1 !== strike?.at || (strike.kind === 'stale' && !repeated)) return undefined
    struck = operation
    return strike.kind
  }

  async function send<O>(
    { operation, region, key }: { operation: string; region: string; key: string },
    next: () => Promise<O>,
  ): Promise<O> {
    if (dead) throw new Killed(operation)
    const kind = count(operation, key)
    if (kind === 'before') throw die(operation)
    if (kind === 'throttled') faults.add({ operation, region, times: 1 }, { kind: 'throttle' })
    if (kind === 'stale') faults.add({ operation, region, times: 1 }, { kind: 'stale' })
    const answer = await next()
    if (kind === 'after') throw die(operation)
    if (kind === 'unavailable') throw unavailable(operation)
    return answer
  }

  function die(operation: string): Killed {
    dead = true
    return new Killed(operation)
  }

  return {
    watch: (region) => ({
      client(client) {
        client.middlewareStack.addRelativeTo(
          (next, { commandName = '' }) =>
            async (args) => {
              const operation = commandName.replace(/Command$/, '')
              const key = `${region} ${operation} ${JSON.stringify(inputOf(args))}`
              return send({ operation, region, key }, () => next(args))
            },
          PLACE,
        )
        return client
      },
    }),
    arm(next) {
      sent = []
      strike = next
      struck = undefined
    },
    disarm() {
      const found = { sent: sent ?? [], struck }
      sent = undefined
      strike = undefined
      return found
    },
    async run(work) {
      dead = false
      try {
        await work()
      } catch (error) {
        if (!dead) throw error
      }
      const killed = dead
      dead = false
      return killed
    },
    forget: () => asked.clear(),
  }
}

/** The step `initialize` is outside of the retries. */
const PLACE = {
  relation: 'after',
  toMiddleware: 'loggerMiddleware',
  name: 'struck',
  override: true,
} as const

function inputOf(args: unknown): unknown {
  return typeof args === 'object' && args !== null && 'input' in args ? args.input : undefined
}

function unavailable(operation: string): Error {
  return Object.assign(new Error(`${operation} is struck`), {
    name: 'InternalFailure',
    $fault: 'server',
    $metadata: { httpStatusCode: 500, requestId: 'struck' },
  })
}
