import * as v from 'valibot'
import { header, type Page } from '../lambda/payload.ts'

/** One HTTP request at an application load balancer. */
export interface Visit {
  readonly method: string
  /** Path and query. */
  readonly url: string
  /** Names in lower case, every value. */
  readonly headers: Readonly<Record<string, readonly string[]>>
  readonly body: Buffer
  readonly targetGroup: string
  /** Whether headers and query parameters come with all of their values (`lambda.multi_value_headers.enabled`). */
  readonly many: boolean
}

/** Types that come as text; with a Content-Encoding nothing does. */
const TEXTUAL = /^(text\/|application\/(json|javascript|xml)\b)/i

/** The event of a Lambda target: https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html */
export function eventOf({ method, url, headers, body, targetGroup, many }: Visit) {
  const at = url.indexOf('?')
  const path = at < 0 ? url : url.slice(0, at)
  const query = queryOf(at < 0 ? '' : url.slice(at + 1))
  const [type = 'text/plain'] = headers['content-type'] ?? []
  const asText = TEXTUAL.test(type) && headers['content-encoding'] === undefined
  const isBase64Encoded = body.length > 0 && !asText
  return {
    requestContext: { elb: { targetGroupArn: targetGroup } },
    httpMethod: method,
    path,
    ...(many
      ? { multiValueQueryStringParameters: query, multiValueHeaders: headers }
      : { queryStringParameters: last(query), headers: last(headers) }),
    body: body.toString(isBase64Encoded ? 'base64' : 'utf8'),
    isBase64Encoded,
  }
}

/** As it came: a load balancer decodes nothing. */
function queryOf(text: string): Record<string, string[]> {
  const all: Record<string, string[]> = {}
  for (const pair of text.split('&').filter(Boolean)) {
    const [name = '', ...rest] = pair.split('=')
    all[name] = [...(all[name] ?? []), rest.join('=')]
  }
  return all
}

/** Without the attribute the last value counts. */
function last(all: Readonly<Record<string, readonly string[]>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(all).map(([name, values]) => [name, values.at(-1) ?? '']),
  )
}

const answer = v.object({
  statusCode: v.pipe(v.number(), v.integer(), v.minValue(200), v.maxValue(599)),
  headers: v.nullish(v.record(v.string(), header)),
  multiValueHeaders: v.nullish(v.record(v.string(), v.array(header))),
  body: v.nullish(v.string()),
  isBase64Encoded: v.nullish(v.boolean()),
})

/** Bytes that a function may answer, and that a visitor may send. */
export const LARGEST = 1_048_576

/** Reads what a function returned (JSON text); `undefined` when it is malformed or too large. */
export function pageOf(payload: string, many: boolean): Page | undefined {
  if (Buffer.byteLength(payload) > LARGEST) return undefined
  const parsed = v.safeParse(answer, JSON.parse(payload))
  if (!parsed.success) return undefined
  const { statusCode: status, headers, multiValueHeaders, body, isBase64Encoded } = parsed.output
  const own = many
    ? Object.entries(multiValueHeaders ?? {}).map(([name, all]) => [name, all.map(String)])
    : Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)])
  return {
    status,
    headers: Object.fromEntries(own),
    body: Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8'),
  }
}
