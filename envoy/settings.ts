import { isIP } from 'node:net'
import { isAbsolute } from 'node:path'
import { RelayError } from '../pki/error.ts'
import { keyRegion } from '../pki/sealed.ts'
import type { Endpoint, PeerName } from './bootstrap.ts'
import {
  authorityName,
  certifiedNames,
  doors,
  duration,
  isPrivateCa,
  keyAlgorithm,
  type Order,
  profileName,
  sourceName,
} from './order.ts'

/** What the environment says, parsed once. Nothing in it is secret. */
export interface Settings {
  /** ARN or name of the secret that holds the certificate; with `own`, what certifies (`sourceName`). */
  readonly secret: string
  /** The key is made here, and certified by an authority; absent: both are in the secret. */
  readonly own: Order | undefined
  /** The same for a second certificate of the same listener, whose key is of another algorithm. */
  readonly second: string | undefined
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
  /** URL of the function that hands secrets over by IAM. */
  readonly handOver: string | undefined
  /** Milliseconds from start until material must be there. */
  readonly deadline: number
  /** Milliseconds that requests under way get after SIGTERM. */
  readonly drain: number
  /** Milliseconds between two looks for a newer version; 0: none, then only SIGHUP. */
  readonly poll: number
  /** Tells ECS what this task serves (docs/hot.md). */
  readonly hot: boolean
  /** Whom the material is for. */
  readonly target: 'envoy' | 'nginx'
  /** File with the process id of nginx. */
  readonly pid: string
  readonly envoy: string
  readonly disk: boolean
  /** Path of a bootstrap of the user's own that certrelay's goes into. */
  readonly bootstrap: string | undefined
  /** Listeners and clusters in it that get our TLS contexts, by name. */
  readonly listeners: readonly string[]
  readonly clusters: readonly string[]
  /** Seconds that a connection may last. */
  readonly lifetime: number
}

/** Each is a variable `CERTRELAY_…` and a flag. */
export const NAMES = [
  ...['SECRET', 'SECOND', 'TRUST', 'ROLE', 'LISTEN', 'PLAIN_LISTEN', 'UPSTREAM', 'PEER_NAMES'],
  ...[
    'APP',
    'DIR',
    'ALLOW_DISK',
    'ORG',
    'KEYS',
    'BOOTSTRAP_URL',
    'DEADLINE',
    'DRAIN',
    'POLL',
    'HOT',
  ],
  ...['AUTHORITY', 'AUTHORITY_URL', 'PROFILE', 'NAMES', 'KEY_ALGORITHM', 'VALIDITY'],
  ...['LIFETIME', 'BOOTSTRAP', 'LISTENERS', 'CLUSTERS', 'ENVOY', 'FOR', 'PID'],
]

type Environment = Readonly<Record<string, string | undefined>>

const NAME = /^(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*$/
const SECRET = /^(arn:[a-z-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:)?[A-Za-z0-9/_+=.@-]{1,519}$/
/** Instead of a secret: a file, or a variable that ECS has filled. */
const GIVEN = /^(file:\/[^\0]{1,4000}|env:[A-Za-z_][A-Za-z0-9_]{0,254})$/
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
  const number = (name: string, fallback: number, most: number, least = 1) =>
    optional(name, (text) => whole(text, most, least), `a number from ${least} to ${most}`) ??
    fallback

  const role = optional('ROLE', parseRole, 'server, client or both') ?? 'server'
  const upstream = optional('UPSTREAM', endpoint, 'host:port')
  const listen = number('LISTEN', 8443, 65_535)
  const plainListen = number('PLAIN_LISTEN', 8080, 65_535)
  const peers = optional('PEER_NAMES', peerNames, PEERS)
  const secret = optional('SECRET', secretName, PLACE)
  const own = get('AUTHORITY') === undefined ? undefined : ordered()

  if (own === undefined) {
    if (get('SECRET') === undefined) refuse('SECRET', `${PLACE}; or CERTRELAY_AUTHORITY`)
    for (const name of ['AUTHORITY_URL', 'PROFILE', 'NAMES', 'KEY_ALGORITHM', 'VALIDITY'])
      if (get(name) !== undefined) refuse(name, 'only with CERTRELAY_AUTHORITY')
  }
  if (role !== 'server' && get('UPSTREAM') === undefined && get('CLUSTERS') === undefined) {
    refuse('UPSTREAM', 'host:port')
  }
  if (role !== 'client' && get('PEER_NAMES') === undefined) refuse('PEER_NAMES', PEERS)
  if (role === 'client' && peers === undefined && upstream && isIP(upstream.host) !== 0) {
    refuse('PEER_NAMES', `${PEERS}, as CERTRELAY_UPSTREAM has no name`)
  }
  if (role === 'client' && get('PEER_NAMES') === undefined && get('UPSTREAM') === undefined) {
    refuse('PEER_NAMES', PEERS)
  }
  if (role === 'both' && listen === plainListen) {
    refuse('PLAIN_LISTEN', 'another port than CERTRELAY_LISTEN')
  }
  const parsed = {
    secret: own === undefined ? (secret ?? '') : sourceName(own),
    own,
    second: optional('SECOND', secretName, PLACE),
    trust: optional('TRUST', secretName, PLACE),
    role,
    listen,
    plainListen,
    upstream,
    peers: peers ?? (upstream ? [{ type: 'DNS' as const, name: upstream.host }] : []),
    app: optional('APP', endpoint, 'host:port'),
    dir: optional('DIR', folder, `absolute path of ${LONGEST} bytes at most`) ?? '/run/certrelay',
    org: get('ORG'),
    keys: optional('KEYS', keys, 'ARNs of KMS keys') ?? [],
    handOver: optional('BOOTSTRAP_URL', functionUrl, 'https URL of certrelay-bootstrap'),
    deadline: number('DEADLINE', 30, 3600) * 1000,
    drain: number('DRAIN', 20, 3600) * 1000,
    poll: number('POLL', 60, 86_400, 0) * 1000,
    hot: optional('HOT', yes, '1 or 0') ?? false,
    envoy: get('ENVOY') ?? 'envoy',
    target: optional('FOR', parseTarget, 'envoy or nginx') ?? 'envoy',
    pid: optional('PID', absolute, 'absolute path') ?? '/run/nginx.pid',
    disk: optional('ALLOW_DISK', yes, '1 or 0') ?? false,
    bootstrap: optional('BOOTSTRAP', absolute, 'absolute path'),
    listeners: optional('LISTENERS', list, 'names') ?? [],
    clusters: optional('CLUSTERS', list, 'names') ?? [],
    lifetime: number('LIFETIME', 3600, 604_800),
  }
  if (own !== undefined && parsed.poll === 0) refuse('POLL', 'more than 0, to renew')
  for (const name of ['LISTENERS', 'CLUSTERS']) {
    if (get(name) !== undefined && get('BOOTSTRAP') === undefined)
      refuse(name, 'only with CERTRELAY_BOOTSTRAP, where they are')
  }
  if (parsed.target === 'nginx') {
    if (role !== 'server') refuse('ROLE', 'server, for nginx')
    if (parsed.peers.length > 0) refuse('PEER_NAMES', '*: nginx compares no names')
    if (parsed.second !== undefined) refuse('SECOND', 'nothing, for nginx')
  }
  if (parsed.keys.length > 0 && parsed.org === undefined) {
    refuse('ORG', 'the organization that CERTRELAY_KEYS seal for')
  }
  if (bad.length > 0) throw new RelayError('CONFIG_INVALID', `set ${bad.join(', ')}`)
  return Object.freeze(parsed)

  /** An order with what could not be read left out: it is refused by name. */
  function ordered(): Order {
    const authority = optional('AUTHORITY', authorityName, 'a label, or the ARN of a private CA')
    const urls = optional('AUTHORITY_URL', doors, 'https URLs of certrelay-sign')
    const profile = optional('PROFILE', profileName, 'name of a profile or a template')
    const names = optional('NAMES', certifiedNames, 'DNS names, IP addresses and URIs')
    const validity = optional('VALIDITY', duration, 'like 30m, 24h or 7d; a year at most')
    const algorithm = optional('KEY_ALGORITHM', keyAlgorithm, 'P-256, P-384 or RSA-2048')
    const want = { names: names ?? [], keyAlgorithm: algorithm ?? 'EC_prime256v1' }
    for (const name of ['SECRET', 'SECOND'])
      if (get(name) !== undefined) refuse(name, 'not with CERTRELAY_AUTHORITY')
    if (isPrivateCa(authority ?? '')) {
      if (get('AUTHORITY_URL') !== undefined) refuse('AUTHORITY_URL', 'not with a private CA')
      if (get('NAMES') === undefined) refuse('NAMES', 'a private CA knows none of yours')
      const terms = { template: profile ?? 'EndEntityCertificate/V1', validity: validity ?? WEEK }
      return { ...want, office: { arn: authority ?? '', ...terms } }
    }
    if (get('AUTHORITY_URL') === undefined) refuse('AUTHORITY_URL', 'https URLs of certrelay-sign')
    if (get('VALIDITY') !== undefined) refuse('VALIDITY', 'the profile says it')
    return { ...want, office: { label: authority ?? '', doors: urls ?? [], profile } }
  }
}

/** As short-lived CAs give at most. Milliseconds. */
const WEEK = 604_800_000

const PLACE = 'ARN or name of a secret, file:/path or env:NAME'
const PEERS = 'DNS names or spiffe:// URIs, or * for any name under the anchors'

function parseRole(text: string): Settings['role'] | undefined {
  return text === 'server' || text === 'client' || text === 'both' ? text : undefined
}

function parseTarget(text: string): Settings['target'] | undefined {
  return text === 'envoy' || text === 'nginx' ? text : undefined
}

function secretName(text: string): string | undefined {
  return SECRET.test(text) || GIVEN.test(text) ? text : undefined
}

function whole(text: string, most: number, least = 1): number | undefined {
  const value = /^\d{1,7}$/.test(text) ? Number(text) : -1
  return value >= least && value <= most ? value : undefined
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
  const arns = text.split(/[\s,]+/).filter(Boolean)
  try {
    for (const arn of arns) keyRegion(arn)
  } catch (error) {
    if (error instanceof RelayError) return undefined
    throw error
  }
  return arns
}

/** Signed requests go over the machine's own network in the clear, over others never. */
function functionUrl(text: string): string | undefined {
  const good = /^(https:\/\/[a-z0-9.-]+|http:\/\/127\.0\.0\.1:\d+)\/?$/.test(text)
  return good && URL.canParse(text) ? text : undefined
}

function absolute(text: string): string | undefined {
  return isAbsolute(text) && !text.includes('\0') ? text : undefined
}

function list(text: string): string[] | undefined {
  const names = text.split(/\s+/).filter(Boolean)
  return names.length > 0 ? names : undefined
}

function folder(text: string): string | undefined {
  const good = isAbsolute(text) && Buffer.byteLength(text) <= LONGEST && !text.includes('\0')
  return good ? text.replace(/(?<=.)\/+$/, '') : undefined
}

function yes(text: string): boolean | undefined {
  if (text === '1' || text === 'true') return true
  return text === '0' || text === 'false' ? false : undefined
}
