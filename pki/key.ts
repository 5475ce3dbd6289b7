import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { Algorithm } from './algorithm.ts'
import { attempt, enter, TAG, whole } from './der.ts'
import { pem } from './pem.ts'
import { integer, number, octetBits, oid } from './values.ts'

/** What a SubjectPublicKeyInfo says about its key. */
export type KeyKind =
  | { readonly family: 'rsa'; readonly bits: number; readonly exponent: number }
  | { readonly family: 'ec'; readonly curve: Curve }
  | { readonly family: 'ed25519' }
  | { readonly family: 'unknown' }

export type Curve = 'P-256' | 'P-384' | 'P-521'

/** RSA moduli outside these sizes are refused: weaker is unsafe, longer only costs time. Bits. */
export const RSA_BITS = { least: 2_048, most: 8_192 } as const

const RSA = '1.2.840.113549.1.1.1'
const EC = '1.2.840.10045.2.1'
const ED25519 = '1.3.101.112'
const CURVES: ReadonlyMap<string, { readonly curve: Curve; readonly octets: number }> = new Map([
  ['1.2.840.10045.3.1.7', { curve: 'P-256', octets: 65 }],
  ['1.3.132.0.34', { curve: 'P-384', octets: 97 }],
  ['1.3.132.0.35', { curve: 'P-521', octets: 133 }],
])

/** The kind of a SubjectPublicKeyInfo; whatever is malformed or not for us is `unknown`. */
export function keyKind(spki: Uint8Array): KeyKind {
  const kind = attempt(() => read(spki))
  return 'family' in kind ? kind : { family: 'unknown' }
}

function read(spki: Uint8Array): KeyKind {
  const fields = enter(whole(spki))
  const algorithm = enter(fields.next())
  const key = octetBits(fields.next())
  fields.close()
  const type = oid(algorithm.next())
  const parameters = algorithm.more() ? algorithm.next() : undefined
  switch (type) {
    case RSA:
      return parameters?.tag === TAG.null ? rsa(key) : { family: 'unknown' }
    case EC: {
      if (parameters?.tag !== TAG.oid) return { family: 'unknown' } // explicit curves: RFC 5480 2.1.1
      const known = CURVES.get(oid(parameters))
      return known === undefined || known.octets !== key.length || key[0] !== 4
        ? { family: 'unknown' }
        : { family: 'ec', curve: known.curve }
    }
    case ED25519:
      return parameters === undefined && key.length === 32
        ? { family: 'ed25519' }
        : { family: 'unknown' }
    default:
      return { family: 'unknown' }
  }
}

function rsa(key: Uint8Array): KeyKind {
  const fields = enter(whole(key))
  const n = integer(fields.next())
  const e = integer(fields.next())
  if (fields.more() || (n[0] ?? 0) >= 0x80 || (e[0] ?? 0) >= 0x80 || e.length > 4)
    return { family: 'unknown' }
  const first = n[0] === 0 ? (n[1] ?? 0) : (n[0] ?? 0)
  const octets = n[0] === 0 ? n.length - 1 : n.length
  const bits = octets * 8 - Math.clz32(first) + 24
  return { family: 'rsa', bits, exponent: number(e) }
}

/** Whether a key is one that we let sign and be certified (CA/Browser Forum BR 6.1.5, NIST SP 800-57). */
export function strong(kind: KeyKind): boolean {
  if (kind.family === 'rsa') {
    const { bits, exponent } = kind
    return bits >= RSA_BITS.least && bits <= RSA_BITS.most && exponent >= 3 && exponent % 2 === 1
  }
  return kind.family !== 'unknown'
}

/** What is signed, how, and the signature. */
export interface Signed {
  readonly algorithm: Algorithm
  readonly signed: Uint8Array
  readonly signature: Uint8Array
}

/** Whether a key (or its PEM, for one that is used once: that is cheaper), of this kind, signed this. False for every algorithm that we do not take, and without a key. */
export function signedBy(key: KeyObject | string | undefined, kind: KeyKind, one: Signed): boolean {
  return key !== undefined && fits(kind, one.algorithm) && verifies(key, one)
}

/** Whether a key of this kind can make a signature of this algorithm. */
export function fits(kind: KeyKind, { scheme }: Algorithm): boolean {
  if (kind.family === 'rsa') return scheme === 'rsa' || scheme === 'pss'
  if (kind.family === 'ec') return scheme === 'ecdsa'
  return kind.family === scheme
}

/**
 * The key for node:crypto; `undefined` when it takes it for none (a point that is not on its curve). It is handed over as text:
 * an options object with DER costs node:crypto more than twice as much.
 */
export function openKey(spki: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey(keyText(spki))
  } catch {
    return undefined // that it is no key is all there is to say
  }
}

/** A SubjectPublicKeyInfo as PEM. */
export function keyText(spki: Uint8Array): string {
  return pem('PUBLIC KEY', spki)
}

/** Whether a signature is of these bytes and this key. False for every algorithm that we do not take. */
export function verifies(
  key: KeyObject | string,
  { algorithm, signed, signature }: Signed,
): boolean {
  try {
    switch (algorithm.scheme) {
      case 'rsa':
      case 'ecdsa':
        return verify(algorithm.hash, signed, key, signature)
      case 'pss': {
        const opened = typeof key === 'string' ? createPublicKey(key) : key
        const how = { key: opened, padding: PSS_PADDING, saltLength: algorithm.salt }
        return verify(algorithm.hash, signed, how, signature)
      }
      case 'ed25519':
        return verify(null, signed, key, signature)
      default:
        return false
    }
  } catch {
    return false // OpenSSL throws on signatures that do not fit the key
  }
}

/**
 * Whether a key made this with RSA and SHA-1, as many an old root did on itself: enough to tell that the key is its own, which
 * its signature is good for and nothing else.
 */
export function signedOfOld(key: KeyObject | undefined, one: Signed): boolean {
  if (key?.asymmetricKeyType !== 'rsa' || one.algorithm.id !== RSA_SHA1) return false
  try {
    return verify('sha1', one.signed, key, one.signature)
  } catch {
    return false // OpenSSL throws on signatures that do not fit the key
  }
}

const RSA_SHA1 = '1.2.840.113549.1.1.5'

/** RSA_PKCS1_PSS_PADDING of OpenSSL. */
const PSS_PADDING = 6
