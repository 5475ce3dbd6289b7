import type { KeyObject } from 'node:crypto'
import type { Secret } from './secret.ts'

/** A private key that was made just now, and its PKCS#8 (DER), which who has it wipes. */
export interface KeyPair {
  readonly key: KeyObject
  readonly pkcs8: Secret
}
