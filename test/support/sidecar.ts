import { createPrivateKey, randomBytes } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Admin, admin } from '../../envoy/admin.ts'
import { places } from '../../envoy/folder.ts'
import { program } from '../../envoy/program.ts'
import { type Material, type Source, type Versions, versionsOf } from '../../envoy/source.ts'
import type { KeyAlgorithm } from '../../local/x509/algorithms.ts'
import { type Authority, authority, leaf } from '../../local/x509/x509.ts'
import { encodeBundle, facts } from '../../pki/bundle.ts'
import { Secret } from '../../pki/secret.ts'
import type { Fields } from '../../ports/log.ts'
import { envoyBinary } from './envoy.ts'

const DAY = 86_400_000

/** A root CA that is valid from yesterday for a year. */
export function root(name = 'Test Root'): Promise<Authority> {
  const now = Date.now()
  return authority({ name, notBefore: now - DAY, notAfter: now + 365 * DAY })
}

/** What differs from good material. */
export interface Wish {
  readonly names?: readonly string[]
  readonly purposes?: readonly ('serverAuth' | 'clientAuth')[]
  readonly passphrase?: string
  /** Default: what the parent's chain ends with. */
  readonly trust?: string
  readonly version?: string
  readonly notBefore?: number
  readonly notAfter?: number
  readonly algorithm?: KeyAlgorithm
  /** Revocation lists, PEM. */
  readonly crl?: string
  readonly trustVersion?: string
}

/** Material under a CA, good unless wished otherwise. */
export async function material(
  parent: Authority,
  wish: Wish = {},
): Promise<Material & { readonly plainKey: string }> {
  const now = Date.now()
  const made = await leaf({
    parent,
    names: wish.names ?? ['color.local'],
    ...(wish.purposes && { purposes: wish.purposes }),
    ...(wish.algorithm && { algorithm: wish.algorithm }),
    notBefore: wish.notBefore ?? now - 3_600_000,
    notAfter: wish.notAfter ?? now + 30 * DAY,
  })
  const passphrase = wish.passphrase ?? randomBytes(24).toString('base64url')
  const anchor = parent.chain.at(-1) ?? parent.certificate
  const version = wish.version ?? crypto.randomUUID()
  return {
    version,
    plainKey: made.privateKeyPem,
    bundle: {
      format: 1,
      certificate: made.certificate,
      chain: made.chain.slice(0, -1).join('\n'),
      anchors: anchor,
      privateKey: encrypted(made.privateKeyPem, passphrase),
      passphrase: Secret.from(passphrase),
      facts: facts('arn:aws:acm:us-east-1:111122223333:certificate/test', made.certificate),
    },
    passphrase: Secret.from(passphrase),
    trust: {
      version: wish.trustVersion ?? 'trust-1',
      anchors: wish.trust ?? anchor,
      ...(wish.crl !== undefined && { crl: wish.crl }),
    },
  }
}

/** The stored text of material whose passphrase is not sealed. */
export function textOf({ bundle, passphrase }: Pick<Material, 'bundle' | 'passphrase'>): string {
  return Buffer.from(encodeBundle({ ...bundle, passphrase }).reveal()).toString()
}

/** A PKCS#8 key as ACM exports it: PBES2 and AES-256-CBC. */
export function encrypted(privateKeyPem: string, passphrase: string): string {
  const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const
  return createPrivateKey(privateKeyPem).export(options).toString()
}

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new TypeError('no port')
  return address.port
}

/** One run of the program in this process, with a folder of its own; Envoy is a real child. */
export interface Sidecar {
  readonly dir: string
  readonly admin: Admin
  /** What was said on stderr so far. */
  readonly lines: readonly string[]
  /** One for each hand-over. */
  readonly records: readonly Fields[]
  /** What was told to ECS. */
  readonly proofs: readonly Versions[]
  /** Resolves with the exit status. */
  readonly ended: Promise<number>
  /** What was printed on stdout so far. */
  printed(): string
  signal(name: 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGUSR1'): void
  /** Resolves when Envoy is live. @throws Error when the program ended before. */
  live(): Promise<void>
  /** Everything that Envoy printed. */
  envoyLog(): Promise<string>
}

const folders: string[] = []
const running = new Set<Sidecar>()

/** Starts one command with CERTRELAY_* variables given without their prefix. */
export async function start(
  argv: readonly string[],
  variables: Readonly<Record<string, string | number>>,
  from: (() => Promise<Material>) | Source,
  dir?: string,
): Promise<Sidecar> {
  const folder = dir ?? (await mkdtemp(join(tmpdir(), 'certrelay-sidecar-')))
  folders.push(folder)
  const prefixed = Object.entries({
    SECRET: 'color',
    PEER_NAMES: 'gateway.local',
    ALLOW_DISK: 1,
    DIR: join(folder, 'relay'),
    ENVOY: envoyBinary(),
    DRAIN: 5,
    ...variables,
  }).map(([name, value]) => [`CERTRELAY_${name}`, String(value)])
  const environment = {
    PATH: process.env['PATH'],
    AWS_SECRET_ACCESS_KEY: 'CANARY-credential',
    ...Object.fromEntries(prefixed),
  }
  const log = join(folder, 'envoy.log')
  const stream = createWriteStream(log, { flags: 'a' })
  await once(stream, 'open')
  const signals = new EventEmitter()
  const lines: string[] = []
  const records: Fields[] = []
  const proofs: Versions[] = []
  let printed = ''
  const ended = program(argv, {
    environment: { ...environment, ECS_CONTAINER_METADATA_URI_V4: metadata(variables) },
    source: () => (typeof from === 'function' ? still(from) : from),
    fileSystem: () => Promise.resolve(0),
    signals,
    print: (text) => {
      printed += text
    },
    say: (line) => void lines.push(line),
    audit: (fields) => void records.push(fields),
    prove: async (versions) => void proofs.push(versions),
    stdio: ['ignore', stream, stream],
  })
  const socket = admin(places(join(folder, 'relay')).admin)
  const sidecar: Sidecar = {
    dir: join(folder, 'relay'),
    admin: socket,
    lines,
    records,
    proofs,
    ended,
    printed: () => printed,
    signal: (name) => void signals.emit(name),
    async live() {
      const gone = ended.then((status) => {
        throw new Error(`ended with ${status}: ${lines.join('\n')}`)
      })
      const answers = async () => {
        while ((await socket.state()) !== 'LIVE') await new Promise(setImmediate)
      }
      await Promise.race([answers(), gone])
    },
    envoyLog: () => readFile(log, 'utf8'),
  }
  running.add(sidecar)
  void ended.then(() => {
    running.delete(sidecar)
    stream.end()
  })
  return sidecar
}

/** A source whose current material can be changed; each fetch gives a passphrase of its own to wipe. */
export function supply(first: Material) {
  let now = first
  const copy = (secret: Secret) => Secret.of(Uint8Array.from(secret.reveal()))
  const source: Source = {
    look: async () => versionsOf(now),
    fetch: async () => ({
      ...now,
      passphrase: copy(now.passphrase),
      ...(now.second && {
        second: { ...now.second, passphrase: copy(now.second.passphrase) },
      }),
    }),
  }
  return {
    source,
    put(next: Material) {
      now = next
    },
  }
}

/** Waits for as long as a test may take. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(setImmediate)
}

/** A source that has nothing newer than what was fetched. */
function still(fetch: () => Promise<Material>): Source {
  let last: Versions | undefined
  return {
    async fetch() {
      const given = await fetch()
      last = versionsOf(given)
      return given
    },
    look: async () => last ?? versionsOf(await fetch()),
  }
}

function metadata({ METADATA }: Readonly<Record<string, string | number>>): string | undefined {
  return METADATA === undefined ? undefined : String(METADATA)
}

/** Ends what runs, at once, and removes the folders: for `afterEach`. */
export async function stopAll(): Promise<void> {
  for (const sidecar of running) {
    sidecar.signal('SIGTERM')
    sidecar.signal('SIGTERM')
    await sidecar.ended
  }
  // a look that was under way may still write
  const options = { recursive: true, force: true, maxRetries: 10 }
  for (const folder of folders.splice(0)) await rm(folder, options)
}

/** A server, and a client in front of it that answers on `url`. */
export async function pair(
  server: (() => Promise<Material>) | Source,
  client: (() => Promise<Material>) | Source,
  variables: {
    readonly server?: Readonly<Record<string, string | number>>
    readonly client?: Readonly<Record<string, string | number>>
  } = {},
): Promise<{ server: Sidecar; client: Sidecar; url: string }> {
  const [listen, plain] = [await freePort(), await freePort()]
  const one = await start(['run'], { LISTEN: listen, ...variables.server }, server)
  const other = await start(
    ['run'],
    {
      SECRET: 'gateway',
      ROLE: 'client',
      UPSTREAM: `127.0.0.1:${listen}`,
      PLAIN_LISTEN: plain,
      PEER_NAMES: 'color.local',
      ...variables.client,
    },
    client,
  )
  await Promise.all([one.live(), other.live()])
  return { server: one, client: other, url: `http://127.0.0.1:${plain}/` }
}
