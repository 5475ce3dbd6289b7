import { isIP } from 'node:net'
import { isAbsolute } from 'node:path'
import { RelayError } from '../pki/error.ts'
import { keyRegion } from '../pki/sealed.ts'
import type { Endpoint, PeerName } from './bootstrap.ts'

/** What the environment says, parsed once. Nothing in it is secret. */
export interface Settings {
  /** ARN or name of the secret that holds the certificate. */
  readonly secret: string
  /** ARN or name of the secret that holds the peers' anchors; absent: the certificate's own anchors. */
  readonly trust: string | undefined
  readonly role: 'server' | 'client' | 'both'
  readonly listen: number
  readonly plainListen: number
  readonly upstream: Endpoint | undefined
  /** Empty: any name under the anchors. */
  readonly peers: readonly PeerName[]
  readonly app: Endpoint | undefined
  /** Absolute path. */
  readonly dir: string
  readonly org: string | undefined
  /** ARNs of KMS keys, one per region. */
  readonly keys: readonly string[]
  /** Milliseconds from start until material must be there. */
  readonly deadline: number
  /** Milliseconds that requests under way get after SIGTERM. */
  readonly drain: number
  readonly envoy: string
  readonly disk: boolean
}

type Environment = Readonly<Record<string, string | undefined>>

const NAME = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*$/
const SECRET = /^(arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:)?[A-Za-z0-9/_+=.@-]{1,519}$/
const SPIFFE = /^spiffe:\/\/[a-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/
/** `sun_path` of unix(7) holds 108 bytes with the final NUL; `/admin.sock` takes 11. */
const LONGEST = 96

/**
 * Parses `CERTRELAY_*`. An empty variable counts as absent.
 *
 * @throws RelayError CONFIG_INVALID naming every bad variable and no value.
 */
export function settings(environment: Environment): Settings {
  const bad: string[] = []
  const get = (name: string) => environment[`CERTRELAY_${name}`] || undefined
  const refuse = (name: string, want: string) => {
    bad.push(`CERTRELAY_${name} (${want})`)
    return undefined
  }
  const optional = <T>(name: string, parse: (text: string) => T | undefined, want: string) => {
    const text = get(name)
    return text === undefined ? undefined : (parse(text) ?? refuse(name, want))
  }
  const number = (name: string, fallback: number, most: number) =>
    optional(name, (text) => whole(text, most), `a number from 1 to ${most}`) ?? fallback

  const role = optional('ROLE', parseRole, 'server, client or both') ?? 'server'
  const upstream = optional('UPSTREAM', endpoint, 'host:port')
  const listen = number('LISTEN', 8443, 65_535)
  const plainListen = number('PLAIN_LISTEN', 8080, 65_535)
  const peers = optional('PEER_NAMES', peerNames, PEERS)
  const secret = optional('SECRET', secretName, 'ARN or name of a secret')

  if (get('SECRET') === undefined) refuse('SECRET', 'ARN or name of a secret')
  if (role !== 'server' && get('UPSTREAM') === undefined) refuse('UPSTREAM', 'host:port')
  if (role !== 'client' && get('PEER_NAMES') === undefined) refuse('PEER_NAMES', PEERS)
  if (role === 'client' && peers === undefined && upstream && isIP(upstream.host) !== 0) {
    refuse('PEER_NAMES', `${PEERS}, as CERTRELAY_UPSTREAM has no name`)
  }
  if (role === 'both' && listen === plainListen) {
    refuse('PLAIN_LISTEN', 'another port than CERTRELAY_LISTEN')
  }
  const parsed = {
    secret: secret ?? '',
    trust: optional('TRUST', secretName, 'ARN or name of a secret'),
    role,
    listen,
    plainListen,
    upstream,
    peers: peers ?? (upstream ? [{ type: 'DNS' as const, name: upstream.host }] : []),
    app: optional('APP', endpoint, 'host:port'),
    dir: optional('DIR', folder, `absolute path of ${LONGEST} bytes at most`) ?? '/run/certrelay',
    org: get('ORG'),
    keys: optional('KEYS', keys, 'ARNs of KMS keys') ?? [],
    deadline: number('DEADLINE', 30, 3600) * 1000,
    drain: number('DRAIN', 20, 3600) * 1000,
    envoy: get('ENVOY') ?? 'envoy',
    disk: optional('ALLOW_DISK', yes, '1 or 0') ?? false,
  }
  if (parsed.keys.length > 0 && parsed.org === undefined) {
    refuse('ORG', 'the organization that CERTRELAY_KEYS seal for')
  }
  if (bad.length > 0) throw new RelayError('CONFIG_INVALID', `set ${bad.join(', ')}`)
  return Object.freeze(parsed)
}

const PEERS = 'DNS names or spiffe:// URIs, or * for any name under the anchors'

function parseRole(text: string): Settings['role'] | undefined {
  return text === 'server' || text === 'client' || text === 'both' ? text : undefined
}

function secretName(text: string): string | undefined {
  return SECRET.test(text) ? text : undefined
}

function whole(text: string, most: number): number | undefined {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : 0
  return value >= 1 && value <= most ? value : undefined
}

function endpoint(text: string): Endpoint | undefined {
  const [, bracketed, plain, digits = ''] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(text) ?? []
  const port = whole(digits, 65_535)
  const host = bracketed ?? plain
  if (port === undefined || host === undefined) return undefined
  const good = bracketed ? isIP(host) === 6 : isIP(host) === 4 || NAME.test(host)
  return good ? { host, port } : undefined
}

function peerNames(text: string): PeerName[] | undefined {
  const names = text.split(/\s+/).filter(Boolean)
  if (names.length === 1 && names[0] === '*') return []
  const parsed = names.map((name): PeerName | undefined => {
    if (name.startsWith('spiffe:')) return SPIFFE.test(name) ? { type: 'URI', name } : undefined
    return NAME.test(name) ? { type: 'DNS', name } : undefined
  })
  const good = parsed.filter((name) => name !== undefined)
  return names.length > 0 && good.length === names.length ? good : undefined
}

function keys(text: string): string[] | undefined {
  const arns = text.split(/\s+/).filter(Boolean)
  try {
    for (const arn of arns) keyRegion(arn)
  } catch (error) {
    if (error instanceof RelayError) return undefined
    throw error
  }
  return arns
}

function folder(text: string): string | undefined {
  const good = isAbsolute(text) && Buffer.byteLength(text) <= LONGEST && !text.includes('\0')
  return good ? text.replace(/(?<=.)\/+$/, '') : undefined
}

function yes(text: string): boolean | undefined {
  if (text === '1' || text === 'true') return true
  return text === '0' || text === 'false' ? false : undefined
}
