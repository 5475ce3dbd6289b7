import type { IncomingMessage } from 'node:http'
import { storage } from './s3/protocol.ts'
import { AwsError } from './service.ts'
import { quote } from './wire.ts'

/** An answer on the wire. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer
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

/** Chooses by the request: awsJson has a target header, awsQuery a form, S3 a hash of its body, restJson1 none of them. */
export function encoder(headers: Readonly<Record<string, string>>, url: string): Protocol {
  const target = headers['x-amz-target']
  if (target !== undefined) {
    const type = headers['content-type'] ?? 'application/x-amz-json-1.1'
    return json(target, type, headers['x-amzn-query-mode'] === 'true')
  }
  if (headers['content-type']?.startsWith('application/x-www-form-urlencoded')) return query
  if (/^\/(2015-03-31|2021-10-31)\//.test(url)) return lambda(headers)
  return 'x-amz-content-sha256' in headers
    ? storage(headers)
    : json('', 'application/x-amz-json-1.1', false)
}

export function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.once('end', () => resolve(Buffer.concat(chunks)))
    request.once('error', reject)
  })
}

/** awsJson1_0 and awsJson1_1: https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html */
function json(target: string, contentType: string, compatible: boolean): Protocol {
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
      headers: {
        ...headers,
        'x-amzn-errortype': code,
        ...(compatible && queryError(code, status)),
      },
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
    status: DENIALS.includes(code) ? 403 : status,
    headers: { 'content-type': 'text/xml' },
    body: `<ErrorResponse><Error><Type>${status < 500 ? 'Sender' : 'Receiver'}</Type><Code>${quote(OLD_NAMES[code] ?? code)}</Code><Message>${quote(message)}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>`,
  }),
  unknown: (operation) =>
    new AwsError('InvalidAction', `Could not find operation ${operation ?? ''}`, 400),
}

/** 403 in the query and REST protocols, 400 in JSON. */
const DENIALS: readonly string[] = ['AccessDeniedException', 'UnrecognizedClientException']

/** Errors of the endpoint itself that query services name otherwise. */
const OLD_NAMES: Readonly<Record<string, string>> = {
  AccessDeniedException: 'AccessDenied',
  InvalidSignatureException: 'SignatureDoesNotMatch',
  MissingAuthenticationTokenException: 'MissingAuthenticationToken',
  ThrottlingException: 'Throttling',
  UnrecognizedClientException: 'InvalidClientTokenId',
  ValidationException: 'ValidationError',
}

/**
 * The code that the query protocol had for an error, for clients that grew up with it (SQS):
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html, "awsQueryCompatible".
 */
function queryError(code: string, status: number): Record<string, string> {
  const old = QUERY_CODES[code] ?? code
  return { 'x-amzn-query-error': `${old};${status < 500 ? 'Sender' : 'Receiver'}` }
}

/** `awsQueryError` in the model of SQS, where it differs from the exception's name. */
const QUERY_CODES: Readonly<Record<string, string>> = {
  QueueDoesNotExist: 'AWS.SimpleQueueService.NonExistentQueue',
  QueueNameExists: 'QueueAlreadyExists',
  BatchEntryIdsNotDistinct: 'AWS.SimpleQueueService.BatchEntryIdsNotDistinct',
  BatchRequestTooLong: 'AWS.SimpleQueueService.BatchRequestTooLong',
  EmptyBatchRequest: 'AWS.SimpleQueueService.EmptyBatchRequest',
  InvalidBatchEntryId: 'AWS.SimpleQueueService.InvalidBatchEntryId',
  TooManyEntriesInBatchRequest: 'AWS.SimpleQueueService.TooManyEntriesInBatchRequest',
  UnsupportedOperation: 'AWS.SimpleQueueService.UnsupportedOperation',
}

/** What is done with a function's URL, by method. */
const URL_OPERATIONS: Readonly<Record<string, string>> = {
  DELETE: 'DeleteFunctionUrlConfig',
  GET: 'GetFunctionUrlConfig',
  POST: 'CreateFunctionUrlConfig',
  PUT: 'UpdateFunctionUrlConfig',
}

function functionUrl(method: string, url: string, body: Buffer): Decoded | undefined {
  const match = /^\/2021-10-31\/functions\/([^/?]+)\/(urls?)\/?(?:\?(.*))?$/.exec(url)
  if (match === null) return undefined
  const [, name = '', path, query = ''] = match
  const many = path === 'urls' && method === 'GET' ? 'ListFunctionUrlConfigs' : undefined
  const operation = path === 'urls' ? many : URL_OPERATIONS[method]
  const members = object(body.length === 0 ? '{}' : body.toString('utf8'))
  if (operation === undefined || members === undefined) return undefined
  const parameters = Object.fromEntries(new URLSearchParams(query))
  return {
    operation,
    input: { ...members, ...parameters, FunctionName: decodeURIComponent(name) },
  }
}

/** restJson1 as far as Lambda is used over the wire: Invoke, GetFunction, ListFunctions, function URLs. */
function lambda(headers: Readonly<Record<string, string>>): Protocol {
  return {
    request(method, url, body) {
      const match = /^\/2015-03-31\/functions(?:\/([^/?]*)(\/invocations)?)?\/?(?:\?(.*))?$/.exec(
        url,
      )
      if (match === null) return functionUrl(method, url, body)
      const [, name = '', invocations, query = ''] = match
      const FunctionName = decodeURIComponent(name)
      const parameters = Object.fromEntries(new URLSearchParams(query))
      if (method === 'POST' && invocations !== undefined) {
        const InvocationType = headers['x-amz-invocation-type']
        const LogType = headers['x-amz-log-type']
        const Payload = body.toString('base64')
        const input = { ...parameters, FunctionName, InvocationType, LogType, Payload }
        return { operation: 'Invoke', input }
      }
      if (method !== 'GET' || invocations !== undefined) return undefined
      return name === ''
        ? { operation: 'ListFunctions', input: parameters }
        : { operation: 'GetFunction', input: { ...parameters, FunctionName } }
    },
    success: (output, _requestId, operation) =>
      operation === 'Invoke'
        ? invoked(output)
        : { status: 200, headers: JSON_TYPE, body: JSON.stringify(output) },
    failure: ({ code, message, status }) => ({
      status: DENIALS.includes(code) ? 403 : status,
      headers: { ...JSON_TYPE, 'x-amzn-errortype': code },
      body: JSON.stringify({ Type: status < 500 ? 'User' : 'Service', Message: message, message }),
    }),
    unknown: () => new AwsError('UnknownOperationException', '', 404),
  }
}

const JSON_TYPE = { 'content-type': 'application/json' }

function invoked(output: Readonly<Record<string, unknown>>): Answer {
  const { StatusCode = 200, FunctionError, LogResult, Payload = '', ExecutedVersion } = output
  return {
    status: Number(StatusCode),
    headers: {
      ...JSON_TYPE,
      ...(typeof ExecutedVersion === 'string' && { 'x-amz-executed-version': ExecutedVersion }),
      ...(typeof FunctionError === 'string' && { 'x-amz-function-error': FunctionError }),
      ...(typeof LogResult === 'string' && { 'x-amz-log-result': LogResult }),
    },
    body: Buffer.from(String(Payload), 'base64').toString('utf8'),
  }
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
