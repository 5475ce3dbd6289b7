import { createHmac, generateKeyPairSync } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { argv, exit, stdout } from 'node:process'
import { subjectOf, written } from '../authority/subject.ts'
import { requestBy } from '../pki/ask.ts'
import { pem } from '../pki/pem.ts'
import { quantile } from './figures.ts'

// The load client of bench/sign.ts, a process of its own: authsign requests over connections that stay open, each with a body of its
// own that was made before the clock started. It prints one JSON line.
// usage: load.ts PORT CONNECTIONS MILLISECONDS REQUESTS KEY

const [port = '', connections = '', milliseconds = '', requests = '', key = ''] = argv.slice(2)
/** Keys and CSRs: so many that remembering one of them helps nobody. */
const CSRS = 2_000
const all = bodies(Number(requests))
const took: number[] = []
let failures = 0
let next = 0
const sockets = await Promise.all(Array.from({ length: Number(connections) }, open))
const began = performance.now()
const until = began + Number(milliseconds)
await Promise.all(sockets.map(ask))
const seconds = (performance.now() - began) / 1_000
stdout.write(
  `${JSON.stringify({
    count: took.length,
    failures,
    perSecond: Math.round(took.length / seconds),
    p50: quantile(took, 0.5),
    p99: quantile(took, 0.99),
    exhausted: next >= all.length,
  })}\n`,
)
exit(0)

/** A CSR of a key of its own. */
function csr(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const subject = written(subjectOf([], { commonName: 'bench', names: [{ organization: 'acme' }] }))
  return pem('CERTIFICATE REQUEST', requestBy(privateKey, { subject }))
}

/** Whole HTTP requests. A host of its own makes each one different, and so its token. */
function bodies(count: number): readonly Buffer[] {
  const csrs = Array.from({ length: CSRS }, csr)
  const secret = Buffer.from(key, 'hex')
  const run = `${process.pid.toString(36)}-${Date.now().toString(36)}`
  return Array.from({ length: count }, (_, index) => {
    const hosts = [`h${index}-${run}.example.com`]
    const request = JSON.stringify({
      hosts,
      certificate_request: csrs[index % CSRS],
      profile: 'client',
      label: 'primary',
    })
    const token = createHmac('sha256', secret).update(request).digest('base64')
    const body = JSON.stringify({ token, request: Buffer.from(request).toString('base64') })
    return Buffer.from(
      `POST /api/v1/cfssl/authsign HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    )
  })
}

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true })
    socket.once('connect', () => resolve(socket))
    socket.once('error', reject)
  })
}

/** One request after the other until the time is over. */
function ask(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = 0
    let answer = ''
    const send = () => {
      const body = all[next++]
      if (body === undefined || performance.now() >= until) {
        socket.destroy()
        return resolve()
      }
      answer = ''
      sent = performance.now()
      socket.write(body)
    }
    socket.on('data', (part: Buffer) => {
      answer += part.toString('latin1')
      if (!whole(answer)) return
      took.push(performance.now() - sent)
      if (!answer.startsWith('HTTP/1.1 200')) failures++
      send()
    })
    socket.once('error', reject)
    send()
  })
}

/** Whether the body is all there: its length is told, or it ends with the empty chunk. */
function whole(answer: string): boolean {
  const head = answer.indexOf('\r\n\r\n')
  if (head < 0) return false
  const [, length] = /content-length: (\d+)/i.exec(answer.slice(0, head)) ?? []
  return length === undefined
    ? answer.endsWith('0\r\n\r\n')
    : answer.length >= head + 4 + Number(length)
}
