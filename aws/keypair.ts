import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { OwnAlgorithm } from '../pki/tags.ts'

const CURVES = { EC_prime256v1: 'P-256', EC_secp384r1: 'P-384' } as const

/** A fresh private key. */
export function keyOf(algorithm: OwnAlgorithm): KeyObject {
  return algorithm === 'RSA_2048'
    ? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    : generateKeyPairSync('ec', { namedCurve: CURVES[algorithm] }).privateKey
}
