import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import type { Secret } from '../pki/secret.ts'
import type { Signer } from '../ports/signer.ts'
import type { Curve } from './curve.ts'

/** What stands around a raw private key: PKCS#8 of Ed25519 (RFC 8410 section 7), SEC 1 of P-256 (RFC 5915). */
const ED25519 = Buffer.from('302e020100300506032b657004220420', 'hex')
const P256 = [
  Buffer.from('30310201010420', 'hex'),
  Buffer.from('a00a06082a8648ce3d030107', 'hex'),
] as const

/**
 * A signer over a CA key as nebula-cert writes it to a file: the seed with the public key after it, or the scalar of P-256.
 * For development; `close` wipes the key.
 * @throws TypeError when it is no key
 */
export function fileSigner(curve: Curve, secret: Secret): Signer {
  const key = opened(curve, secret)
  return {
    signing: curve === 'P256' ? 'P-256' : 'Ed25519',
    publicKey: createPublicKey(key).export({ format: 'der', type: 'spki' }),
    sign: async (bytes) => sign(curve === 'P256' ? 'sha256' : null, bytes, key),
    close: () => secret.wipe(),
  }
}

function opened(curve: Curve, secret: Secret): KeyObject {
  const raw = secret.reveal()
  const der =
    curve === 'P256'
      ? Buffer.concat([P256[0], raw, P256[1]])
      : Buffer.concat([ED25519, raw.subarray(0, 32)])
  try {
    return createPrivateKey({ key: der, format: 'der', type: curve === 'P256' ? 'sec1' : 'pkcs8' })
  } catch {
    throw new TypeError('the key is no key of its curve') // OpenSSL's own words say no more
  } finally {
    der.fill(0)
  }
}

/** A key pair of node:crypto as Nebula keeps it: raw, of a signing Ed25519 key the seed and the public key. */
export function rawPair(pair: { readonly privateKey: KeyObject; readonly publicKey: KeyObject }): {
  readonly privateKey: Buffer
  readonly publicKey: Buffer
} {
  const { d = '' } = pair.privateKey.export({ format: 'jwk' })
  const { kty, crv, x = '', y = '' } = pair.publicKey.export({ format: 'jwk' })
  const [scalar, first, last] = [d, x, y].map((part) => Buffer.from(part, 'base64url'))
  if (scalar === undefined || first === undefined || last === undefined)
    throw new TypeError('no key pair')
  if (kty === 'EC')
    return { privateKey: scalar, publicKey: Buffer.concat([Uint8Array.of(4), first, last]) }
  return {
    privateKey: crv === 'Ed25519' ? Buffer.concat([scalar, first]) : scalar,
    publicKey: first,
  }
}
