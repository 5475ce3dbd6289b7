import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { readBody } from '../protocol.ts'

/** What a runtime asks for: the next invocation, or that an answer or an error is taken. */
export interface Rapid {
  /** Resolves when there is an invocation; `gone` is aborted when the runtime stops waiting. */
  next(gone: AbortSignal): Promise<Handed>
  /** An answer or, with `failed`, an error; false when no such invocation is running. */
  answer(requestId: string, body: string, failed: boolean): boolean
  initFailed(body: string): void
}

/** An invocation on the wire. */
export interface Handed {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Serves the Lambda Runtime API to one environment, on a port of its own: AWS's clients take nothing but `host:port`.
 * https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
 */
export async function serveRapid(rapid: Rapid): Promise<{ address: string; close(): void }> {
  const server = createServer((request, response) => {
    handle(rapid, request, response).catch(() => response.destroy()) // the runtime went away
  })
  server.requestTimeout = 0
  server.keepAliveTimeout = 0
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const place = server.address()
  if (place === null || typeof place === 'string') throw new TypeError('not a TCP server')
  return {
    address: `127.0.0.1:${place.port}`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

const PATH = /^\/2018-06-01\/runtime\/(?:(init)|invocation\/([^/]+))\/(next|response|error)$/

async function handle(rapid: Rapid, request: IncomingMessage, response: ServerResponse) {
  if (request.url === '/2018-06-01/runtime/invocation/next' && request.method === 'GET') {
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    const { headers, body } = await rapid.next(gone.signal)
    response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(body)
    return
  }
  const [, init, id = '', kind] = PATH.exec(request.url ?? '') ?? []
  const body = (await readBody(request)).toString('utf8')
  if (init !== undefined && kind === 'error') rapid.initFailed(body)
  const taken =
    init === undefined
      ? rapid.answer(decodeURIComponent(id), body, kind === 'error')
      : kind === 'error'
  response.writeHead(taken ? 202 : 400, { 'content-type': 'application/json' })
  response.end(JSON.stringify(taken ? { status: 'OK' } : { errorType: 'InvalidRequestID' }))
}
