import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { RelayError } from '../pki/error.ts'
import type { CaContext, Sealed } from '../pki/sealed.ts'
import type { Secret } from '../pki/secret.ts'
import { HASH } from '../pki/signing.ts'
import type { Hear, Keys } from '../ports/keys.ts'
import type { Signer, Signing } from '../ports/signer.ts'

/** What the certificate of an authority says of its key. */
export interface Own {
  readonly signing: Signing
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
}

/** Opens a sealed key for one signature at a time, and wipes it when that is made. Nothing is opened before. */
export function sealedSigner(
  { signing, publicKey }: Own,
  sealed: Sealed,
  { keys, context, hear }: { keys: Keys; context: CaContext; hear?: Hear | undefined },
): Signer {
  return {
    signing,
    publicKey,
    async sign(bytes) {
      const opened = await keys.open(sealed, context, hear)
      try {
        const key = privateKey(opened, context.ca)
        if (!isKeyOf(key, publicKey)) throw foreign(context.ca)
        return sign(HASH[signing] ?? null, bytes, key)
      } finally {
        opened.wipe()
      }
    },
    close() {}, // a key is never open between two signatures
  }
}

/** Whether a private key goes with a public one (SubjectPublicKeyInfo, DER). */
export function isKeyOf(key: KeyObject, publicKey: Uint8Array): boolean {
  return createPublicKey(key).export({ format: 'der', type: 'spki' }).equals(publicKey)
}

/** A private key is there, and it is another authority's. */
export function foreign(label: string): RelayError {
  return new RelayError(
    'AUTHORITY_INVALID',
    `the key of authority ${label} is not that of its certificate: treat its record as tampered with`,
  )
}

/** PKCS#8, DER, imported from where it lies. OpenSSL's own words are left out. */
function privateKey(opened: Secret, label: string): KeyObject {
  const { buffer, byteOffset, length } = opened.reveal()
  try {
    const key = Buffer.from(buffer, byteOffset, length)
    return createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  } catch {
    throw foreign(label) // it says no more
  }
}
