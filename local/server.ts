import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Faults, Mishap } from './faults.ts'
import type { Iam } from './iam.ts'
import { type Answer, encoder, readBody } from './protocol.ts'
import type { Random } from './random.ts'
import { AwsError, type Call, type Route, type Service } from './service.ts'
import { scope, verify } from './signature.ts'

/** One finished request: what CloudTrail and the tests are told. `input` is as it came: CloudTrail picks from it. */
export interface Seen {
  readonly call: Call
  readonly status: number
  /** The exception's name when it failed. */
  readonly error?: string
  readonly message?: string
  /** ARN of what it was about, where there is one. */
  readonly resource?: string
  readonly input: Readonly<Record<string, unknown>>
}

export interface Server {
  readonly url: string
  route(prefix: string, route: Route): string
  close(): Promise<void>
}

/** How the endpoint finds what it needs. */
export interface Wiring {
  readonly services: ReadonlyMap<string, Service>
  readonly regions: readonly string[]
  readonly account: string
  readonly iam: Iam
  readonly faults: Faults
  readonly random: Random
  /** Carries a request out; records it. */
  readonly dispatch: (
    service: Service,
    call: Call,
    input: Readonly<Record<string, unknown>>,
  ) => Promise<Record<string, unknown>>
  /** Hears of requests refused before `dispatch`. */
  readonly note: (line: string) => void
}

/** Starts the HTTP endpoint on a loopback port of the system's choice (or `port`). */
export async function serve(wiring: Wiring, port = 0): Promise<Server> {
  const routes = new Map<string, Route>()
  const remembered = new Map<string, Answer>()
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => {
      wiring.note(`local: ${error instanceof Error ? error.stack : String(error)}`)
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  })
  server.keepAliveTimeout = 60_000
  server.requestTimeout = 0

  async function handle(request: IncomingMessage, response: ServerResponse) {
    const url = request.url ?? '/'
    const headers = flatten(request)
    const body = await readBody(request)
    for (const [prefix, route] of routes) {
      if (!url.startsWith(prefix)) continue
      const gone = new AbortController()
      response.once('close', () => gone.abort())
      const method = request.method ?? 'GET'
      const asked = { method, path: url.slice(prefix.length), headers, body, signal: gone.signal }
      const reply = await route(asked)
      response.writeHead(reply.status, reply.headers)
      response.end(reply.body)
      return
    }
    const requestId = wiring.random.uuid()
    const signed = scope(headers['authorization'])
    const protocol = encoder(headers, url)
    const refuse = (error: AwsError) =>
      send(response, protocol.failure(error, requestId), requestId)
    if (signed === undefined) {
      return refuse(
        new AwsError('MissingAuthenticationTokenException', 'Missing Authentication Token', 403),
      )
    }
    const { service: name, region } = signed
    const service = wiring.services.get(name)
    const decoded = protocol.request(request.method ?? 'POST', url, body)
    if (
      service === undefined ||
      decoded === undefined ||
      !Object.hasOwn(service.operations, decoded.operation)
    ) {
      wiring.note(
        `local: no operation ${name}:${decoded?.operation ?? `${request.method} ${url}`}; see local/README.md, LIMITATIONS`,
      )
      return refuse(protocol.unknown(decoded?.operation))
    }
    if (!wiring.regions.includes(region)) {
      return refuse(
        new AwsError(
          'UnrecognizedClientException',
          `The security token included in the request is invalid: region ${region} is not one of ${wiring.regions.join(', ')}`,
          400,
        ),
      )
    }
    const mishap = wiring.faults.strike(name, decoded.operation, region)
    if (mishap !== undefined && (await misbehave(mishap, request, response, refuse))) return
    const identity = wiring.iam.identify(signed.accessKeyId)
    const token = headers['x-amz-security-token'] ?? identity?.credentials.sessionToken
    if (identity === undefined || identity.credentials.sessionToken !== token) {
      return refuse(
        new AwsError(
          'UnrecognizedClientException',
          'The security token included in the request is invalid.',
          400,
        ),
      )
    }
    if (
      !verify(
        { method: request.method ?? 'POST', url, headers, body },
        signed,
        identity.credentials.secretAccessKey,
      )
    ) {
      return refuse(
        new AwsError(
          'InvalidSignatureException',
          'The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.',
          403,
        ),
      )
    }
    const { operation, input } = decoded
    const call: Call = {
      service: name,
      operation,
      region,
      account: wiring.account,
      caller: identity.caller,
      requestId,
    }
    const memory = `${region} ${name} ${operation} ${JSON.stringify(input)}`
    const answer = await wiring.dispatch(service, call, input).then(
      (output) => protocol.success(output, requestId, operation),
      (error: unknown) => protocol.failure(known(error), requestId),
    )
    const before = remembered.get(memory)
    if (READS.test(operation)) {
      remembered.delete(memory)
      remembered.set(memory, answer)
      const oldest = remembered.keys().next().value
      if (remembered.size > 2_000 && oldest !== undefined) remembered.delete(oldest)
    }
    if (mishap?.kind === 'lost') return void request.socket.destroy()
    send(response, mishap?.kind === 'stale' && before !== undefined ? before : answer, requestId)
  }

  function known(error: unknown): AwsError {
    if (error instanceof AwsError) return error
    wiring.note(`local: ${error instanceof Error ? error.stack : String(error)}`)
    return new AwsError(
      'InternalFailure',
      'The request processing has failed because of an unknown error.',
      500,
    )
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', resolve)
  })
  const url = `http://127.0.0.1:${portOf(server.address())}`
  return {
    url,
    route(prefix, route) {
      routes.set(prefix, route)
      return url + prefix
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const READS = /^(Describe|Get|List|BatchGet|Lookup)/

/** True when the request is dealt with. */
async function misbehave(
  mishap: Mishap,
  request: IncomingMessage,
  response: ServerResponse,
  refuse: (error: AwsError) => void,
): Promise<boolean> {
  switch (mishap.kind) {
    case 'latency':
      await new Promise<void>((resolve) => setTimeout(resolve, mishap.ms))
      return false
    case 'hang':
      return true
    case 'refuse':
      request.socket.destroy()
      return true
    case 'reset':
      response.writeHead(200, { 'content-length': 1_000 })
      response.flushHeaders()
      request.socket.resetAndDestroy()
      return true
    case 'error':
      refuse(
        new AwsError(
          mishap.code ?? 'InternalFailure',
          'The request processing has failed because of an unknown error.',
          mishap.status ?? 500,
        ),
      )
      return true
    case 'throttle':
      refuse(new AwsError('ThrottlingException', 'Rate exceeded', 400))
      return true
    default:
      return false
  }
}

function send(response: ServerResponse, answer: Answer, requestId: string) {
  response.writeHead(answer.status, {
    ...answer.headers,
    'x-amzn-requestid': requestId,
    'content-length': Buffer.byteLength(answer.body),
  })
  response.end(answer.body)
}

function flatten(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(',') : value
  }
  return headers
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new TypeError('not a TCP server')
  return address.port
}
