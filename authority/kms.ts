import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { CaContext } from '../pki/sealed.ts'
import { HASH } from '../pki/signing.ts'
import type { Hear, Owner, Pens } from '../ports/keys.ts'
import type { Signer } from '../ports/signer.ts'
import type { Own } from './sealed.ts'

/** Has KMS sign with a key that never leaves it. What does not verify under the authority's certificate is never answered. */
export function kmsSigner(
  { signing, publicKey }: Own,
  keys: readonly string[],
  {
    pens,
    context,
    hear,
    owner,
  }: { pens: Pens; context: CaContext; hear?: Hear | undefined; owner?: Owner | undefined },
): Signer {
  const hash = HASH[signing]
  let verifying: KeyObject | undefined
  return {
    signing,
    publicKey,
    sign(bytes) {
      const message = hash === undefined ? bytes : createHash(hash).update(bytes).digest()
      verifying ??= createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' })
      const key = verifying
      const proves = (signature: Uint8Array) => verify(hash ?? null, bytes, key, signature)
      return pens.sign({ keys, signing, message, context, proves, owner }, hear)
    },
    close() {}, // nothing was opened
  }
}
