import { createHash } from 'node:crypto'
import * as v from 'valibot'
import type { Caller } from '../service.ts'

/** One HTTP request to a function URL, whoever sent it. */
export interface Visit {
  readonly method: string
  /** Path and query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** The signer; absent where the URL asks for none. */
  readonly caller: Caller | undefined
  readonly account: string
  /** The first label of the URL's name in AWS. */
  readonly id: string
  readonly requestId: string
  /** Epoch milliseconds. */
  readonly time: number
}

const TEXTUAL = /^(text\/|application\/(json|xml|javascript|graphql)|[^;]*\+(json|xml))/i

/**
 * The event of payload format 2.0; the header Authorization is not passed on.
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
 */
export function eventOf(visit: Visit): Record<string, unknown> {
  const { headers, body, caller, account, id, time, method } = visit
  const [rawPath = '/', rawQueryString = ''] = visit.url.split('?', 2)
  const { authorization: _, cookie, ...rest } = headers
  const asText = TEXTUAL.test(headers['content-type'] ?? 'text/plain')
  const query = [...new URLSearchParams(rawQueryString)]
  const names = new Set(query.map(([name]) => name))
  const joined = [...names].map((name) => [
    name,
    query.flatMap(([other, value]) => (other === name ? [value] : [])).join(','),
  ])
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: decoded(rawPath),
    rawQueryString,
    ...(cookie !== undefined && { cookies: cookie.split(/; */) }),
    headers: rest,
    ...(query.length > 0 && { queryStringParameters: Object.fromEntries(joined) }),
    requestContext: {
      accountId: caller === undefined ? 'anonymous' : account,
      apiId: id,
      ...(caller && { authorizer: { iam: identity(caller, account) } }),
      domainName: headers['host'] ?? '',
      domainPrefix: id,
      http: {
        method,
        path: decoded(rawPath),
        protocol: 'HTTP/1.1',
        sourceIp: '127.0.0.1',
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: visit.requestId,
      routeKey: '$default',
      stage: '$default',
      time: commonLog(time),
      timeEpoch: time,
    },
    ...(body.length > 0 && { body: body.toString(asText ? 'utf8' : 'base64') }),
    isBase64Encoded: body.length > 0 && !asText,
  }
}

/** As it came, when it is no encoding of anything. */
function decoded(path: string): string {
  try {
    return decodeURI(path)
  } catch {
    return path // a lone `%`
  }
}

function identity({ arn, accessKeyId }: Caller, accountId: string) {
  const [, role, session] = /:assumed-role\/([^/]+)\/(.*)$/.exec(arn) ?? []
  const unique = createHash('sha256')
    .update(role ?? arn)
    .digest('hex')
    .toUpperCase()
    .slice(0, 17)
  const id = role === undefined ? `AIDA${unique}` : `AROA${unique}:${session}`
  return {
    accessKey: accessKeyId,
    accountId,
    callerId: id,
    cognitoIdentity: null,
    principalOrgId: null,
    userArn: arn,
    userId: id,
  }
}

export const header = v.union([v.string(), v.number(), v.boolean()])
const answer = v.object({
  statusCode: v.pipe(v.number(), v.integer(), v.minValue(100), v.maxValue(599)),
  headers: v.nullish(v.record(v.string(), header)),
  cookies: v.nullish(v.array(v.string())),
  body: v.nullish(v.string()),
  isBase64Encoded: v.nullish(v.boolean()),
})

/** What goes back to the visitor. */
export interface Page {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body: Buffer
}

/** Reads what the function returned (JSON text); without a `statusCode` it is the body of a 200. `undefined` when it is malformed. */
export function pageOf(payload: string): Page | undefined {
  const value: unknown = JSON.parse(payload)
  const shaped = typeof value === 'object' && value !== null && 'statusCode' in value
  if (!shaped) {
    const body = typeof value === 'string' ? value : payload
    return { status: 200, headers: JSON_TYPE, body: Buffer.from(body) }
  }
  const parsed = v.safeParse(answer, value)
  if (!parsed.success) return undefined
  const { statusCode: status, headers, cookies, body, isBase64Encoded } = parsed.output
  const own = Object.entries(headers ?? {}).map(([name, value]) => [name.toLowerCase(), `${value}`])
  return {
    status,
    headers: {
      ...JSON_TYPE,
      ...Object.fromEntries(own),
      ...(cookies && { 'set-cookie': cookies }),
    },
    body: Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8'),
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ')

/** `12/Mar/2020:19:03:58 +0000` */
function commonLog(time: number): string {
  const [, year, month, day, clock] =
    /^(\d+)-(\d+)-(\d+)T([\d:]+)/.exec(new Date(time).toISOString()) ?? []
  return `${day}/${MONTHS[Number(month) - 1]}/${year}:${clock} +0000`
}
