import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import { HASH, signingOf } from '../pki/signing.ts'
import type { Signer } from '../ports/signer.ts'

/**
 * Signs with a private key in memory: for `plain` mode, and for a sealed key while it is open.
 *
 * @throws CONFIG_INVALID when the key is of a kind that no authority has
 */
export function inMemory(key: KeyObject): Signer {
  const { publicKey, signing } = facts(key)
  const hash = HASH[signing] ?? null
  let held: KeyObject | undefined = key
  return {
    signing,
    publicKey,
    sign(bytes) {
      if (held === undefined) throw new TypeError('the signer is closed')
      return sign(hash, bytes, held)
    },
    close() {
      held = undefined
    },
  }
}

/** A key that serves many operations is looked at once. */
const FACTS = new WeakMap<KeyObject, Pick<Signer, 'publicKey' | 'signing'>>()

function facts(key: KeyObject): Pick<Signer, 'publicKey' | 'signing'> {
  const known = FACTS.get(key)
  if (known !== undefined) return known
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const found = { publicKey, signing: signingOf(publicKey) }
  FACTS.set(key, found)
  return found
}
