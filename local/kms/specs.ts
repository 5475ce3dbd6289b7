import type { Method } from './digest.ts'

/** The key specs of AWS KMS that are imitated. */
export type Spec =
  | 'SYMMETRIC_DEFAULT'
  | 'RSA_2048'
  | 'RSA_3072'
  | 'RSA_4096'
  | 'ECC_NIST_P256'
  | 'ECC_NIST_P384'
  | 'ECC_NIST_P521'
  | 'ECC_NIST_EDWARDS25519'

interface Making {
  /** As OpenSSL names it. */
  readonly curve?: string
  /** Bits. */
  readonly modulus?: number
  /** Ed25519, which signs a message and no digest. */
  readonly edwards?: boolean
  readonly algorithms: readonly string[]
}

const RSA = [
  'RSASSA_PKCS1_V1_5_SHA_256',
  'RSASSA_PKCS1_V1_5_SHA_384',
  'RSASSA_PKCS1_V1_5_SHA_512',
  'RSASSA_PSS_SHA_256',
  'RSASSA_PSS_SHA_384',
  'RSASSA_PSS_SHA_512',
]

/** What each spec is made of, and how it signs. */
export const SPECS: Readonly<Record<Spec, Making>> = {
  SYMMETRIC_DEFAULT: { algorithms: [] },
  RSA_2048: { modulus: 2048, algorithms: RSA },
  RSA_3072: { modulus: 3072, algorithms: RSA },
  RSA_4096: { modulus: 4096, algorithms: RSA },
  ECC_NIST_P256: { curve: 'P-256', algorithms: ['ECDSA_SHA_256'] },
  ECC_NIST_P384: { curve: 'P-384', algorithms: ['ECDSA_SHA_384'] },
  ECC_NIST_P521: { curve: 'P-521', algorithms: ['ECDSA_SHA_512'] },
  ECC_NIST_EDWARDS25519: { edwards: true, algorithms: ['ED25519_SHA_512'] },
}

export const SPEC_NAMES = [
  'SYMMETRIC_DEFAULT',
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'ECC_NIST_P256',
  'ECC_NIST_P384',
  'ECC_NIST_P521',
  'ECC_NIST_EDWARDS25519',
] as const satisfies readonly Spec[]

/** A SigningAlgorithm of the API as a scheme and a hash. */
export function method(algorithm: string): Method {
  const scheme = algorithm.startsWith('ED25519')
    ? 'ed25519'
    : algorithm.startsWith('ECDSA')
      ? 'ecdsa'
      : algorithm.includes('PSS')
        ? 'pss'
        : 'pkcs1'
  const hash = algorithm.endsWith('512')
    ? 'sha512'
    : algorithm.endsWith('384')
      ? 'sha384'
      : 'sha256'
  return { scheme, hash }
}
