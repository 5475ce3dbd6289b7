import { request } from 'node:http'
import { isRecord, listIn } from '../pki/json.ts'
import { plainSerial } from '../pki/version.ts'

/** What Envoy says of one certificate that it uses. */
export interface Loaded {
  /** Lower-case hex without leading zeros. */
  readonly serial: string
  readonly expires: string
  /** Serials of the anchors of its TLS context, written likewise, sorted. */
  readonly anchors: readonly string[]
}

/** Envoy's admin interface. */
export interface Admin {
  /** `LIVE`, `INITIALIZING` …; `undefined` when nobody answers. */
  state(): Promise<string | undefined>
  /** Counters and gauges whose name matches. */
  stats(filter: RegExp): Promise<ReadonlyMap<string, number>>
  /** Every leaf of every TLS context that is ready. */
  certificates(): Promise<readonly Loaded[]>
  /** Answers say `connection: close` or GOAWAY from now on; ports stay open for the drain time. */
  drain(): Promise<void>
  /** Closes the ports; connections that exist go on. */
  close(): Promise<void>
}

/** One request may take this long: Envoy answers from its main thread, in milliseconds. */
const PATIENCE = 2_000

/**
 * The admin interface behind a Unix socket.
 * Source: https://www.envoyproxy.io/docs/envoy/v1.40.0/operations/admin
 */
export function admin(socketPath: string): Admin {
  const ask = (method: 'GET' | 'POST', path: string) =>
    new Promise<{ status: number; body: string }>((resolve, reject) => {
      const signal = AbortSignal.timeout(PATIENCE)
      const asked = request({ socketPath, method, path, signal, agent: false }, (answer) => {
        const parts: Buffer[] = []
        answer.on('data', (part: Buffer) => parts.push(part))
        answer.on('error', reject)
        answer.on('end', () => {
          resolve({ status: answer.statusCode ?? 0, body: Buffer.concat(parts).toString('utf8') })
        })
      })
      asked.on('error', reject)
      asked.end()
    })
  return {
    async state() {
      try {
        return (await ask('GET', '/ready')).body.trim()
      } catch {
        return undefined // not there yet, or no more: both mean that it is not live
      }
    },
    async stats(filter) {
      const path = `/stats?format=json&filter=${encodeURIComponent(filter.source)}`
      const { body } = await ask('GET', path)
      const pairs = listIn(JSON.parse(body), 'stats').flatMap((entry): [string, number][] => {
        const { name, value } = isRecord(entry) ? entry : {}
        return typeof name === 'string' && typeof value === 'number' ? [[name, value]] : []
      })
      return new Map(pairs)
    },
    async certificates() {
      const { body } = await ask('GET', '/certs')
      return listIn(JSON.parse(body), 'certificates').flatMap((context) => {
        const roots = listIn(context, 'ca_cert').flatMap(serialOf)
        const anchors = [...new Set(roots)].sort()
        return listIn(context, 'cert_chain').flatMap((leaf): Loaded[] => {
          const { expiration_time: expires } = isRecord(leaf) ? leaf : {}
          const text = typeof expires === 'string' ? expires : ''
          return serialOf(leaf).map((serial) => ({ serial, expires: text, anchors }))
        })
      })
    },
    async drain() {
      await ask('POST', '/drain_listeners?graceful')
    },
    async close() {
      await ask('POST', '/drain_listeners')
    },
  }
}

function serialOf(certificate: unknown): string[] {
  const { serial_number: serial } = isRecord(certificate) ? certificate : {}
  return typeof serial === 'string' ? [plainSerial(serial)] : []
}
