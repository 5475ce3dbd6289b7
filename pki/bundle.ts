import { X509Certificate } from 'node:crypto'
import { RelayError } from './error.ts'
import { isRecord, parsedObject } from './json.ts'
import { pemBlocks } from './pem.ts'
import { parseSealed, type Sealed } from './sealed.ts'
import { Secret } from './secret.ts'
import { plainSerial } from './version.ts'
import { isWalkthrough, readWalkthrough, WALKTHROUGH, writeWalkthrough } from './walkthrough.ts'

/** Facts about the leaf that a reader wants without parsing it. Public material only. */
export interface Facts {
  /** ARN of the ACM certificate (or of the authority that issued it). */
  readonly source: string
  /** Lower-case hex without separators. */
  readonly serial: string
  /** ISO 8601, UTC. */
  readonly notBefore: string
  /** ISO 8601, UTC. */
  readonly notAfter: string
  /** SHA-256 of the DER, lower-case hex without separators. */
  readonly fingerprint256: string
  /** `RSA_2048`, `EC_prime256v1` … as ACM names it. */
  readonly keyAlgorithm: string
  /** Subject alternative names, `DNS:…`, `URI:…`. */
  readonly names: readonly string[]
}

/** The content of one secret version, format 1 (docs/bundle.md). */
export interface Bundle {
  readonly format: 1
  /** Leaf, PEM. */
  readonly certificate: string
  /** Intermediates below the root, leaf's issuer first, PEM; may be empty. */
  readonly chain: string
  /** Configured roots of this certificate's own hierarchy, PEM. */
  readonly anchors: string
  /** Encrypted PKCS#8 as the authority exported it, PEM. */
  readonly privateKey: string
  /** Present when no KMS keys are configured: then who reads the secret can open the key. */
  readonly passphrase?: Secret
  /** Present when KMS keys are configured. */
  readonly sealedPassphrase?: Sealed
  readonly facts: Facts
}

/** The content of a trust-bundle secret: what peers trust, and nothing private. */
export interface Trust {
  readonly format: 1
  /** Roots, PEM, concatenated. */
  readonly anchors: string
  /** Revocation lists, PEM, concatenated; absent: nobody is revoked. */
  readonly crl?: string
  /** CAs below the roots that issued one of the lists, PEM, concatenated. */
  readonly issuers?: string
}

/** The facts of a PEM leaf. @throws RelayError BUNDLE_INVALID when it is not one certificate. */
export function facts(source: string, certificate: string): Facts {
  return { source, ...(READ.get(certificate) ?? kept(certificate)) }
}

/** A look reads the same few leaves again and again. */
const READ = new Map<string, Omit<Facts, 'source'>>()
const MANY = 64

function kept(certificate: string): Omit<Facts, 'source'> {
  const made = readFacts(certificate)
  if (READ.size >= MANY) READ.clear()
  READ.set(certificate, made)
  return made
}

function readFacts(certificate: string): Omit<Facts, 'source'> {
  const leaf = only(certificate, 'certificate')
  return {
    serial: plainSerial(leaf.serialNumber),
    notBefore: leaf.validFromDate.toISOString(),
    notAfter: leaf.validToDate.toISOString(),
    fingerprint256: leaf.fingerprint256.replaceAll(':', '').toLowerCase(),
    keyAlgorithm: keyAlgorithm(leaf),
    names: (leaf.subjectAltName ?? '').split(', ').filter(Boolean),
  }
}

/** ACM's name of the key's algorithm; `unknown` when ACM has none. */
export function keyAlgorithm(certificate: X509Certificate): string {
  const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey
  if (asymmetricKeyType === 'rsa') return `RSA_${asymmetricKeyDetails?.modulusLength}`
  return asymmetricKeyType === 'ec' ? `EC_${asymmetricKeyDetails?.namedCurve}` : 'unknown'
}

/** Certificates of a PEM text, in order. @throws RelayError BUNDLE_INVALID naming `what`. */
export function certificates(text: string, what: string): X509Certificate[] {
  const blocks = pemBlocks(text)
  if (blocks === undefined || blocks.some(({ label }) => label !== 'CERTIFICATE')) {
    throw new RelayError('BUNDLE_INVALID', `${what} is not a list of PEM certificates`)
  }
  return blocks.map(({ der }) => parse(der, what))
}

/**
 * Reads format 1, strictly, and the four fields of AWS's walkthrough (pki/walkthrough.ts).
 *
 * @throws RelayError BUNDLE_INVALID naming the member, never its value.
 */
export function parseBundle(text: string): Bundle {
  const raw = members(text, 'bundle')
  if (isWalkthrough(raw)) return fromWalkthrough(raw)
  const { format, passphrase, sealedPassphrase } = raw
  if (format !== 1) throw invalid('bundle', 'format is not 1: a newer certrelay wrote it')
  const unknown = Object.keys(raw).find((name) => !MEMBERS.has(name))
  if (unknown !== undefined) throw invalid('bundle', 'it has a member that format 1 does not know')
  if ((passphrase === undefined) === (sealedPassphrase === undefined)) {
    throw invalid('bundle', 'it needs exactly one of passphrase and sealedPassphrase')
  }
  const bundle = {
    format: 1 as const,
    certificate: string(raw, 'certificate'),
    chain: string(raw, 'chain'),
    anchors: string(raw, 'anchors'),
    privateKey: string(raw, 'privateKey'),
    facts: parseFacts(raw['facts']),
  }
  if (sealedPassphrase !== undefined)
    return { ...bundle, sealedPassphrase: parseSealed(sealedPassphrase) }
  return { ...bundle, passphrase: Secret.from(string(raw, 'passphrase')) }
}

/** Reads format 1 from a stored value. @throws RelayError BUNDLE_INVALID */
export function openBundle(content: Secret): Bundle {
  return parseBundle(Buffer.from(content.reveal()).toString('utf8'))
}

/** The text of a secret version, as one `Secret`: it may hold the passphrase. */
export function encodeBundle(bundle: Bundle): Secret {
  const { passphrase, ...rest } = bundle
  if (passphrase === undefined) return Secret.from(JSON.stringify(rest))
  return Secret.from(
    JSON.stringify({ ...rest, passphrase: Buffer.from(passphrase.reveal()).toString('utf8') }),
  )
}

/** The text of a secret version in the layout of AWS's walkthrough. @throws TypeError when the passphrase is sealed. */
export function encodeWalkthrough(bundle: Bundle): Secret {
  const { certificate, privateKey, passphrase } = bundle
  if (passphrase === undefined) throw new TypeError('a walkthrough has no place for a seal')
  const above = certificates(`${bundle.chain}\n${bundle.anchors}`, 'chain')
  const chain = above.map(String).join('')
  return writeWalkthrough({ certificate, chain, privateKey, passphrase })
}

/** The text of a trust bundle. */
export function encodeTrust(trust: Trust): string {
  return JSON.stringify(trust)
}

/** Reads a trust bundle. @throws RelayError BUNDLE_INVALID. */
export function parseTrust(text: string): Trust {
  const raw = members(text, 'trust bundle')
  if (raw['format'] !== 1) throw invalid('trust bundle', 'format is not 1')
  const anchors = string(raw, 'anchors', 'trust bundle')
  if (certificates(anchors, 'anchors').length === 0)
    throw invalid('trust bundle', 'it has no anchors')
  if (raw['crl'] === undefined) return { format: 1, anchors }
  const crl = string(raw, 'crl', 'trust bundle')
  const lists = pemBlocks(crl) ?? []
  if (lists.length === 0 || lists.some(({ label }) => label !== 'X509 CRL'))
    throw invalid('trust bundle', 'crl is not a list of PEM revocation lists')
  if (raw['issuers'] === undefined) return { format: 1, anchors, crl }
  const issuers = string(raw, 'issuers', 'trust bundle')
  certificates(issuers, 'issuers')
  return { format: 1, anchors, crl, issuers }
}

/** Reads a trust bundle from a stored value. @throws RelayError BUNDLE_INVALID */
export function openTrust(content: Secret): Trust {
  return parseTrust(Buffer.from(content.reveal()).toString('utf8'))
}

const MEMBERS = new Set([
  'format',
  'certificate',
  'chain',
  'anchors',
  'privateKey',
  'passphrase',
  'sealedPassphrase',
  'facts',
])

function parseFacts(value: unknown): Facts {
  if (!isRecord(value)) throw invalid('bundle', 'facts is missing')
  const names = value['names']
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) {
    throw invalid('bundle', 'facts.names is not a list of names')
  }
  return {
    source: string(value, 'source'),
    serial: string(value, 'serial'),
    notBefore: string(value, 'notBefore'),
    notAfter: string(value, 'notAfter'),
    fingerprint256: string(value, 'fingerprint256'),
    keyAlgorithm: string(value, 'keyAlgorithm'),
    names,
  }
}

/** The source in the facts of a walkthrough: who wrote it does not say where it came from. */
export const WALKTHROUGH_SOURCE = 'walkthrough'

/** The chain of a walkthrough ends with its root, which certrelay keeps apart; without one its last CA is the anchor. */
function fromWalkthrough(raw: Readonly<Record<string, unknown>>): Bundle {
  const { certificate, chain, privateKey, passphrase } = readWalkthrough(raw)
  const above = certificates(chain, WALKTHROUGH.chain)
  const roots = above.filter((one) => one.subject === one.issuer)
  const anchors = roots.length > 0 ? roots : above.slice(-1)
  return {
    format: 1,
    certificate,
    chain: above
      .filter((one) => !roots.includes(one))
      .map(String)
      .join(''),
    anchors: anchors.map(String).join(''),
    privateKey,
    passphrase,
    facts: facts(WALKTHROUGH_SOURCE, certificate),
  }
}

function only(text: string, what: string): X509Certificate {
  const [leaf, ...more] = certificates(text, what)
  if (leaf === undefined || more.length > 0)
    throw invalid(what, 'it must be exactly one certificate')
  return leaf
}

function parse(der: Buffer, what: string): X509Certificate {
  try {
    return new X509Certificate(der)
  } catch (cause) {
    throw new RelayError('BUNDLE_INVALID', `${what} holds something that is not a certificate`, {
      cause,
    })
  }
}

function members(text: string, what: string): Record<string, unknown> {
  const found = parsedObject(text)
  if (found === undefined) throw invalid(what, 'it is not a JSON object')
  return found
}

function string(record: Readonly<Record<string, unknown>>, name: string, what = 'bundle'): string {
  const value = record[name]
  if (typeof value !== 'string') throw invalid(what, `${name} is missing`)
  return value
}

function invalid(what: string, why: string): RelayError {
  return new RelayError('BUNDLE_INVALID', `${what} cannot be read: ${why}`)
}
