import type { IncomingMessage } from 'node:http'
import { AwsError } from './service.ts'

/** An answer on the wire. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** One of AWS's wire protocols. */
export interface Protocol {
  /** Operation and input of a request; `undefined` when the form is not known. */
  request(method: string, url: string, body: Buffer): Decoded | undefined
  success(output: Readonly<Record<string, unknown>>, requestId: string, operation: string): Answer
  failure(error: AwsError, requestId: string): Answer
  /** AWS's own error for an operation it does not have. */
  unknown(operation: string | undefined): AwsError
}

interface Decoded {
  readonly operation: string
  readonly input: Readonly<Record<string, unknown>>
}

/** Chooses by the request: awsJson has a target header, awsQuery a form, restJson1 neither. */
export function encoder(headers: Readonly<Record<string, string>>, url: string): Protocol {
  const target = headers['x-amz-target']
  if (target !== undefined)
    return json(target, headers['content-type'] ?? 'application/x-amz-json-1.1')
  if (headers['content-type']?.startsWith('application/x-www-form-urlencoded')) return query
  return url.startsWith('/2015-03-31/') ? lambda : json('', 'application/x-amz-json-1.1')
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** awsJson1_0 and awsJson1_1: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html */
function json(target: string, contentType: string): Protocol {
  const headers = { 'content-type': contentType }
  const operation = target.slice(target.lastIndexOf('.') + 1)
  return {
    request(_method, _url, body) {
      const input = object(body.length === 0 ? '{}' : body.toString('utf8'))
      return operation === '' || input === undefined ? undefined : { operation, input }
    },
    success: (output) => ({ status: 200, headers, body: JSON.stringify(output) }),
    failure: ({ code, message, status }) => ({
      status,
      headers: { ...headers, 'x-amzn-errortype': code },
      body: JSON.stringify({ __type: code, message, Message: message }),
    }),
    unknown: () => new AwsError('UnknownOperationException', '', 400),
  }
}

/** awsQuery: https://smithy.io/2.0/aws/protocols/aws-query-protocol.html */
const query: Protocol = {
  request(_method, _url, body) {
    const {
      Action: operation,
      Version: _,
      ...flat
    } = Object.fromEntries(new URLSearchParams(body.toString('utf8')))
    return operation === undefined ? undefined : { operation, input: unflatten(flat) }
  },
  success: (output, requestId, operation) => ({
    status: 200,
    headers: { 'content-type': 'text/xml' },
    body: `<${operation}Response><${operation}Result>${xml(output)}</${operation}Result><ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${operation}Response>`,
  }),
  failure: ({ code, message, status }, requestId) => ({
    status,
    headers: { 'content-type': 'text/xml' },
    body: `<ErrorResponse><Error><Type>${status < 500 ? 'Sender' : 'Receiver'}</Type><Code>${quote(code)}</Code><Message>${quote(message)}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>`,
  }),
  unknown: (operation) =>
    new AwsError('InvalidAction', `Could not find operation ${operation ?? ''}`, 400),
}

/** restJson1 as far as Lambda's Invoke needs it. */
const lambda: Protocol = {
  request(method, url, body) {
    const match = /^\/2015-03-31\/functions\/([^/?]+)\/invocations(?:\?(.*))?$/.exec(url)
    if (method !== 'POST' || match === null) return undefined
    const Qualifier = new URLSearchParams(match[2] ?? '').get('Qualifier') ?? undefined
    const FunctionName = decodeURIComponent(match[1] ?? '')
    return {
      operation: 'Invoke',
      input: { FunctionName, Qualifier, Payload: body.toString('base64') },
    }
  },
  success(output) {
    const { StatusCode = 200, FunctionError, Payload = '', ExecutedVersion = '$LATEST' } = output
    const failed =
      typeof FunctionError === 'string' ? { 'x-amz-function-error': FunctionError } : {}
    return {
      status: Number(StatusCode),
      headers: {
        'content-type': 'application/json',
        'x-amz-executed-version': String(ExecutedVersion),
        ...failed,
      },
      body: Buffer.from(String(Payload), 'base64').toString('utf8'),
    }
  },
  failure: ({ code, message, status }) => ({
    status,
    headers: { 'content-type': 'application/json', 'x-amzn-errortype': code },
    body: JSON.stringify({ Type: status < 500 ? 'User' : 'Service', Message: message }),
  }),
  unknown: () => new AwsError('UnknownOperationException', '', 404),
}

function object(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? { ...value }
      : undefined
  } catch {
    return undefined // AWS answers a body that is not JSON like an unknown operation
  }
}

/** `Tags.member.1.Key=a` → `{ Tags: [{ Key: 'a' }] }`; values stay strings. */
function unflatten(flat: Readonly<Record<string, string>>): Record<string, unknown> {
  const grouped = new Map<string, Record<string, string> | string>()
  for (const [path, value] of Object.entries(flat)) {
    const dot = path.indexOf('.')
    if (dot < 0) {
      grouped.set(path, value)
      continue
    }
    const head = path.slice(0, dot)
    const group = grouped.get(head)
    const members = typeof group === 'object' ? group : {}
    members[path.slice(dot + 1)] = value
    grouped.set(head, members)
  }
  const entries = [...grouped].map(([key, value]): [string, unknown] => {
    if (typeof value === 'string') return [key, value]
    const nested = unflatten(value)
    const member = nested['member']
    if (typeof member !== 'object' || member === null) return [key, nested]
    return [
      key,
      Object.entries(member)
        .sort(([a], [b]) => Number(a) - Number(b))
        .map(([, item]) => item),
    ]
  })
  return Object.fromEntries(entries)
}

function xml(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (Array.isArray(value)) return value.map((item) => `<member>${xml(item)}</member>`).join('')
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'object') {
    return Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .map(([key, item]) => `<${key}>${xml(item)}</${key}>`)
      .join('')
  }
  return quote(String(value))
}

function quote(text: string): string {
  return text.replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`)
}
