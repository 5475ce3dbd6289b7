import type { Hash } from './algorithm.ts'
import { RelayError } from './error.ts'
import { keyKind, strong } from './key.ts'
import { NULL, oid, sequence } from './write.ts'

/** How an authority signs: a key's algorithm, and with it the hash (`HASH`); RSA is PKCS#1 v1.5, and a size stands for all up to the next. */
export type Signing = 'P-256' | 'P-384' | 'P-521' | 'RSA-2048' | 'RSA-3072' | 'RSA-4096' | 'Ed25519'

/** The hash that goes with a key, as CFSSL chooses it (signer/signer.go, DefaultSigAlgo); Ed25519 hashes by itself. */
export const HASH: Readonly<Record<Signing, Hash | undefined>> = {
  'P-256': 'sha256',
  'P-384': 'sha384',
  'P-521': 'sha512',
  'RSA-2048': 'sha256',
  'RSA-3072': 'sha384',
  'RSA-4096': 'sha512',
  Ed25519: undefined,
}

const ecdsa = (last: number) => sequence(oid(`1.2.840.10045.4.3.${last}`))
const rsa = (last: number) => sequence(oid(`1.2.840.113549.1.1.${last}`), NULL)

/** The AlgorithmIdentifier of signatures, DER (RFC 5758 3.2, RFC 4055 section 5, RFC 8410 section 3). */
export const ALGORITHM: Readonly<Record<Signing, Uint8Array>> = {
  'P-256': ecdsa(2),
  'P-384': ecdsa(3),
  'P-521': ecdsa(4),
  'RSA-2048': rsa(11),
  'RSA-3072': rsa(12),
  'RSA-4096': rsa(13),
  Ed25519: sequence(oid('1.3.101.112')),
}

/** What a key signs with. `spki`: SubjectPublicKeyInfo, DER. @throws CONFIG_INVALID for a weak or unknown kind of key */
export function signingOf(spki: Uint8Array): Signing {
  const kind = keyKind(spki)
  if (!strong(kind) || kind.family === 'unknown')
    throw new RelayError(
      'CONFIG_INVALID',
      'this key cannot sign: take P-256, P-384, P-521, Ed25519, or RSA of 2048 bits or more',
    )
  if (kind.family === 'ec') return kind.curve
  if (kind.family === 'ed25519') return 'Ed25519'
  return kind.bits >= 4_096 ? 'RSA-4096' : kind.bits >= 3_072 ? 'RSA-3072' : 'RSA-2048'
}
