import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'
import { isRecord } from '../pki/json.ts'

/** One request to the signing function, through whichever of its doors. */
export interface Visit {
  /** `direct`: invoked by whoever IAM lets; `url`: its function URL, with IAM; `balancer`: an internal load balancer. */
  readonly door: 'direct' | 'url' | 'balancer'
  /** Id of the invocation as the event tells it; absent where it does not. */
  readonly request?: string
  /** Id of the trace that the door began, or passed on. */
  readonly trace?: string
  /** ARN of who signed the request, or the address that the load balancer saw. */
  readonly who: string
  /** The role that signed, as Lambda verified it. */
  readonly principal?: { readonly account: string; readonly role: string }
  readonly method: string
  readonly path: string
  /** As it came, without `?`. */
  readonly query: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Uint8Array
  /** IP address of the peer of a load balancer. */
  readonly address?: string
  /** Whether the answer's headers are to come with all of their values. */
  readonly many: boolean
}

const text = v.string()
const texts = v.record(text, text)
const list = v.record(text, v.array(text))

/** Payload format 2.0 (https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html); with AWS_IAM only. */
const url = v.object({
  version: v.literal('2.0'),
  rawPath: text,
  rawQueryString: text,
  headers: texts,
  requestContext: v.object({
    http: v.object({ method: text, sourceIp: v.optional(text) }),
    requestId: text,
    authorizer: v.object({ iam: v.object({ accountId: text, userArn: text }) }),
  }),
  body: v.optional(text, ''),
  isBase64Encoded: v.boolean(),
})

/** A Lambda target (https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html). */
const balancer = v.object({
  requestContext: v.object({ elb: v.object({ targetGroupArn: text }) }),
  httpMethod: text,
  path: text,
  queryStringParameters: v.optional(texts),
  multiValueQueryStringParameters: v.optional(list),
  headers: v.optional(texts),
  multiValueHeaders: v.optional(list),
  body: v.nullish(text),
  isBase64Encoded: v.boolean(),
})

const SESSION = /^arn:aws[a-z-]*:sts::(\d{12}):assumed-role\/([\w+=,.@-]{1,64})\/[\w+=,.@-]{2,64}$/
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** A request to the function `sign`. @throws RelayError EVENT_INVALID when it is none of its doors' */
export function parseVisit(event: unknown): Visit {
  const asked = v.safeParse(url, event)
  if (asked.success) return throughUrl(asked.output)
  const balanced = v.safeParse(balancer, event)
  if (balanced.success) return throughBalancer(balanced.output)
  return invoked(event)
}

function throughUrl(event: v.InferOutput<typeof url>): Visit {
  const { requestContext, rawPath, rawQueryString, headers } = event
  const { accountId, userArn } = requestContext.authorizer.iam
  const [, account, role] = SESSION.exec(userArn) ?? []
  const isRole = account !== undefined && role !== undefined && account === accountId
  return {
    ...{ door: 'url', request: requestContext.requestId, who: userArn, many: false },
    ...(isRole && { principal: { account, role } }),
    ...traced(headers['x-amzn-trace-id'], headers['traceparent']),
    ...{ method: requestContext.http.method, path: rawPath, query: rawQueryString, headers },
    body: bodyOf(event.body, event.isBase64Encoded),
  }
}

function throughBalancer(event: v.InferOutput<typeof balancer>): Visit {
  const { httpMethod, path, headers: single = {}, multiValueHeaders: all } = event
  const pairs = Object.entries(all ?? {}).map(([name, values]) => [name, values.join(', ')])
  const headers: Record<string, string> = all === undefined ? single : Object.fromEntries(pairs)
  // a client may claim addresses; the load balancer adds the one that it saw as the last
  const address = headers['x-forwarded-for']?.split(',').at(-1)?.trim() ?? ''
  return {
    ...{ door: 'balancer', who: address, address, many: all !== undefined },
    ...traced(headers['x-amzn-trace-id'], headers['traceparent']),
    ...{ method: httpMethod, path, query: queryOf(event), headers },
    body: bodyOf(event.body ?? '', event.isBase64Encoded),
  }
}

/** `{ "sign": { … } }`: one member, whose name is the path, and whose value the body. */
function invoked(event: unknown): Visit {
  const [[name = '', wish] = [], ...more] = isRecord(event) ? Object.entries(event) : []
  if (!/^[a-z]{1,32}$/.test(name) || !isRecord(wish) || more.length > 0)
    throw new RelayError(
      'EVENT_INVALID',
      'neither a request to the function URL, nor one of a load balancer, nor { "sign": { … } } (docs/authority.md)',
    )
  return {
    ...{ door: 'direct', who: 'invoked directly', method: 'POST', path: `/${name}`, query: '' },
    ...{ headers: {}, body: Buffer.from(JSON.stringify(wish)), many: false },
  }
}

function queryOf(event: v.InferOutput<typeof balancer>): string {
  const { queryStringParameters: single, multiValueQueryStringParameters: all } = event
  const pairs =
    all === undefined
      ? Object.entries(single ?? {})
      : Object.entries(all).flatMap(([name, values]) => values.map((one) => [name, one] as const))
  return pairs.map(([name, value]) => `${name}=${value}`).join('&')
}

function bodyOf(body: string, isBase64: boolean): Uint8Array {
  if (!isBase64) return Buffer.from(body, 'utf8')
  if (!BASE64.test(body)) throw new RelayError('EVENT_INVALID', 'the body is no base64')
  return Buffer.from(body, 'base64')
}

/** AWS's own header, or W3C's (https://www.w3.org/TR/trace-context/), whose id is written as AWS writes it. */
function traced(own: string | undefined, other: string | undefined): { readonly trace?: string } {
  const root = /(?:^|;)\s*Root=(1-[0-9a-f]{8}-[0-9a-f]{24})(?:;|$)/.exec(own ?? '')?.[1]
  if (root !== undefined) return { trace: root }
  const [, first, rest] =
    /^[0-9a-f]{2}-([0-9a-f]{8})([0-9a-f]{24})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(other ?? '') ?? []
  return first === undefined ? {} : { trace: `1-${first}-${rest}` }
}
