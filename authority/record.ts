import { RelayError } from '../pki/error.ts'
import { isRecord, parsedObject } from '../pki/json.ts'
import { only, pemBlocks } from '../pki/pem.ts'
import { parseSealed, type Sealed } from '../pki/sealed.ts'
import { Secret } from '../pki/secret.ts'
import type { Signing } from '../ports/signer.ts'

/** Where the key of an authority is (docs/authority.md). */
export type Custody =
  /** In KMS, for ever: ARNs of a multi-Region key and its replicas, the nearest first. */
  | { readonly mode: 'kms'; readonly keys: readonly [string, ...string[]] }
  /** PKCS#8 (DER) sealed by KMS in each region under the label's context. */
  | { readonly mode: 'sealed'; readonly sealed: Sealed }
  /** In a file beside the record: for development. */
  | { readonly mode: 'plain'; readonly file: string }

export type Mode = Custody['mode']

/** All that is kept of one authority: the content of one version of its secret, format 1. */
export interface CaRecord {
  readonly label: string
  readonly org: string
  /** What it signs: X.509 certificates, or those of Nebula hosts. */
  readonly kind: 'x509' | 'nebula'
  readonly algorithm: Signing
  readonly custody: Custody
  /** PEM; empty while an outside root has not signed `request` yet. */
  readonly certificate: string
  /** PEM: from its issuer up, without the root; empty for a root. */
  readonly chain: string
  /** PEM: the roots that its peers trust; more than one while roots change. */
  readonly anchors: string
  /** PKCS#10 for an outside root, PEM; only while it waits for a certificate. */
  readonly request?: string
  /** A CFSSL configuration as it was given; absent: the standard profile of `found`. */
  readonly config?: unknown
  /** Who may have which names, for callers whom IAM knows (authority/entitle.ts), as it was given. */
  readonly names?: unknown
  /** Where its revocation list is published. */
  readonly crl?: { readonly url: string }
}

/** Labels are CFSSL's (multirootca): letters, digits and underscores, no hyphen. */
export const LABEL = /^\w{1,64}$/
/** Name of the secret that holds the record of a label. */
export const PREFIX = 'certrelay/authority/'
/** Its presence on a secret, with the label, makes it ours. */
export const TAG = 'certrelay:authority'
/** Lets `certrelay-authority` have a key of KMS sign, for the certificate of its own root: taken off once that is stored. */
export const FOUNDING = 'certrelay:founding'
/** Staging label of the version that holds one of several roots: `ROOT-` and its id. */
export const EDITION = 'ROOT-'

/** Secrets Manager: bytes of a value. */
const MOST = 65_536
const SIGNINGS = 'P-256 P-384 P-521 RSA-2048 RSA-3072 RSA-4096 Ed25519'.split(' ')
const MEMBERS = new Set(
  'format label org kind algorithm key certificate chain anchors request config names crl'.split(
    ' ',
  ),
)
const KEY = /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]{1,128}$/
const MOST_KEYS = 8

/** Reads format 1. @throws AUTHORITY_INVALID naming the member; never its value, which may be an authentication key */
export function parseRecord(content: Secret, label: string): CaRecord {
  const bytes = content.reveal()
  if (bytes.length > MOST) throw invalid(label, 'size')
  const given = parsedObject(Buffer.from(bytes).toString('utf8'))
  if (given === undefined) throw invalid(label, 'JSON')
  const stray = Object.keys(given).find((name) => !MEMBERS.has(name))
  if (stray !== undefined) throw invalid(label, `a member that is not known`)
  if (given['format'] !== 1) throw invalid(label, 'format')
  if (given['label'] !== label) throw invalid(label, 'label')
  const read = reader(given, label)
  const kind = given['kind'] === 'nebula' ? 'nebula' : 'x509'
  if (kind === 'x509' && given['kind'] !== 'x509') throw invalid(label, 'kind')
  const algorithm = SIGNINGS.find((one) => one === given['algorithm'])
  if (!isSigning(algorithm)) throw invalid(label, 'algorithm')
  const { config, names, crl } = given
  const record: CaRecord = {
    ...{ label, kind, algorithm },
    org: read.text('org'),
    custody: custody(given['key'], label),
    certificate: read.pem('certificate', kind, { most: 1 }),
    chain: read.pem('chain', kind, { most: 8 }),
    anchors: read.pem('anchors', kind, { most: 8 }),
    ...(given['request'] !== undefined && { request: read.text('request') }),
    ...(config !== undefined && { config }),
    ...(names !== undefined && { names }),
    ...(isRecord(crl) && typeof crl['url'] === 'string' && { crl: { url: crl['url'] } }),
  }
  if (record.certificate === '' && record.request === undefined) throw invalid(label, 'certificate')
  return record
}

/** Writes format 1; the same record gives the same bytes. @throws CONFIG_INVALID when it is too long for a secret */
export function renderRecord({ custody: { mode, ...key }, ...record }: CaRecord): Secret {
  const text = JSON.stringify({ format: 1, ...record, key: { mode, ...key } })
  if (Buffer.byteLength(text) <= MOST) return Secret.from(text)
  throw new RelayError(
    'CONFIG_INVALID',
    `the record of authority ${record.label} is larger than a secret can be (${MOST} bytes); shorten its configuration`,
  )
}

/** The certificate, DER. @throws CERTIFICATE_PENDING while an outside root has not signed it */
export function certificateOf(record: CaRecord): Uint8Array {
  const der = only(record.certificate)
  if (der !== undefined) return der
  throw pending(record)
}

/** An outside root has not signed it yet. */
export function pending({ label }: CaRecord): RelayError {
  return new RelayError(
    'CERTIFICATE_PENDING',
    `authority ${label} has no certificate yet: have its request signed (certrelay authority show ${label}), then certrelay authority import`,
  )
}

/** Certificates of a PEM text, DER. */
export function ders(pem: string): readonly Uint8Array[] {
  return (pemBlocks(pem) ?? []).map(({ der }) => der)
}

function reader(given: Readonly<Record<string, unknown>>, label: string) {
  const text = (name: string): string => {
    const value = given[name]
    if (typeof value === 'string') return value
    throw invalid(label, name)
  }
  return {
    text,
    pem(name: string, kind: CaRecord['kind'], { most }: { readonly most: number }): string {
      const value = text(name)
      const blocks = pemBlocks(value)
      const isFit = blocks?.every((one) => kind === 'nebula' || one.label === 'CERTIFICATE')
      if (blocks === undefined || !isFit || blocks.length > most) throw invalid(label, name)
      return value
    },
  }
}

function custody(value: unknown, label: string): Custody {
  if (!isRecord(value)) throw invalid(label, 'key')
  const { mode, keys, sealed, file } = value
  if (mode === 'sealed') return { mode, sealed: parseSealed(sealed) }
  if (mode === 'plain' && typeof file === 'string' && file !== '') return { mode, file }
  if (mode !== 'kms' || !Array.isArray(keys)) throw invalid(label, 'key')
  const arns = keys.filter((one): one is string => typeof one === 'string' && KEY.test(one))
  const [first, ...others] = arns
  if (first === undefined || arns.length !== keys.length || arns.length > MOST_KEYS)
    throw invalid(label, 'key')
  return { mode, keys: [first, ...others] }
}

function isSigning(value: string | undefined): value is Signing {
  return value !== undefined && SIGNINGS.includes(value)
}

function invalid(label: string, what: string): RelayError {
  return new RelayError(
    'AUTHORITY_INVALID',
    `the record of authority ${label} is not format 1 (${what}): it was damaged, or written by a newer certrelay`,
  )
}
