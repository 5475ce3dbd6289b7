import { type Code, RelayError } from '../pki/error.ts'
import type { Ports } from '../ports/index.ts'
import type { Edge } from './edge.ts'

/** One request, as events/visit.ts reads it. */
interface Came {
  readonly door: 'direct' | 'url' | 'balancer'
  readonly request?: string
  readonly trace?: string
  readonly who: string
  readonly many: boolean
}

/** What is answered, whatever the protocol. */
export interface Told {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: string
}

/** As Lambda wants it: an HTTP answer, or for a direct invocation the object itself. */
export type Shown = Readonly<Record<string, unknown>>

const HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' }

/** The way into a function with three doors: invoked directly, through its URL, through a load balancer. */
export function window<E extends Came, P = Ports>(
  parse: (event: unknown) => E,
  answer: (
    ports: P,
    visit: E,
    ids: { readonly request: string; readonly trace: string },
  ) => Promise<Told>,
): Edge<E, Shown, P> {
  const doors = new WeakMap<object, Came>()
  const forged = new WeakMap<Came, string>() // by what was claimed: the invocation
  return {
    parse(event) {
      const visit = parse(event)
      if (typeof event === 'object' && event !== null) doors.set(event, visit)
      return visit
    },
    trace: ({ trace }) => trace,
    async run(visit, { ports, request, trace = request }) {
      // an event that was handed to the function directly cannot know the id of its own invocation: who signed is then a claim
      if (visit.door === 'url' && visit.request !== request) {
        forged.set(visit, request)
        throw new RelayError(
          'ACCESS_REFUSED',
          'this event did not come through the function URL, and names a caller that nobody verified',
        )
      }
      return shown(visit, await answer(ports, visit, { request, trace }))
    },
    async fail(event, error, log) {
      const known = typeof event === 'object' && event !== null ? doors.get(event) : undefined
      const request = known && forged.get(known)
      if (known !== undefined && request !== undefined) {
        const { who, trace = request } = known
        const about = { action: 'sign', door: 'direct', label: 'none', outcome: 'refused' }
        log.audit({
          trace,
          request,
          who: 'invoked directly',
          claims: who,
          ...about,
          code: error.code,
        })
        log.count('SignRefused', 1)
      }
      return shown(known ?? { door: 'direct', many: false }, refusal(error))
    },
  }
}

function shown(
  { door, many }: Pick<Came, 'door' | 'many'>,
  { status, headers, body }: Told,
): Shown {
  const all = { ...HEADERS, ...headers }
  const isBase64Encoded = false
  if (door === 'url') return { statusCode: status, headers: all, body, isBase64Encoded }
  if (door === 'balancer')
    return {
      ...{ statusCode: status, body, isBase64Encoded },
      ...(many
        ? {
            multiValueHeaders: Object.fromEntries(
              Object.entries(all).map(([k, one]) => [k, [one]]),
            ),
          }
        : { headers: all }),
    }
  const value: unknown = JSON.parse(body)
  const told = typeof value === 'object' && value !== null ? { ...value } : { value }
  return status < 400 ? told : { error: told }
}

/** A failure as every protocol of ours tells it: a code and a message, no material. */
export function refusal({ code, remedy, message }: RelayError): Told {
  const retry = remedy === 'retry' || remedy === 'wait'
  const status = STATUS[code] ?? (retry ? 503 : remedy === 'fix-input' ? 400 : 500)
  const headers: Record<string, string> = status === 503 ? { 'retry-after': '2' } : {}
  return { status, headers, body: JSON.stringify({ code, message }) }
}

/** Of codes whose remedy does not tell. */
const STATUS: Partial<Record<Code, number>> = {
  ACCESS_REFUSED: 403,
  NAME_REFUSED: 403,
  AUTHORITY_MISSING: 404,
}
