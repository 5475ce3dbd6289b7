import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { buffer } from '../pki/der.ts'
import type { Curve } from './curve.ts'
import { type Details, LARGEST, type Version } from './details.ts'
import { detailsOctets, firstOctets, readFirst } from './first.ts'
import { type Flaw, Flawed } from './flaw.ts'
import { lowered, swapped } from './low.ts'
import { readSecond, secondOctets, signedSecond } from './second.ts'
import { flawOf } from './sound.ts'
import { spki } from './spki.ts'

/** A sound certificate; whether anybody trusts it `verify.ts` says. */
export interface Certificate extends Details {
  readonly signature: Uint8Array
  /** The whole certificate, as PEM holds it. */
  readonly octets: Uint8Array
  /** SHA-256, lower-case hex: how nebula names it in `issuer` and in block lists. */
  readonly fingerprint: string
}

/** What the signature covers. */
export function signedOctets(details: Details): Buffer {
  return details.version === 1 ? detailsOctets(details) : signedSecond(details)
}

/** Details and a signature as a certificate, without any check. */
export function assemble(details: Details, signature: Uint8Array): Certificate {
  const octets =
    details.version === 1 ? firstOctets(details, signature) : secondOctets(details, signature)
  return { ...details, signature, octets, fingerprint: fingerprintOf(details, signature) }
}

/** Of version 1 the whole certificate is hashed, of version 2 what is signed and the signature. */
function fingerprintOf(details: Details, signature: Uint8Array): string {
  const hash = createHash('sha256')
  if (details.version === 1) return hash.update(firstOctets(details, signature)).digest('hex')
  return hash.update(signedSecond(details)).update(signature).digest('hex')
}

/**
 * Reads a certificate strictly: at most 65,536 octets, canonical, no field that is unknown, every rule of its version
 * (cert/cert_v1.go and cert_v2.go of slackhq/nebula) and stricter: no empty name, no network twice in version 1 either.
 */
export function readCertificate(bytes: Uint8Array, version: Version): Certificate | Flaw {
  if (bytes.length > LARGEST)
    return { code: 'too-large', what: `${bytes.length} octets, more than ${LARGEST}` }
  try {
    return read(buffer(bytes), version)
  } catch (error) {
    if (error instanceof Flawed) return error.flaw
    throw error
  }
}

function read(bytes: Buffer, version: Version): Certificate | Flaw {
  const { details, signature } = version === 1 ? readFirst(bytes) : readSecond(bytes)
  const one = assemble(details, signature)
  if (!bytes.equals(one.octets)) return { code: 'encoding', what: 'not in canonical form' }
  return flawOf(details) ?? signatureFlaw(one) ?? one
}

function signatureFlaw({ curve, signature }: Certificate): Flaw | undefined {
  const sound = curve === 'P256' ? lowered(signature) !== undefined : signature.length === 64
  return sound ? undefined : { code: 'signature', what: `no signature of ${curve}` }
}

/** The fingerprint with the other S, which older versions of nebula may have made; `undefined` where there is no other. */
export function otherFingerprint(one: Certificate): string | undefined {
  if (one.curve !== 'P256') return undefined
  const other = swapped(one.signature)
  return other && fingerprintOf(one, other)
}

/** Whether `key`, the raw signing key of a CA on the certificate's curve, made its signature. */
export function isSignedBy(one: Certificate, key: Uint8Array): boolean {
  const opened = signingKey(one.curve, key)
  if (opened === undefined) return false
  try {
    const hash = one.curve === 'P256' ? 'sha256' : null
    return verify(hash, signedOctets(one), opened, one.signature)
  } catch {
    return false // OpenSSL throws on signatures that do not fit the key
  }
}

/** A raw signing key for node:crypto; `undefined` when it is none, as a point beside the curve. */
export function signingKey(curve: Curve, key: Uint8Array): KeyObject | undefined {
  try {
    const der = spki(curve === 'P256' ? 'P-256' : 'Ed25519', key)
    return createPublicKey({ key: der, format: 'der', type: 'spki' })
  } catch {
    return undefined // that it is no key is all there is to say
  }
}
