import { type Certificate, parseCertificate } from './certificate.ts'
import { buffer, type Fault, isFault } from './der.ts'

/** The certificates that were recalled last, the latest at the end. */
const LAST: Certificate[] = []
const MANY = 16

/**
 * Reads a certificate like `parseCertificate`, but one that was asked for lately is the same object again: anchors are few and
 * come with every question, so their values, key and own signature are read once. A copy is kept, whatever becomes of `der`.
 */
export function recall(der: Uint8Array): Certificate | Fault {
  const known = LAST.find((one) => isOf(one, der))
  if (known !== undefined) return known
  const one = parseCertificate(Buffer.from(der))
  if (!isFault(one) && LAST.push(one) > MANY) LAST.shift()
  return one
}

/** Whether this is the certificate's DER. The last octets belong to signatures: different ones mostly differ there. */
export function isOf({ der }: Certificate, other: Uint8Array): boolean {
  const { length } = der
  return (
    length === other.length && der[length - 1] === other[length - 1] && buffer(der).equals(other)
  )
}
