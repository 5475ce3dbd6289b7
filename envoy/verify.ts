import { type KeyObject, X509Certificate } from 'node:crypto'
import { type Bundle, certificates } from '../pki/bundle.ts'
import { check, type Finding, type Usage } from '../pki/check.ts'
import { type Code, RelayError } from '../pki/error.ts'
import { altName } from '../pki/san.ts'
import { unreadable } from './cipher.ts'
import { titled } from './order.ts'
import { lists } from './revocation.ts'
import type { Settings } from './settings.ts'
import type { Anchors, Identity, Material } from './source.ts'

/** What pki finds, and what only matters to Envoy. */
export type Fault =
  | Finding
  | {
      readonly code:
        | 'ALGORITHMS_SAME'
        | 'CRL_UNUSABLE'
        | 'KEY_UNSUPPORTED'
        | 'NAMES_MISSING'
        | 'PASSPHRASE_UNUSABLE'
        | 'PEERS_UNKNOWN'
      readonly certificate: string
      readonly rule: string
    }

const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1'])
const USAGES: Record<Settings['role'], readonly Usage[]> = {
  server: ['serverAuth'],
  client: ['clientAuth'],
  both: ['serverAuth', 'clientAuth'],
}

/**
 * Why Envoy must not get this material, at `now` (epoch ms); empty when it may. Envoy itself serves expired or
 * misused certificates without a word and resets every connection on a wrong key, so nothing else stands in the way.
 */
export function faults(
  { second, trust, ...first }: Material,
  role: Settings['role'],
  now: number,
): Fault[] {
  const found = identityFaults(first, role, now)
  // a listener's second certificate is never shown by a client
  const also = second === undefined ? [] : identityFaults(second, 'server', now)
  const named = also.map((one) => ({ ...one, certificate: `second ${one.certificate}` }))
  const both = [...found, ...named]
  if (both.some(({ code }) => code === 'PEM_INVALID')) return both
  return [
    ...both,
    ...(second === undefined ? [] : twinFaults(first.bundle, second.bundle)),
    ...peerFaults(trust.anchors, now),
    ...listFaults(trust, now),
  ]
}

function identityFaults(
  { bundle, passphrase, made }: Identity,
  role: Settings['role'],
  now: number,
): Fault[] {
  const { certificate, chain, privateKey, anchors } = bundle
  const usages = USAGES[role]
  const candidate = { certificate, chain, privateKey, passphrase, anchors, usages }
  const names = made?.names.map(altName) ?? []
  const found = check({ ...candidate, ...(names.length > 0 && { names }) }, now)
  if (found.some(({ code }) => code === 'PEM_INVALID')) return found
  return [...found, ...keyFaults(certificate, privateKey), ...passphraseFaults(passphrase.reveal())]
}

/** @throws RelayError BUNDLE_MISMATCH, CHAIN_BROKEN or BUNDLE_INVALID with every fault in one line. */
export function verify(
  material: Material,
  { role, secret }: Pick<Settings, 'role' | 'secret'>,
  now: number,
): void {
  const found = faults(material, role, now)
  if (found.length === 0) return
  const code =
    found.map((one) => CODES[one.code]).find((one) => one !== undefined) ?? 'BUNDLE_INVALID'
  const list = found.map((one) => `${one.code} ${one.certificate}: ${one.rule}`).join('; ')
  throw new RelayError(
    code,
    `${titled(secret)} version ${material.version} must not be served: ${list}`,
  )
}

const CODES: Partial<Record<Fault['code'], Code>> = {
  KEY_MISMATCH: 'BUNDLE_MISMATCH',
  CHAIN_BROKEN: 'CHAIN_BROKEN',
}

function keyFaults(certificate: string, privateKey: string): Fault[] {
  const found: Fault[] = []
  const why = unreadable(privateKey)
  if (why !== undefined) {
    found.push({ code: 'KEY_UNSUPPORTED', certificate: 'key', rule: `Envoy must open it: ${why}` })
  }
  const leaf = new X509Certificate(certificate)
  if (!knownKey(leaf)) {
    const rule = 'RSA of 2,048 bits or more, P-256, P-384, P-521 or Ed25519'
    found.push({ code: 'KEY_UNSUPPORTED', certificate: 'leaf', rule })
  }
  if (!leaf.subjectAltName) {
    const rule = 'peers match subject alternative names (RFC 9525 section 6.3)'
    found.push({ code: 'NAMES_MISSING', certificate: 'leaf', rule })
  }
  return found
}

function knownKey(leaf: X509Certificate): boolean {
  const { asymmetricKeyType, asymmetricKeyDetails } = publicKey(leaf) ?? {}
  if (asymmetricKeyType === 'rsa') return (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048
  if (asymmetricKeyType === 'ec') return CURVES.has(asymmetricKeyDetails?.namedCurve ?? '')
  return asymmetricKeyType === 'ed25519'
}

/** Envoy reads the password file as a C string. */
function passphraseFaults(bytes: Uint8Array): Fault[] {
  if (bytes.length > 0 && !bytes.includes(0)) return []
  return [{ code: 'PASSPHRASE_UNUSABLE', certificate: 'key', rule: 'not empty, no NUL byte' }]
}

/** OpenSSL throws on a key that it cannot read. */
function publicKey(leaf: X509Certificate): KeyObject | undefined {
  try {
    return leaf.publicKey
  } catch {
    return undefined // that it cannot be read is all there is to say
  }
}

/** Envoy takes one certificate for each kind of key, and chooses by what the client offers. */
function twinFaults(one: Bundle, other: Bundle): Fault[] {
  const kind = ({ certificate }: Bundle) =>
    publicKey(new X509Certificate(certificate))?.asymmetricKeyType
  if (kind(one) !== kind(other)) return []
  const rule = 'keys of two algorithms, one RSA and one ECDSA'
  return [{ code: 'ALGORITHMS_SAME', certificate: 'second leaf', rule }]
}

function listFaults(trust: Anchors, now: number): Fault[] {
  const rule = trust.crl === undefined ? undefined : lists(trust, now).rule
  return rule === undefined ? [] : [{ code: 'CRL_UNUSABLE', certificate: 'CRL', rule }]
}

function peerFaults(text: string, now: number): Fault[] {
  const alive = peers(text).some(
    ({ ca, validFromDate, validToDate }) =>
      ca && validFromDate.getTime() <= now && now <= validToDate.getTime(),
  )
  if (alive) return []
  const rule = 'at least one CA certificate that is valid now'
  return [{ code: 'PEERS_UNKNOWN', certificate: "peers' anchors", rule }]
}

function peers(text: string): X509Certificate[] {
  try {
    return certificates(text, 'anchors')
  } catch (error) {
    if (error instanceof RelayError) return []
    throw error
  }
}
