import { requestInfo, signedRequest } from '../pki/ask.ts'
import { type Certificate, parseCertificate, valuesOf } from '../pki/certificate.ts'
import { buffer, isFault } from '../pki/der.ts'
import { RelayError } from '../pki/error.ts'
import { EXTENSION, USAGE } from '../pki/oids.ts'
import { findPath } from '../pki/path.ts'
import { extension, namedBits } from '../pki/write.ts'
import type { Signer } from '../ports/signer.ts'
import { Refused, type Subject } from './request.ts'
import { subjectOf, written } from './subject.ts'

/** What to ask a root elsewhere for. */
export interface Asking {
  readonly subject: Subject
  readonly pathLength?: number
}

/** A request for a CA certificate, for a root that somebody else keeps (PKCS#10). DER. @throws Refused, what the signer throws */
export async function requestOf(signer: Signer, { subject, pathLength }: Asking): Promise<Buffer> {
  const parts = subjectOf([], subject)
  if (parts.length === 0) throw new Refused('name-refused', 'a CA has a subject: give it one')
  const usages = namedBits([USAGE.keyCertSign, USAGE.cRLSign])
  const asking = {
    subject: written(parts),
    ca: pathLength === undefined ? {} : { pathLength },
    extensions: [extension(EXTENSION.keyUsage, true, usages)],
  }
  const info = requestInfo(asking, signer.publicKey)
  return signedRequest(info, signer.signing, await signer.sign(info))
}

/** What came back from a root elsewhere. All DER. */
export interface Returned {
  readonly certificate: Uint8Array
  /** From its issuer up; the root may be among them. */
  readonly chain: readonly Uint8Array[]
  /** The root that the operator trusts it to lead to. */
  readonly root: Uint8Array
  /** The path length that was asked for. */
  readonly pathLength?: number
}

/**
 * Takes the certificate that an outside root made for a key: it is this key's, a CA's that may sign certificates, with a path
 * length of what was asked for at least, and leads to the root now. Answers the chain in order, without itself and the root.
 *
 * @throws BUNDLE_MISMATCH, CHAIN_BROKEN
 */
export function imported(
  returned: Returned,
  { publicKey }: Pick<Signer, 'publicKey'>,
  now: number,
): { readonly certificate: Uint8Array; readonly chain: readonly Uint8Array[] } {
  const { certificate, chain, root, pathLength = 0 } = returned
  const one = parseCertificate(certificate)
  if (isFault(one) || isFault(one.known())) throw refused('it cannot be read')
  if (!buffer(publicKey).equals(one.key))
    throw new RelayError(
      'BUNDLE_MISMATCH',
      'the certificate is for another key: import the one that was made from this authority’s request',
    )
  const flaw = flawOf(one, pathLength)
  if (flaw !== undefined) throw refused(flaw)
  const verdict = findPath({ leaf: certificate, intermediates: chain, anchors: [root], now })
  if (!('path' in verdict)) throw refused(`it does not lead to the root: ${verdict.code}`)
  return { certificate, chain: verdict.path.slice(1, -1).map(({ der }) => der) }
}

function flawOf(one: Certificate, pathLength: number): string | undefined {
  const { basic, keyUsage, subjectKey } = valuesOf(one)
  if (basic?.ca !== true) return 'it is no CA certificate'
  if (keyUsage?.has(USAGE.keyCertSign) !== true) return 'it may not sign certificates'
  if (keyUsage.has(USAGE.cRLSign) !== true) return 'it may not sign revocation lists'
  if (subjectKey === undefined) return 'it has no subject key identifier'
  if ((basic.pathLength ?? pathLength) < pathLength)
    return `its path length is ${basic.pathLength} and ${pathLength} was asked for`
  return undefined
}

function refused(why: string): RelayError {
  return new RelayError('CHAIN_BROKEN', `the certificate of the outside root is refused: ${why}`)
}
