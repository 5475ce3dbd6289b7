import type { Signing } from '../pki/signing.ts'

export type { Signing }

/** Signs with a CA key that it never gives away. Kept for one operation: `close` wipes what was opened. */
export interface Signer {
  readonly signing: Signing
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
  /**
   * The signature over `bytes` as X.509 carries it: DER for ECDSA (RFC 3279 2.2.3), raw for Ed25519 (RFC 8410). A key in
   * memory answers at once, one elsewhere with a promise.
   * @throws ACCESS_REFUSED, KEY_DISABLED, SEALED_INVALID, CONTEXT_MISMATCH, SERVICE_UNAVAILABLE
   */
  sign(bytes: Uint8Array): Uint8Array | Promise<Uint8Array>
  close(): void
}
