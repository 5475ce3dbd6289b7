import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import type { Algorithm } from '../../pki/algorithm.ts'
import { type Certificate, parseCertificate, valuesOf } from '../../pki/certificate.ts'
import { parseRevocationList, type RevocationList } from '../../pki/crl.ts'
import { content, isFault, items, whole } from '../../pki/der.ts'
import { encode } from '../../pki/encode.ts'
import { type KeyKind, signedBy } from '../../pki/key.ts'
import { sameName } from '../../pki/names.ts'
import { only, pem, pemBlocks } from '../../pki/pem.ts'
import { bits, seq } from './hierarchy.ts'
import type { Case } from './limbo.ts'

/** What is signed in a case, and who signed it. */
type Signed = Certificate | RevocationList

/**
 * The same case under other keys: every key and key identifier is another, and everything is signed anew by whoever had signed it. What nobody
 * here had signed gets a signature of nobody. `undefined` when a key is of a kind that is not made anew: a weak or a long one.
 */
export function rekeyed(one: Case): Case | undefined {
  const texts = [one.peer_certificate, ...one.trusted_certs, ...one.untrusted_intermediates]
  const certificates = [...new Set(texts)].flatMap((text) => read(text) ?? [])
  const keys = successors(certificates)
  if (keys === undefined) return undefined
  const swaps = [
    ...[...keys].map(([from, key]) => [from, latin(spki(key))] as const),
    ...[...new Set(certificates.flatMap(identifiers))].map(
      (id) => [latin(Buffer.from(id, 'hex')), latin(randomBytes(id.length / 2))] as const,
    ),
  ]
  const renewed = (old: Signed, der: Uint8Array): Uint8Array => {
    const signer = certificates.find((each) => hasSigned(each, old))
    const tbs = swaps.reduce(
      (text, [from, to]) => text.replaceAll(from, () => to),
      latin(old.signed),
    )
    const key = signer && keys.get(latin(signer.key))
    return wrapped(Buffer.from(tbs, 'latin1'), { der, key, algorithm: old.algorithm })
  }
  const certificate = (text: string) => {
    const old = read(text)
    return old === undefined ? text : pem('CERTIFICATE', renewed(old, old.der))
  }
  const list = (text: string) => {
    const der = pemBlocks(text)?.[0]?.der ?? new Uint8Array()
    const old = parseRevocationList(der)
    return isFault(old) ? text : pem('X509 CRL', renewed(old, der))
  }
  return {
    ...one,
    peer_certificate: certificate(one.peer_certificate),
    trusted_certs: one.trusted_certs.map(certificate),
    untrusted_intermediates: one.untrusted_intermediates.map(certificate),
    crls: (one.crls ?? []).map(list),
  }
}

function read(text: string): Certificate | undefined {
  const found = parseCertificate(only(text) ?? new Uint8Array())
  return isFault(found) ? undefined : found
}

/** A new key for each old one, by its SubjectPublicKeyInfo, which stays as long. */
function successors(certificates: readonly Certificate[]): Map<string, KeyObject> | undefined {
  const found = new Map<string, KeyObject>()
  for (const { key: old, kind } of certificates.map((one) => ({
    key: one.key,
    kind: one.kind(),
  }))) {
    const key = found.get(latin(old)) ?? nth(kind, found.size)
    if (key === undefined || spki(key).length !== old.length) return undefined
    found.set(latin(old), key)
  }
  return found
}

const POOLS = new Map<string, KeyObject[]>()

/** Keys are made once a place and kind: a case has none twice. */
function nth(kind: KeyKind, at: number): KeyObject | undefined {
  const pool = POOLS.get(JSON.stringify(kind)) ?? []
  POOLS.set(JSON.stringify(kind), pool)
  const key = pool[at] ?? fresh(kind)
  if (key !== undefined) pool[at] = key
  return key
}

function fresh(kind: KeyKind): KeyObject | undefined {
  if (kind.family === 'ec') return generateKeyPairSync('ec', { namedCurve: kind.curve }).privateKey
  if (kind.family === 'ed25519') return generateKeyPairSync('ed25519').privateKey
  const isUsual = kind.family === 'rsa' && kind.bits === 2_048 && kind.exponent === 65_537
  return isUsual ? generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey : undefined
}

/** Octets of identifiers that are too short to be told from others stay. */
function identifiers(one: Certificate): string[] {
  const { subjectKey, authorityKey } = valuesOf(one)
  return [subjectKey, authorityKey?.key].flatMap((id) =>
    id !== undefined && id.length > 16 ? id : [],
  )
}

/** By signature, whatever the names say; by name where the algorithm is too weak to be verified. */
function hasSigned(issuer: Certificate, one: Signed): boolean {
  if (one.algorithm.scheme === 'weak') return sameName(issuer.subject, one.issuer)
  return signedBy(issuer.opened(), issuer.kind(), one)
}

interface Wrapping {
  /** Of what it replaces: its algorithm stays. */
  readonly der: Uint8Array
  readonly key: KeyObject | undefined
  readonly algorithm: Algorithm
}

function wrapped(tbs: Uint8Array, { der, key, algorithm }: Wrapping): Uint8Array {
  const [, algorithmOf] = items(whole(der))
  if (algorithmOf === undefined) throw new TypeError('what was read has an algorithm')
  const kept = [whole(tbs), algorithmOf].map((one) => ({ tag: one.tag, content: content(one) }))
  const signature = key === undefined ? randomBytes(71) : freshSignature(tbs, key, algorithm)
  return encode(seq(...kept, bits(signature)))
}

function freshSignature(tbs: Uint8Array, key: KeyObject, algorithm: Algorithm): Uint8Array {
  switch (algorithm.scheme) {
    case 'rsa':
    case 'ecdsa':
      return sign(algorithm.hash, tbs, key)
    case 'pss':
      return sign(algorithm.hash, tbs, { key, padding: 6, saltLength: algorithm.salt })
    case 'ed25519':
      return sign(null, tbs, key)
    default:
      return key.asymmetricKeyType === 'ed25519' ? randomBytes(64) : sign('sha1', tbs, key)
  }
}

function spki(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' })
}

function latin(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
