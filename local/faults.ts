import type { Random } from './random.ts'

/** What may be made to go wrong. */
export type Mishap =
  /** Real milliseconds, as a network does not know the local clock; for an event local ones: others overtake it. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** Never answers; the connection stays open until the client leaves. */
  | { readonly kind: 'hang' }
  /** The connection ends before a byte is answered, and nothing was done. */
  | { readonly kind: 'refuse' }
  /** The connection is reset in the middle of the answer's headers, and nothing was done. */
  | { readonly kind: 'reset' }
  /** Without a code, what the service calls its own mistakes. */
  | {
      readonly kind: 'error'
      readonly status?: number
      readonly code?: string
      readonly message?: string
    }
  | { readonly kind: 'throttle' }
  /** The operation is carried out, and the connection ends before its answer. */
  | { readonly kind: 'lost' }
  /** Answers what the same request was answered the time before; Secrets Manager also as if a new version were not there yet. */
  | { readonly kind: 'stale' }
  /** Events only: never delivered. */
  | { readonly kind: 'drop' }
  /** Events only: delivered twice. */
  | { readonly kind: 'duplicate' }

/** Where a mishap strikes: absent members match everything. */
export interface Where {
  /** SigV4 service name; `events:deliver` for events on their way to a target. */
  readonly service?: string
  /** Operation name; for events the detail-type. */
  readonly operation?: string
  readonly region?: string
  /** Strikes so many times, then is used up. */
  readonly times?: number
  /** Strikes this share of what matches, by the seeded dice. */
  readonly share?: number
}

/** Mishaps on demand, the same under the same seed. */
export interface Faults {
  /** Returns a function that takes the fault away again. */
  add(where: Where, mishap: Mishap): () => void
  /** A whole region goes out: every request to it hangs, is refused or answers 503. */
  outage(region: string, kind: 'hang' | 'refuse' | 'error'): () => void
  clear(): void
  /** The mishap for one request or event, if any; counts down `times`. */
  strike(service: string, operation: string, region: string): Mishap | undefined
}

/** The service that events on their way belong to. */
const DELIVERY = 'events:deliver'
/** What can only happen to events. */
const EVENTS: readonly string[] = ['drop', 'duplicate']

/**
 * Every fault has dice of its own for each operation and region: whether the tenth Decrypt is struck does not depend
 * on what else was asked for meanwhile.
 */
export function faults(random: Random): Faults {
  const list = new Set<Fault>()
  let count = 0
  const add = (where: Where, mishap: Mishap) => {
    const left = where.times ?? Number.POSITIVE_INFINITY
    const fault = { where, mishap, left, dice: dice(random.fork(`fault ${count++}`)) }
    list.add(fault)
    return () => void list.delete(fault)
  }
  return {
    add,
    outage: (region, kind) =>
      add(
        { region },
        kind === 'error' ? { kind, status: 503, code: 'ServiceUnavailable' } : { kind },
      ),
    clear: () => list.clear(),
    strike(service, operation, region) {
      for (const fault of list) {
        if (!concerns(fault, service, operation, region)) continue
        const { share } = fault.where
        if (share !== undefined && fault.dice(`${service} ${operation} ${region}`) >= share)
          continue
        fault.left--
        if (fault.left <= 0) list.delete(fault)
        return fault.mishap
      }
      return undefined
    },
  }
}

interface Fault {
  readonly where: Where
  readonly mishap: Mishap
  /** In [0, 1), for one operation of one region. */
  readonly dice: (place: string) => number
  left: number
}

function concerns({ where, mishap }: Fault, service: string, operation: string, region: string) {
  if (where.service !== undefined && where.service !== service) return false
  if (where.operation !== undefined && where.operation !== operation) return false
  if (where.region !== undefined && where.region !== region) return false
  if (service === DELIVERY) return where.service !== undefined
  return !EVENTS.includes(mishap.kind)
}

function dice(random: Random): Fault['dice'] {
  const places = new Map<string, Random>()
  return (place) => {
    const own = places.get(place) ?? random.fork(place)
    places.set(place, own)
    return own.next()
  }
}
