import './reflect.ts'
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import * as x509 from '@peculiar/x509'
import {
  algorithmOf,
  type KeyAlgorithm,
  makeKey,
  type SigningAlgorithm,
  signer,
  usual,
} from './algorithms.ts'

/** Everything that goes into one certificate. Times are epoch milliseconds, cut to whole seconds. */
export interface Order {
  readonly subject: x509.Name
  readonly issuer: x509.Name
  /** Of the subject: SPKI in DER. */
  readonly publicKey: Buffer
  readonly signingKey: KeyObject
  readonly signing: SigningAlgorithm
  /** Hex digits; by default 16 random bytes, as Private CA does. */
  readonly serial?: string
  readonly notBefore: number
  readonly notAfter: number
  readonly extensions: readonly x509.Extension[]
}

/** Signs a certificate (RFC 5280) and returns it as PEM. */
export async function certify(order: Order): Promise<string> {
  const { privateKey, parameters } = signer(order.signingKey, order.signing)
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: order.serial ?? newSerial(),
    subject: order.subject,
    issuer: order.issuer,
    notBefore: whole(order.notBefore),
    notAfter: whole(order.notAfter),
    publicKey: order.publicKey,
    signingKey: privateKey,
    signingAlgorithm: parameters,
    extensions: [...order.extensions],
  })
  return pem(certificate.rawData, 'CERTIFICATE')
}

/** Makes a certificate signing request (RFC 2986) and returns it as PEM. */
export async function request(options: {
  readonly subject: x509.Name
  readonly key: KeyObject
  readonly signing?: SigningAlgorithm
  readonly extensions?: readonly x509.Extension[]
}): Promise<string> {
  const { subject, key, extensions = [] } = options
  const signing = options.signing ?? usual(algorithmOf(key) ?? 'EC_prime256v1')
  const { privateKey, publicKey, parameters } = signer(key, signing)
  const made = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subject,
    keys: { privateKey, publicKey },
    signingAlgorithm: parameters,
    extensions: [...extensions],
  })
  return pem(made.rawData, 'CERTIFICATE REQUEST')
}

/** Subject alternative names out of plain text: URIs, IP addresses, mail addresses, the rest DNS names. */
export function alternatives(names: readonly string[], critical = false): x509.Extension {
  const json = names.map((value): x509.JsonGeneralName => {
    if (value.includes('://')) return { type: 'url', value }
    if (isIP(value) > 0) return { type: 'ip', value }
    return { type: value.includes('@') ? 'email' : 'dns', value }
  })
  return new x509.SubjectAlternativeNameExtension(json, critical)
}

/** RFC 5280 4.2.1.2, method 1: lower-case hex of the SHA-1 of the key's bits. */
export async function keyIdentifier(spki: Buffer): Promise<string> {
  return Buffer.from(await new x509.PublicKey(spki).getKeyIdentifier()).toString('hex')
}

/** A name with nothing but a common name, taken literally. */
export function commonName(text: string): x509.Name {
  return new x509.Name([{ '2.5.4.3': [{ utf8String: text }] }])
}

/** The public half as SPKI in DER. */
export function spki(key: KeyObject): Buffer {
  const half = key.type === 'private' ? createPublicKey(key) : key
  return half.export({ type: 'spki', format: 'der' })
}

/** Text of 64 characters a line between the labels, without a line feed at its end. */
export function pem(der: ArrayBuffer | Uint8Array, label: string): string {
  const bytes = der instanceof Uint8Array ? Buffer.from(der) : Buffer.from(der)
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`].join('\n')
}

/** Sixteen random bytes as hex, the first one not zero. */
export function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0] ?? 0) | 1
  return bytes.toString('hex')
}

function whole(milliseconds: number): Date {
  return new Date(Math.floor(milliseconds / 1000) * 1000)
}

/** A CA made without a server: real keys, real signatures. */
export interface Authority {
  readonly certificate: string
  readonly key: KeyObject
  /** Its own certificate first, then its parents' up to the root: what follows a leaf. */
  readonly chain: readonly string[]
}

/** Makes a CA under `parent`, or a root. `extensions` are added last, for material that is wrong on purpose. */
export async function authority(options: {
  readonly name: string
  readonly parent?: Authority
  readonly algorithm?: KeyAlgorithm
  readonly key?: KeyObject
  readonly notBefore: number
  readonly notAfter: number
  readonly pathLength?: number
  readonly extensions?: readonly x509.Extension[]
}): Promise<Authority> {
  const { name, parent, pathLength, notBefore, notAfter, extensions = [] } = options
  const key = options.key ?? (await makeKey(options.algorithm ?? 'EC_prime256v1'))
  const usages =
    x509.KeyUsageFlags.digitalSignature |
    x509.KeyUsageFlags.keyCertSign |
    x509.KeyUsageFlags.cRLSign
  const certificate = await under(parent, key, {
    subject: commonName(name),
    notBefore,
    notAfter,
    extensions: [
      new x509.BasicConstraintsExtension(true, pathLength, true),
      new x509.KeyUsagesExtension(usages, true),
      ...extensions,
    ],
  })
  return { certificate, key, chain: [certificate, ...(parent?.chain ?? [])] }
}

/** A leaf made without a server, with its key and the chain that follows it, root last. */
export interface Leaf {
  readonly certificate: string
  readonly chain: readonly string[]
  readonly key: KeyObject
  /** PKCS#8, not encrypted. */
  readonly privateKeyPem: string
}

/** Makes a leaf under `parent`; without one it signs itself. The subject is the first name, or `subject`. */
export async function leaf(options: {
  readonly parent?: Authority
  readonly names: readonly string[]
  readonly subject?: string
  readonly algorithm?: KeyAlgorithm
  readonly key?: KeyObject
  readonly notBefore: number
  readonly notAfter: number
  /** Default: both. */
  readonly purposes?: readonly ('serverAuth' | 'clientAuth')[]
  readonly serial?: string
  readonly extensions?: readonly x509.Extension[]
}): Promise<Leaf> {
  const { parent, names, purposes = ['serverAuth', 'clientAuth'], extensions = [] } = options
  const key = options.key ?? (await makeKey(options.algorithm ?? 'EC_prime256v1'))
  const usages = x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment
  const certificate = await under(parent, key, {
    subject: commonName(options.subject ?? names[0] ?? ''),
    notBefore: options.notBefore,
    notAfter: options.notAfter,
    ...(options.serial !== undefined && { serial: options.serial }),
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.KeyUsagesExtension(usages, true),
      new x509.ExtendedKeyUsageExtension(purposes.map((purpose) => PURPOSES[purpose])),
      ...(names.length > 0 ? [alternatives(names)] : []),
      ...extensions,
    ],
  })
  const privateKeyPem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { certificate, chain: parent?.chain ?? [], key, privateKeyPem }
}

/** RFC 5280 4.2.1.12. */
export const PURPOSES = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  emailProtection: '1.3.6.1.5.5.7.3.4',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  ocspSigning: '1.3.6.1.5.5.7.3.9',
} as const

async function under(
  parent: Authority | undefined,
  key: KeyObject,
  order: Pick<Order, 'subject' | 'notBefore' | 'notAfter' | 'serial' | 'extensions'>,
): Promise<string> {
  const signingKey = parent?.key ?? key
  const own = await keyIdentifier(spki(key))
  const identifiers = [
    new x509.SubjectKeyIdentifierExtension(own),
    ...(parent === undefined
      ? []
      : [new x509.AuthorityKeyIdentifierExtension(await keyIdentifier(spki(parent.key)))]),
  ]
  return certify({
    ...order,
    issuer: parent === undefined ? order.subject : subjectOf(parent.certificate),
    publicKey: spki(key),
    signingKey,
    signing: usual(algorithmOf(signingKey) ?? 'EC_prime256v1'),
    extensions: [...order.extensions, ...identifiers],
  })
}

/** The subject of a certificate, byte for byte. */
export function subjectOf(certificate: string): x509.Name {
  return new x509.X509Certificate(certificate).subjectName
}

/** A private key from PEM; the message of the failure tells nothing about the key. @throws TypeError */
export function readKey(text: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch {
    throw new TypeError('not a private key in PEM') // OpenSSL's reasons may describe the key
  }
}
