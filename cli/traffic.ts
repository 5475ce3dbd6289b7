import { Agent, request } from 'node:http'
import { connect, type TLSSocket } from 'node:tls'
import { plainSerial } from '../pki/version.ts'

/** An answer, or why there was none. */
export interface Heard {
  /** 0 when there was no answer. */
  readonly status: number
  readonly body: string
  readonly error?: string
}

const PATIENCE = 10_000 // milliseconds that one request may take

/** One GET; never throws. */
export function get(url: string, agent: Agent | false = false): Promise<Heard> {
  return new Promise((resolve) => {
    const fail = (error: Error) => resolve({ status: 0, body: '', error: error.message })
    const asked = request(url, { agent, timeout: PATIENCE }, (answer) => {
      let body = ''
      answer.setEncoding('utf8')
      answer.on('data', (part: string) => {
        body += part
      })
      answer.once('error', fail)
      answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body }))
    })
    asked.once('timeout', () => asked.destroy(new Error(`no answer within ${PATIENCE} ms`)))
    asked.once('error', fail)
    asked.end()
  })
}

/** Requests under way until told to stop. */
export interface Load {
  /** What failed so far: `[status, error]` texts, at most ten. */
  stop(): Promise<{
    readonly requests: number
    readonly failed: number
    readonly failures: readonly string[]
  }>
}

/** Asks all the while: on a kept connection and on a new one in turn, `gap` real milliseconds apart. */
export function load(url: string, gap = 20): Load {
  const kept = new Agent({ keepAlive: true, maxSockets: 4 })
  const pending = new Set<Promise<void>>()
  const failures: string[] = []
  let requests = 0
  let failed = 0
  const timer = setInterval(() => {
    const agent = requests % 2 === 0 ? kept : false
    requests++
    const one = get(url, agent).then(({ status, error }) => {
      pending.delete(one)
      if (status === 200) return
      failed++
      if (failures.length < 10) failures.push(error ?? `status ${status}`)
    })
    pending.add(one)
  }, gap)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      kept.destroy()
      return { requests, failed, failures }
    },
  }
}

/** Material of a TLS client; all PEM. */
export interface Identity {
  readonly cert?: string
  readonly key?: string
  readonly passphrase?: string
}

/**
 * Opens TLS to a server, sends a request and reads. With TLS 1.3 a refused client learns of it only when it reads.
 * @returns true when it got an answer
 */
export async function knock(host: string, port: number, identity: Identity): Promise<boolean> {
  const socket = connect({ host, port, rejectUnauthorized: false, ...identity })
  try {
    return await new Promise<boolean>((resolve) => {
      socket.setTimeout(PATIENCE, () => resolve(false))
      socket.once('secureConnect', () =>
        socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n'),
      )
      socket.once('data', (data: Buffer) =>
        resolve(data.toString('latin1').startsWith('HTTP/1.1 200')),
      )
      socket.once('error', () => resolve(false))
      socket.once('close', () => resolve(false))
    })
  } finally {
    socket.destroy()
  }
}

/** Serial of the leaf that a server shows to a new connection: lower-case hex. */
export async function servedSerial(host: string, port: number): Promise<string> {
  const socket: TLSSocket = connect({ host, port, rejectUnauthorized: false })
  try {
    return await new Promise<string>((resolve, reject) => {
      socket.setTimeout(PATIENCE, () =>
        reject(new Error(`${host}:${port} showed no certificate within ${PATIENCE} ms`)),
      )
      socket.once('error', reject)
      socket.once('secureConnect', () =>
        resolve(plainSerial(socket.getPeerCertificate().serialNumber)),
      )
    })
  } finally {
    socket.on('error', () => undefined) // the server refuses us: we brought no certificate, and know enough
    socket.destroy()
  }
}
