import { createPublicKey, generateKeyPair, type KeyObject, type webcrypto } from 'node:crypto'
import { promisify } from 'node:util'

/** Key algorithms that the local Private CA makes, as AWS spells them. */
export const KEY_ALGORITHMS = [
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'EC_prime256v1',
  'EC_secp384r1',
  'EC_secp521r1',
] as const
export type KeyAlgorithm = (typeof KEY_ALGORITHMS)[number]

/** Signing algorithms, as AWS spells them. */
export const SIGNING_ALGORITHMS = [
  'SHA256WITHECDSA',
  'SHA384WITHECDSA',
  'SHA512WITHECDSA',
  'SHA256WITHRSA',
  'SHA384WITHRSA',
  'SHA512WITHRSA',
  'SHA256WITHRSA_PSS',
  'SHA384WITHRSA_PSS',
  'SHA512WITHRSA_PSS',
] as const
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number]

const CURVES = {
  EC_prime256v1: { node: 'prime256v1', web: 'P-256' },
  EC_secp384r1: { node: 'secp384r1', web: 'P-384' },
  EC_secp521r1: { node: 'secp521r1', web: 'P-521' },
} as const
const BITS = { RSA_2048: 2048, RSA_3072: 3072, RSA_4096: 4096 } as const

const generate = promisify(generateKeyPair)

/** A fresh private key, always random. */
export async function makeKey(algorithm: KeyAlgorithm): Promise<KeyObject> {
  if (isCurve(algorithm)) {
    const namedCurve = CURVES[algorithm].node
    return (await generate('ec', { namedCurve })).privateKey
  }
  return (await generate('rsa', { modulusLength: BITS[algorithm] })).privateKey
}

/** What kind of key it is; `undefined` for one that ACM and Private CA do not take. */
export function algorithmOf(key: KeyObject): KeyAlgorithm | undefined {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {}
  return KEY_ALGORITHMS.find((algorithm) =>
    isCurve(algorithm)
      ? CURVES[algorithm].node === namedCurve
      : key.asymmetricKeyType === 'rsa' && BITS[algorithm] === modulusLength,
  )
}

/** The family that a key, a key algorithm or a signing algorithm belongs to: they must agree to sign. */
export function family(algorithm: KeyAlgorithm | SigningAlgorithm): 'RSA' | 'EC' {
  return algorithm.includes('RSA') ? 'RSA' : 'EC'
}

/** The signing algorithm that goes with a key when nobody chose one. */
export function usual(algorithm: KeyAlgorithm): SigningAlgorithm {
  if (algorithm === 'EC_secp384r1') return 'SHA384WITHECDSA'
  if (algorithm === 'EC_secp521r1') return 'SHA512WITHECDSA'
  return family(algorithm) === 'EC' ? 'SHA256WITHECDSA' : 'SHA256WITHRSA'
}

/** Both halves for WebCrypto, and the parameters to sign with. */
export interface Signer {
  readonly privateKey: webcrypto.CryptoKey
  readonly publicKey: webcrypto.CryptoKey
  readonly parameters: { readonly name: string; readonly hash: string; readonly saltLength: number }
}

/** Readies a private key for one signing algorithm of its family. */
export function signer(key: KeyObject, signing: SigningAlgorithm): Signer {
  const hash = `SHA-${signing.slice(3, 6)}`
  const algorithm = algorithmOf(key)
  if (algorithm === undefined || family(algorithm) !== family(signing)) {
    throw new TypeError(`a ${algorithm ?? key.asymmetricKeyType} key cannot make ${signing}`)
  }
  const rsa = signing.endsWith('PSS') ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5'
  const name = isCurve(algorithm) ? 'ECDSA' : rsa
  const how = isCurve(algorithm)
    ? { name, namedCurve: CURVES[algorithm].web }
    : { name, hash: { name: hash } }
  return {
    privateKey: key.toCryptoKey(how, true, ['sign']),
    publicKey: createPublicKey(key).toCryptoKey(how, true, ['verify']),
    parameters: { name, hash, saltLength: Number(signing.slice(3, 6)) / 8 },
  }
}

function isCurve(algorithm: KeyAlgorithm): algorithm is keyof typeof CURVES {
  return algorithm in CURVES
}
