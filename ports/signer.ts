/** How an authority signs: the key's algorithm and the hash that goes with it (authority/hash.ts; RSA is PKCS#1 v1.5). */
export type Signing = 'P-256' | 'P-384' | 'P-521' | 'RSA-2048' | 'RSA-3072' | 'RSA-4096' | 'Ed25519'

/** Signs with a CA key that it never gives away. Kept for one operation: `close` wipes what was opened. */
export interface Signer {
  readonly signing: Signing
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array
  /**
   * The signature over `bytes` as X.509 carries it: DER for ECDSA (RFC 3279 2.2.3), raw for Ed25519 (RFC 8410).
   * @throws ACCESS_REFUSED, KEY_DISABLED, SEALED_INVALID, CONTEXT_MISMATCH, SERVICE_UNAVAILABLE
   */
  sign(bytes: Uint8Array): Promise<Uint8Array>
  close(): void
}
