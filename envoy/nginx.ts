import { once } from 'node:events'
import { readFile, readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { plainSerial } from '../pki/version.ts'
import type { Admin } from './admin.ts'
import { absent, places, replace, shred, text } from './folder.ts'
import type { Handed } from './handover.ts'
import { current, settle, write } from './layout.ts'
import type { Material } from './source.ts'

/** An nginx on this host. */
export interface Server {
  /** Folder of the material (CERTRELAY_DIR). */
  readonly dir: string
  /** File with the process id of its master (`pid` in nginx.conf). */
  readonly pid: string
  /** Where it listens for mutual TLS. */
  readonly host: string
  readonly port: number
  /** Milliseconds that it gets to serve a new version (default 5,000). */
  readonly limit?: number
}

/** A reload takes 19 to 78 ms. Milliseconds. */
const LIMIT = 5_000
const STEP = 20
/** Old workers take connections from the same socket until they have heard: so many handshakes in a row must show the new one. */
const ROW = 8
const HANDSHAKE = 2_000

/**
 * What a server block includes. nginx knows no names of clients (it could only compare the whole subject): every certificate
 * under the anchors is let in, and `$ssl_client_s_dn` tells the application whose it is. Tickets are off, because a resumed
 * session would outlive its certificate.
 *
 * Source: https://nginx.org/en/docs/http/ngx_http_ssl_module.html
 */
export function nginxConf(dir: string, revoking: boolean): string {
  const at = (name: string) => join(places(dir).current, name)
  return `# written by certrelay-sidecar: include it in a server block that listens with ssl
ssl_certificate ${at('cert_chain.pem')};
ssl_certificate_key ${at('key.pem')};
ssl_password_file ${at('passphrase')};
ssl_client_certificate ${at('ca.pem')};
${revoking ? `ssl_crl ${at('crl.pem')};\n` : ''}ssl_verify_client on;
ssl_verify_depth 5;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_session_cache off;
ssl_session_tickets off;
`
}

/** Writes what nginx includes, for these trust anchors. */
export async function writeConf(dir: string, { trust }: Pick<Material, 'trust'>): Promise<void> {
  await replace(places(dir).nginx, nginxConf(dir, trust.crl !== undefined))
}

/**
 * Has nginx read what `current` points at (SIGHUP) and waits until it serves the certificate with this serial. With bad files
 * nginx goes on with what it has.
 *
 * @returns why it does not, `undefined` when it does
 */
export async function reload(server: Server, serial: string): Promise<string | undefined> {
  const { pid, limit = LIMIT } = server
  const master = Number((await readFile(pid, 'utf8')).trim())
  if (!Number.isInteger(master) || master < 1) return `${pid} holds no process id`
  process.kill(master, 'SIGHUP')
  const end = performance.now() + limit
  for (let row = 0; ; ) {
    const found = await served(server).catch(() => undefined)
    row = found === serial ? row + 1 : 0
    if (row === ROW) return undefined
    if (performance.now() >= end) {
      return found === undefined
        ? `nginx does not answer on port ${server.port}`
        : `nginx serves certificate ${found} after ${limit / 1000} s`
    }
    await sleep(STEP)
  }
}

/** Serial of the certificate that nginx shows. @throws Error when it does not answer */
export async function served({ host, port }: Pick<Server, 'host' | 'port'>): Promise<string> {
  // loaded when it is needed: beside Envoy it never is
  const { connect } = process.getBuiltinModule('node:tls')
  const socket = connect({ host, port, rejectUnauthorized: false })
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(HANDSHAKE) })
    return plainSerial(socket.getPeerCertificate().serialNumber)
  } finally {
    socket.on('error', () => {}) // it may still say that it wanted a certificate of ours
    socket.destroy()
  }
}

/**
 * Hands checked material to a running nginx: writes an immutable folder, points `current` at it and reloads. If nginx does
 * not serve it, `current` points back and nginx is reloaded again.
 */
export async function handOverTo(server: Server, material: Material): Promise<Handed> {
  const { dir } = server
  const laidOut = await current(dir)
  const written = await write(dir, material)
  const { meta } = written
  const { nginx, versions, current: link } = places(dir)
  const [former, back] = [await text(nginx), await absent(() => readlink(link))]
  await writeConf(dir, material)
  await settle(dir, written, [])
  const refused = await reload(server, meta.serial).catch(explain)
  if (refused === undefined || back === undefined) return refused ? { meta, refused } : { meta }
  if (former !== undefined) await replace(nginx, former)
  await settle(dir, { folder: join(versions, basename(back)), meta }, [])
  const again = laidOut && (await reload(server, laidOut.serial).catch(explain))
  await shred(written.folder)
  return { meta, refused: again === undefined ? refused : `${refused}; then: ${again}` }
}

/** Names the system's refusal only: a path, or a process. */
function explain(error: unknown): string {
  return error instanceof Error && 'code' in error ? `nginx: ${error.message}` : 'nginx: not found'
}

/** What watch and health ask of an Envoy, asked of nginx: it shows its certificate in a handshake and counts nothing. */
export function nginxAdmin(server: Server): Admin {
  const ask = () => served(server).catch(() => undefined)
  return {
    state: async () => ((await ask()) === undefined ? undefined : 'LIVE'),
    stats: async () => new Map(),
    async certificates() {
      const serial = await ask()
      const meta = await current(server.dir)
      if (serial === undefined) return []
      return [{ serial, expires: meta?.notAfter ?? '', anchors: meta?.anchors ?? [] }]
    },
    drain: async () => {},
    close: async () => {},
  }
}
