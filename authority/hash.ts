import type { Hash } from '../pki/algorithm.ts'
import type { Signing } from '../ports/signer.ts'

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
