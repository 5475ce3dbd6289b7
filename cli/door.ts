import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createSecure } from 'node:https'
import { TLSSocket } from 'node:tls'
import type { Request } from '../cfssl/desk.ts'
import { type Answer, failure } from '../cfssl/envelope.ts'
import { pattern } from '../cfssl/whitelist.ts'
import type { Settings, Tls } from './ordered.ts'

const HEADERS_TIME = 10_000
const REQUEST_TIME = 30_000
const KEEP_ALIVE = 65_000 // longer than load balancers keep theirs

/**
 * The HTTP(S) side of a server: reads whole requests, within limits, and writes answers.
 *
 * @param before is called before answers leave: what is on the record of them has to be written by then
 */
export function door(
  { limit, tls, compatible }: Pick<Settings, 'limit' | 'tls' | 'compatible'>,
  answer: (request: Request) => Promise<Answer>,
  before: () => void,
): Server {
  const admitted = admission(tls, compatible.includes('whitelist-anchors'))
  const listener: RequestListener = (message, response) => {
    const say = (one: Answer) =>
      leave(() => {
        if (!server.listening) response.shouldKeepAlive = false // it is stopping
        write(response, one)
      })
    if (!admitted(message)) say(INVALID_CN)
    else read(message, response, { limit, answer, say })
  }
  const server: Server =
    tls === undefined ? createServer(listener) : createSecure(secured(tls), listener)
  const leave = together(server, before)
  server.headersTimeout = HEADERS_TIME
  server.requestTimeout = REQUEST_TIME
  server.keepAliveTimeout = KEEP_ALIVE
  return server
}

/**
 * Lets the answers of one turn of the event loop leave together: the first one wakes a client, which on a busy machine takes the
 * processor, and its caches, from the requests that are still to be worked on. Who has the thread alone does not wait, and finds
 * it awake when it asks again at once.
 */
function together(server: Server, before: () => void): (leave: () => void) => void {
  const stay = awake()
  let connections = 0
  let waiting: (() => void)[] = []
  server.on('connection', (socket) => {
    connections++
    socket.once('close', () => connections--)
  })
  const all = () => {
    const ready = waiting
    waiting = []
    before()
    for (const leave of ready) leave()
  }
  return (leave) => {
    if (connections < 2) {
      before()
      leave()
      stay()
    } else if (waiting.push(leave) === 1) setImmediate(all)
  }
}

/** Milliseconds. */
const AWAKE = 0.2

/**
 * Keeps the event loop turning for a moment. A virtual machine whose processor falls asleep pays for it, and again for waking up with
 * cold caches: more than a client needs that signs one certificate after the other.
 */
function awake(): () => void {
  let until = 0
  let turns = false
  const turn = () => {
    turns = performance.now() < until
    if (turns) setImmediate(turn)
  }
  return () => {
    until = performance.now() + AWAKE
    if (!turns) turn()
  }
}

function secured({ certificate, key, least, clients }: Tls) {
  return {
    cert: readFileSync(certificate),
    key: readFileSync(key),
    minVersion: least,
    ...(clients !== undefined && {
      ca: readFileSync(clients),
      requestCert: true,
      rejectUnauthorized: true,
    }),
  }
}

/** As cfssl serve says it. */
const INVALID_CN: Answer = {
  status: 403,
  headers: { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' },
  body: 'Invalid CN\n',
}

/** Whether the client's certificate has a common name that the server takes: the whole of it, or as CFSSL a part. */
function admission(tls: Tls | undefined, loose: boolean): (message: IncomingMessage) => boolean {
  const wanted = tls?.pattern === undefined ? undefined : pattern(tls.pattern)
  if (wanted === undefined) return () => true
  return ({ socket }) => {
    const name = commonName(socket)
    return name !== undefined && (loose ? wanted.finds(name) : wanted.covers(name))
  }
}

function commonName(socket: IncomingMessage['socket']): string | undefined {
  if (!(socket instanceof TLSSocket)) return undefined
  const { subject } = socket.getPeerCertificate()
  const name: unknown = subject?.CN
  return typeof name === 'string' ? name : undefined
}

interface Way {
  readonly limit: number
  readonly answer: (request: Request) => Promise<Answer>
  readonly say: (answer: Answer) => void
}

function read(
  message: IncomingMessage,
  response: ServerResponse,
  { limit, answer, say }: Way,
): void {
  const parts: Buffer[] = []
  let size = 0
  let refused = false
  message.on('data', (part: Buffer) => {
    size += part.length
    if (size <= limit) parts.push(part)
    else if (!refused) {
      refused = true
      response.setHeader('connection', 'close')
      say(failure(413, 413, `a request has ${limit} octets at most`))
    }
  })
  message.once('end', () => {
    if (size > limit) return
    const [first = Buffer.of(), ...more] = parts
    const body = more.length === 0 ? first : Buffer.concat(parts)
    void answer(requestOf(message, body)).then(say, () => say(failure(500, 0, 'internal error')))
  })
}

const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/

function requestOf(message: IncomingMessage, body: Buffer): Request {
  const { method = '', url = '', headers, socket } = message
  const at = url.indexOf('?')
  const address = socket.remoteAddress ?? ''
  const request = randomUUID()
  const flat: Record<string, string | undefined> = {}
  for (const name in headers) {
    const value = headers[name]
    flat[name] = typeof value === 'string' ? value : value?.join(', ')
  }
  const name = commonName(socket)
  return {
    method,
    path: at < 0 ? url : url.slice(0, at),
    query: new URLSearchParams(at < 0 ? '' : url.slice(at + 1)),
    headers: flat,
    body,
    caller: {
      trace: traceOf(flat) ?? request,
      request,
      who: name === undefined ? address : `${name} at ${address}`,
      door: 'serve',
    },
    private: socket instanceof TLSSocket || LOOPBACK.test(address),
    address,
  }
}

const TRACE = /^[\w=;:.-]{1,200}$/

/** The front door's trace: AWS's own header, or W3C's. */
function traceOf(headers: Readonly<Record<string, string | undefined>>): string | undefined {
  const given = headers['x-amzn-trace-id'] ?? headers['traceparent']
  return given !== undefined && TRACE.test(given) ? given : undefined
}

function write(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) }).end(body)
}

/** Ends when nobody is served any more; whoever is not done after `grace` milliseconds is cut off. */
export function closing(server: Server, grace: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), grace)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}
