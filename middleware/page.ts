import { buckets, type Rate } from '../pki/bucket.ts'
import type { Code, RelayError } from '../pki/error.ts'
import type { Secret } from '../pki/secret.ts'
import type { Ports } from '../ports/index.ts'
import type { Edge } from './edge.ts'

/** Lambda's answer through a function URL (https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html). */
export interface Page {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** As workflows/handover.ts ends. */
type Outcome =
  | { readonly at: 'refused' }
  | { readonly at: 'busy'; readonly seconds: number }
  | { readonly at: 'known'; readonly version: string }
  | { readonly at: 'handed'; readonly reply: Secret }

/** What the workflow is told of the invocation. */
interface Door {
  readonly request: string
  readonly wait: (role: string) => number
}

/** Of one role, in one environment of the function: its reserved concurrency says how many there are (docs/handover.md). */
const RATE: Rate = { burst: 20, rate: 2 }
/** Seconds. */
const AGAIN = 2

/** A hand-over through a function URL. Nothing is kept: what a reply holds is wiped as soon as it is text. */
export function page<E, P = Ports>(
  parse: (event: unknown) => E,
  workflow: (ports: P, event: E, door: Door) => Promise<Outcome>,
  rate = RATE,
): Edge<E, Page, P & Pick<Ports, 'clock'>> {
  const bucket = buckets(rate) // of this process: warm invocations share it
  return {
    parse,
    async run(event, { ports, request }) {
      const wait = (role: string) => bucket(role, ports.clock.now())
      return told(await workflow(ports, event, { request, wait }))
    },
    fail: async (_, error) => failed(error),
  }
}

function told(outcome: Outcome): Page {
  switch (outcome.at) {
    case 'refused':
      return answer(403, {
        code: 'ACCESS_REFUSED',
        message: 'there is no such secret, or its tag certrelay:roles does not name your role',
      })
    case 'busy':
      return answer(
        429,
        { code: 'SERVICE_UNAVAILABLE', message: 'your role asks too often' },
        { 'retry-after': `${outcome.seconds}` },
      )
    case 'known':
      return answer(200, { version: outcome.version })
    case 'handed':
      return handed(outcome.reply)
  }
}

/** The one place where a passphrase leaves a function, to who is entitled to it. */
function handed(reply: Secret): Page {
  try {
    return { statusCode: 200, headers: HEADERS, body: Buffer.from(reply.reveal()).toString('utf8') }
  } finally {
    reply.wipe()
  }
}

function failed({ code, remedy, message }: RelayError): Page {
  const retry = remedy === 'retry' || remedy === 'wait'
  const status = STATUS[code] ?? (retry ? 503 : remedy === 'stop' ? 422 : 500)
  return answer(status, { code, message }, status === 503 ? { 'retry-after': `${AGAIN}` } : {})
}

/** Of codes whose remedy does not tell. */
const STATUS: Partial<Record<Code, number>> = { EVENT_INVALID: 400, SECRET_MISSING: 404 }
const HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' }

function answer(
  statusCode: number,
  body: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {},
): Page {
  return { statusCode, headers: { ...HEADERS, ...headers }, body: JSON.stringify(body) }
}
