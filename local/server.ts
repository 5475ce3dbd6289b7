import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { admit, type Received, understand } from './admission.ts'
import type { Dispatch } from './dispatch.ts'
import type { Faults } from './faults.ts'
import type { Iam } from './iam.ts'
import { misbehave, throttled } from './mishap.ts'
import { type Answer, encoder, readBody } from './protocol.ts'
import type { Quotas } from './quotas.ts'
import type { Random } from './random.ts'
import { AwsError, type Call, type Route, type Service } from './service.ts'
import { scope } from './signature.ts'

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
  readonly quotas: Quotas
  /** Draws request ids. */
  readonly random: Random
  readonly dispatch: Dispatch
  /** Hears of requests refused before `dispatch`. */
  readonly note: (line: string) => void
}

/** Starts the HTTP endpoint on a loopback port of the system's choice (or `port`). */
export async function serve(wiring: Wiring, port = 0): Promise<Server> {
  const routes = new Map<string, Route>()
  const past = memory()
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
    const { method = 'POST', url = '/' } = request
    const received = { method, url, headers: flatten(request), body: await readBody(request) }
    for (const [prefix, route] of routes) {
      if (url.startsWith(prefix)) return serveRoute(route, prefix, received, response)
    }
    return answer(received, request, response)
  }

  async function answer(received: Received, request: IncomingMessage, response: ServerResponse) {
    const { headers, url } = received
    const requestId = wiring.random.uuid()
    const protocol = encoder(headers, url)
    const fail = (error: unknown) =>
      send(response, protocol.failure(known(error), requestId), requestId)
    try {
      const wish = understand(received, scope(headers['authorization']), protocol, wiring)
      const { operation, input, service } = wish
      const { region } = wish.scope
      const mishap = wiring.faults.strike(service.name, operation, region)
      if (
        mishap !== undefined &&
        (await misbehave(mishap, service.name, { request, response }, fail))
      )
        return
      const admitted = admit(received, wish, requestId, wiring)
      const call = mishap?.kind === 'stale' ? { ...admitted, stale: true } : admitted
      if (!wiring.quotas.take(service.name, operation, region)) return fail(throttled(service.name))
      const fresh = await wiring.dispatch(service, call, input).then(
        (output) => protocol.success(output, requestId, operation),
        (error: unknown) => protocol.failure(known(error), requestId),
      )
      const before = READS.test(operation) ? past.swap(call, received, fresh) : undefined
      if (mishap?.kind === 'lost') request.socket.destroy()
      else
        send(response, mishap?.kind === 'stale' && before !== undefined ? before : fresh, requestId)
    } catch (error) {
      fail(error)
    }
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

async function serveRoute(
  route: Route,
  prefix: string,
  received: Received,
  response: ServerResponse,
) {
  const { method, url, headers, body } = received
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const asked = { method, path: url.slice(prefix.length), headers, body, signal: gone.signal }
  const reply = await route(asked)
  response.writeHead(reply.status, reply.headers)
  response.end(reply.body)
}

const MOST_MEMORIES = 2_000

/** The last answer to each reading request, for stale reads. */
function memory() {
  const answers = new Map<string, Answer>()
  return {
    /** Remembers an answer; returns the one before it to the same request. */
    swap(call: Call, { url, body }: Received, answer: Answer): Answer | undefined {
      const key = `${call.region} ${call.service} ${call.operation} ${url} ${body.toString('latin1')}`
      const before = answers.get(key)
      answers.delete(key)
      answers.set(key, answer)
      const oldest = answers.keys().next().value
      if (answers.size > MOST_MEMORIES && oldest !== undefined) answers.delete(oldest)
      return before
    },
  }
}

const READS = /^(Describe|Get|List|BatchGet|Lookup)/

function send(response: ServerResponse, answer: Answer, requestId: string) {
  const length = Buffer.byteLength(answer.body)
  const own = { 'content-length': length, ...answer.headers, 'x-amzn-requestid': requestId }
  response.writeHead(answer.status, own)
  response.end(answer.body)
}

/** Headers: names in lower case; what came twice is joined, as a signature joins it. */
export function flatten({ rawHeaders }: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {}
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    const [before, value = ''] = [headers[name], rawHeaders[index + 1]]
    headers[name] = before === undefined ? value : `${before},${value}`
  }
  return headers
}

/** The port of a server that listens. */
export function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new TypeError('not a TCP server')
  return address.port
}
