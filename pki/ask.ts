import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import { context, TAG } from './der.ts'
import { EXTENSION } from './oids.ts'
import { ALGORITHM, HASH, type Signing, signingOf } from './signing.ts'
import { around, bitString, extension, oid, sequence, setOf, TRUE, whole } from './write.ts'

/** What a request asks for. */
export interface Asking {
  /** A Name, DER. */
  readonly subject: Uint8Array
  /** GeneralNames, DER; absent: no names. */
  readonly names?: Uint8Array
  /** Asks for a CA certificate. */
  readonly ca?: { readonly pathLength?: number }
  /** Further extensions, DER. */
  readonly extensions?: readonly Uint8Array[]
}

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'

/** What the owner of a key signs to ask for a certificate: CertificationRequestInfo (RFC 2986 4.1), DER. `key`: SubjectPublicKeyInfo. */
export function requestInfo(asking: Asking, key: Uint8Array): Buffer {
  const wanted = wantedExtensions(asking)
  const request = [oid(EXTENSION_REQUEST), setOf([around(TAG.sequence, wanted)])]
  const attributes = wanted.length === 0 ? [] : [sequence(...request)]
  return sequence(whole(0), asking.subject, key, around(context(0, true), attributes))
}

function wantedExtensions({ names, ca, extensions = [] }: Asking): Uint8Array[] {
  const { pathLength } = ca ?? {}
  const limit = pathLength === undefined ? [] : [whole(pathLength)]
  return [
    ...(ca === undefined ? [] : [extension(EXTENSION.basic, true, sequence(TRUE, ...limit))]),
    ...(names === undefined ? [] : [extension(EXTENSION.names, false, names)]),
    ...extensions,
  ]
}

/** The request (RFC 2986 4.2), DER, once its information is signed. */
export function signedRequest(info: Uint8Array, signing: Signing, signature: Uint8Array): Buffer {
  return sequence(info, ALGORITHM[signing], bitString(signature))
}

/** A request by a private key in memory, DER. @throws CONFIG_INVALID for a weak or unknown kind of key */
export function requestBy(key: KeyObject, asking: Asking): Buffer {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const signing = signingOf(spki)
  const info = requestInfo(asking, spki)
  return signedRequest(info, signing, sign(HASH[signing] ?? null, info, key))
}
