import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { KeyPair } from '../pki/keypair.ts'
import { Secret } from '../pki/secret.ts'
import type { Signing } from '../pki/signing.ts'
import type { OwnAlgorithm } from '../pki/tags.ts'

const CURVES = { EC_prime256v1: 'P-256', EC_secp384r1: 'P-384' } as const

/** A fresh private key. */
export function keyOf(algorithm: OwnAlgorithm): KeyObject {
  return algorithm === 'RSA_2048'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    : generateKeyPairSync('ec', { namedCurve: CURVES[algorithm] }).privateKey
}

/** A fresh CA key. */
export function mint(signing: Signing): KeyPair {
  const key = caKey(signing)
  return { key, pkcs8: Secret.of(key.export({ type: 'pkcs8', format: 'der' })) }
}

function caKey(signing: Signing): KeyObject {
  if (signing === 'Ed25519') return generateKeyPairSync('ed25519').privateKey
  if (signing.startsWith('P-')) return generateKeyPairSync('ec', { namedCurve: signing }).privateKey
  return generateKeyPairSync('rsa', { modulusLength: Number(signing.slice('RSA-'.length)) })
    .privateKey
}
