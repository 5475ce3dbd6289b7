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
  stale: 'it is answered as the time before, or before a version was there',
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
  /** It can be answered as the same was before, or as if the version that it names were not there yet. */
  readonly datable: boolean
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
/** What names a version: the first that does so may come too early. */
const NAMING: Readonly<Record<string, string>> = {
  GetSecretValue: 'VersionId',
  UpdateSecretVersionStage: 'MoveToVersionId',
}

interface Asked {
  readonly operation: string
  readonly region: string
  /** The same call has the same one. */
  readonly key: string
  readonly input: ReadonlyMap<string, unknown>
}

/** @param faults of the local AWS, which answers throttles and stale reads by itself. */
export function striker(faults: Faults): Striker {
  const asked = new Set<string>()
  /** What would be the first to name a version that was stored. */
  const fresh = new Set<string>()
  let sent: Sent[] | undefined
  let strike: Strike | undefined
  let struck: string | undefined
  let dead = false

  /** How this call goes wrong, if it does. */
  function count({ operation, key, input }: Asked): Kind | undefined {
    const repeated = READS.test(operation) && asked.has(key)
    const named = `${operation} ${input.get(NAMING[operation] ?? '')}`
    const datable = repeated || fresh.delete(named)
    asked.add(key)
    if (operation === 'PutSecretValue')
      for (const one of Object.keys(NAMING)) fresh.add(`${one} ${input.get('ClientRequestToken')}`)
    if (sent === undefined) return undefined
    sent.push({ operation, datable })
    if (sent.length - 1 !== strike?.at || (strike.kind === 'stale' && !datable)) return undefined
    struck = operation
    return strike.kind
  }

  async function send<O>(call: Asked, next: () => Promise<O>): Promise<O> {
    const { operation, region } = call
    if (dead) throw new Killed(operation)
    const kind = count(call)
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
              const input = inputOf(args)
              const key = `${region} ${operation} ${JSON.stringify(Object.fromEntries(input))}`
              return send({ operation, region, key, input }, () => next(args))
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
    forget() {
      asked.clear()
      fresh.clear()
    },
  }
}

/** The step `initialize` is outside of the retries. */
const PLACE = {
  relation: 'after',
  toMiddleware: 'loggerMiddleware',
  name: 'struck',
  override: true,
} as const

function inputOf(args: unknown): ReadonlyMap<string, unknown> {
  const input =
    typeof args === 'object' && args !== null && 'input' in args ? args.input : undefined
  return new Map(Object.entries(input ?? {}))
}

function unavailable(operation: string): Error {
  return Object.assign(new Error(`${operation} is struck`), {
    name: 'InternalFailure',
    $fault: 'server',
    $metadata: { httpStatusCode: 500, requestId: 'struck' },
  })
}
