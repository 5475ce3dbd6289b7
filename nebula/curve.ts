/** Nebula's two curves: Ed25519 for CAs with X25519 for hosts, or P-256 for both. */
export type Curve = '25519' | 'P256'
