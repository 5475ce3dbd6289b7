import { hash, type KeyObject } from 'node:crypto'
import { type Certificate, parseCertificate, valuesOf } from '../pki/certificate.ts'
import { buffer, context, enter, isFault, raw, whole } from '../pki/der.ts'
import { RelayError } from '../pki/error.ts'
import { openKey } from '../pki/key.ts'
import { EXTENSION, USAGE } from '../pki/oids.ts'
import { ALGORITHM } from '../pki/signing.ts'
import { octetBits } from '../pki/values.ts'
import { der, extension, sequence } from '../pki/write.ts'
import type { Ca } from './ca.ts'

/** What of a CA is the same for every certificate that it issues. */
export interface Issuer {
  readonly certificate: Certificate
  readonly key: KeyObject
  /** Its subject, DER: the issuer of what it signs. */
  readonly name: Uint8Array
  /** Its subject key identifier. */
  readonly keyId: Uint8Array
  /** The authority key identifier extension, DER. */
  readonly authorityKey: Uint8Array
  /** The AlgorithmIdentifier of its signatures, DER. */
  readonly algorithm: Uint8Array
}

/** By the octets of a CA's certificate, so that a record that is kept is read once. */
const PREPARED = new WeakMap<Uint8Array, Issuer>()

/**
 * The CA's certificate, read and found good for signing with this key.
 *
 * @throws CHAIN_BROKEN when the certificate cannot be a CA's, BUNDLE_MISMATCH when the key is another's
 */
export function issuerOf(ca: Pick<Ca, 'label' | 'certificate' | 'signer'>): Issuer {
  const issuer = PREPARED.get(ca.certificate) ?? prepare(ca)
  if (!buffer(ca.signer.publicKey).equals(issuer.certificate.key))
    throw new RelayError(
      'BUNDLE_MISMATCH',
      `the key of authority ${ca.label} is not the one of its certificate: restore the version that has both`,
    )
  PREPARED.set(ca.certificate, issuer)
  return issuer
}

function prepare({
  label,
  certificate: octets,
  signer,
}: Pick<Ca, 'label' | 'certificate' | 'signer'>) {
  const certificate = parseCertificate(octets)
  const refuse = (why: string) =>
    new RelayError('CHAIN_BROKEN', `the certificate of authority ${label} ${why}: replace it`)
  if (isFault(certificate)) throw refuse('cannot be read')
  const values = certificate.known()
  if (isFault(values)) throw refuse('has an extension that cannot be read')
  if (values.basic?.ca !== true) throw refuse('is no CA certificate')
  if (values.keyUsage?.has(USAGE.keyCertSign) === false) throw refuse('may not sign certificates')
  const key = openKey(certificate.key)
  if (key === undefined) throw refuse('has a key that is none')
  const keyId =
    values.subjectKey === undefined
      ? keyIdentifier(certificate.key)
      : Buffer.from(values.subjectKey, 'hex')
  return {
    certificate,
    key,
    name: subjectOctets(certificate),
    keyId,
    authorityKey: authorityKey(keyId),
    algorithm: ALGORITHM[signer.signing],
  }
}

/** The authority key identifier extension for an issuer with this key identifier (RFC 5280 4.2.1.1). */
export function authorityKey(keyId: Uint8Array): Buffer {
  return extension(EXTENSION.authorityKey, false, sequence(der(context(0), keyId)))
}

/** SHA-1 of the key's own bits (RFC 5280 4.2.1.2, method 1): an identifier, not a protection. */
export function keyIdentifier(spki: Uint8Array): Buffer {
  const fields = enter(whole(spki))
  fields.next()
  return hash('sha1', octetBits(fields.next()), 'buffer')
}

/** The subject of a certificate as it stands there, DER. */
export function subjectOctets(certificate: Certificate): Buffer {
  const fields = enter(whole(certificate.signed))
  if (certificate.version > 1) fields.next()
  for (let passed = 0; passed < 4; passed++) fields.next()
  return raw(fields.next())
}

/** How many CAs may follow below a CA; `undefined`: as many as one likes. */
export function pathLengthOf({ certificate }: Issuer): number | undefined {
  return valuesOf(certificate).basic?.pathLength
}
