import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { encode, type Tree } from '../../pki/encode.ts'
import { pem } from '../../pki/pem.ts'

/** DER by hand, so that a certificate can be as right or as wrong as a case wants it. */
export const seq = (...parts: readonly Tree[]): Tree => ({ tag: 0x30, parts })
export const set = (...parts: readonly Tree[]): Tree => ({ tag: 0x31, parts })
export const at = (number: number, ...parts: readonly Tree[]): Tree => ({
  tag: 0xa0 | number,
  parts,
})
export const bytes = (tag: number, content: Uint8Array | string): Tree => ({
  tag,
  content: Buffer.from(content),
})
export const int = (value: number | Uint8Array): Tree =>
  bytes(2, typeof value === 'number' ? Uint8Array.of(value) : value)
export const bool = (value: boolean): Tree => bytes(1, Uint8Array.of(value ? 255 : 0))
export const bits = (value: Uint8Array, unused = 0): Tree =>
  bytes(3, Buffer.concat([Uint8Array.of(unused), value]))
export const oid = (text: string): Tree => {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  return bytes(6, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)))
}
function base128(value: number): number[] {
  const list = [value & 0x7f]
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128))
    list.unshift((left & 0x7f) | 0x80)
  return list
}
/** A name of one common name; none for ''. */
export const name = (common: string): Tree =>
  common === '' ? seq() : seq(set(seq(oid('2.5.4.3'), bytes(0x0c, common))))
/** UTCTime or GeneralizedTime as RFC 5280 wants it; epoch milliseconds. */
export const time = (at_: number): Tree => {
  const text = new Date(at_).toISOString().replace(/[-:T]|\.000/g, '')
  return Number(text.slice(0, 4)) < 2050 ? bytes(0x17, text.slice(2)) : bytes(0x18, text)
}
const extension = (id: string, critical: boolean, value: Tree): Tree =>
  seq(oid(id), ...(critical ? [bool(true)] : []), bytes(4, encode(value)))

export const dns = (value: string): Tree => bytes(0x82, value)
export const uri = (value: string): Tree => bytes(0x86, value)
export const email = (value: string): Tree => bytes(0x81, value)
export const ip = (...octets: readonly number[]): Tree => bytes(0x87, Uint8Array.from(octets))

/** Every extension that a case may set; what is left out is as a sound CA makes it. */
export interface Make {
  readonly subject: string
  readonly issuer?: string
  readonly key: KeyObject
  readonly signer: KeyObject
  readonly ca: boolean
  readonly pathLength?: number
  readonly names?: readonly Tree[]
  readonly purposes?: readonly string[]
  readonly permitted?: readonly Tree[]
  readonly excluded?: readonly Tree[]
  /** Bits of the key usage, the first octet; `none`: without the extension. */
  readonly usage?: number | 'none'
  readonly version?: 1 | 2 | 3
  /** Extensions to leave out, OIDs. */
  readonly without?: readonly string[]
  readonly basic?: boolean
  readonly notBefore: number
  readonly notAfter: number
  readonly serial?: number | Uint8Array
  readonly more?: readonly Tree[]
  readonly algorithm?: Signing
}

export type Signing = 'rsa' | 'pss' | 'ecdsa-256' | 'ecdsa-384' | 'ecdsa-512' | 'ed25519' | 'sha1'

const SHA = { 256: '2.16.840.1.101.3.4.2.1' }
const PSS = seq(
  oid('1.2.840.113549.1.1.10'),
  seq(
    at(0, seq(oid(SHA[256]), bytes(5, ''))),
    at(1, seq(oid('1.2.840.113549.1.1.8'), seq(oid(SHA[256]), bytes(5, '')))),
    at(2, int(32)),
  ),
)
const ALGORITHMS: Readonly<Record<Signing, { readonly id: Tree; readonly hash: string | null }>> = {
  rsa: { id: seq(oid('1.2.840.113549.1.1.11'), bytes(5, '')), hash: 'sha256' },
  sha1: { id: seq(oid('1.2.840.113549.1.1.5'), bytes(5, '')), hash: 'sha1' },
  pss: { id: PSS, hash: 'sha256' },
  'ecdsa-256': { id: seq(oid('1.2.840.10045.4.3.2')), hash: 'sha256' },
  'ecdsa-384': { id: seq(oid('1.2.840.10045.4.3.3')), hash: 'sha384' },
  'ecdsa-512': { id: seq(oid('1.2.840.10045.4.3.4')), hash: 'sha512' },
  ed25519: { id: seq(oid('1.3.101.112')), hash: null },
}

/** Signs a tree's DER as `algorithm` says, and wraps it as certificates, lists and requests are. */
export function signed(tbs: Tree, key: KeyObject, how: Signing): Uint8Array {
  const { id, hash } = ALGORITHMS[how]
  const padding = how === 'pss' ? { padding: 6, saltLength: 32 } : {}
  return encode(seq(tbs, id, bits(sign(hash, encode(tbs), { key, ...padding }))))
}

/** What a key signs with, unless a case says otherwise. */
export function usual(key: KeyObject): Signing {
  if (key.asymmetricKeyType === 'rsa') return 'rsa'
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519'
  const curve = key.asymmetricKeyDetails?.namedCurve
  return curve === 'secp384r1' ? 'ecdsa-384' : curve === 'secp521r1' ? 'ecdsa-512' : 'ecdsa-256'
}

/** One certificate, DER. */
export function make(order: Make): Buffer {
  const how = order.algorithm ?? usual(order.signer)
  const {
    permitted = [],
    excluded = [],
    names,
    purposes,
    more = [],
    version = 3,
    without = [],
  } = order
  const constraints = [
    ...(permitted.length > 0 ? [at(0, ...permitted.map((one) => seq(one)))] : []),
    ...(excluded.length > 0 ? [at(1, ...excluded.map((one) => seq(one)))] : []),
  ]
  const basic = seq(
    ...(order.ca ? [bool(true)] : []),
    ...(order.pathLength === undefined ? [] : [int(order.pathLength)]),
  )
  const usage = order.usage ?? (order.ca ? 0x06 : 0x80)
  const extensions = [
    ...(order.basic === false ? [] : [extension('2.5.29.19', true, basic)]),
    ...(usage === 'none' ? [] : [keyUsage(usage)]),
    ...(without.includes('2.5.29.14')
      ? []
      : [extension('2.5.29.14', false, bytes(4, keyId(order.key)))]),
    ...(without.includes('2.5.29.35')
      ? []
      : [extension('2.5.29.35', false, seq(bytes(0x80, keyId(order.signer))))]),
    ...(names === undefined ? [] : [extension('2.5.29.17', order.subject === '', seq(...names))]),
    ...(purposes === undefined ? [] : [extension('2.5.29.37', false, seq(...purposes.map(oid)))]),
    ...(constraints.length === 0 ? [] : [extension('2.5.29.30', true, seq(...constraints))]),
    ...more,
  ]
  const tbs = seq(
    ...(version === 1 ? [] : [at(0, int(version - 1))]),
    int(order.serial ?? Uint8Array.from([1, ...keyId(order.key).subarray(0, 8)])),
    ALGORITHMS[how].id,
    name(order.issuer ?? order.subject),
    seq(time(order.notBefore), time(order.notAfter)),
    name(order.subject),
    { tag: 0x30, content: spki(order.key).subarray(spkiHead(spki(order.key))) },
    at(3, seq(...extensions)),
  )
  return Buffer.from(signed(tbs, order.signer, how))
}

export { extension }

const keyUsage = (usage: number): Tree =>
  extension('2.5.29.15', true, bits(Uint8Array.of(usage), 31 - Math.clz32(usage & -usage)))

function spkiHead(der: Buffer): number {
  return (der[1] ?? 0) < 0x80 ? 2 : 2 + ((der[1] ?? 0) & 0x7f)
}

const spkis = new WeakMap<KeyObject, Buffer>()
function spki(key: KeyObject): Buffer {
  const known = spkis.get(key) ?? createPublicKey(key).export({ type: 'spki', format: 'der' })
  spkis.set(key, known)
  return known
}

const keyId = (key: KeyObject): Buffer => spki(key).subarray(-20)

/** Keys of every kind that we take; made once a process, so that thousands of hierarchies are cheap. */
export function keyring(): readonly KeyObject[] {
  const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey
  return [
    ...Array.from({ length: 6 }, () => ec('P-256')),
    ec('P-384'),
    ec('P-521'),
    generateKeyPairSync('ed25519').privateKey,
    generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
  ]
}

/** DER as PEM, under the label of a certificate. */
export const text = (der: Uint8Array): string => pem('CERTIFICATE', der)
