/** Nebula's two curves: Ed25519 for CAs with X25519 for hosts, or P-256 for both. */
export type Curve = '25519' | 'P256'

/** Octets of a public key: 32, or an uncompressed point. */
export const KEY_OCTETS: Readonly<Record<Curve, number>> = { '25519': 32, P256: 65 }

/** How Nebula writes a curve: as a number, and for people. */
export const CURVE_NUMBER: Readonly<Record<Curve, number>> = { '25519': 0, P256: 1 }
export const CURVE_NAME: Readonly<Record<Curve, string>> = { '25519': 'CURVE25519', P256: 'P256' }

/** The curve that somebody means: the names that nebula-cert takes. */
export function curveOf(word: string): Curve | undefined {
  if (word === 'P256') return 'P256'
  return ['25519', 'X25519', 'Curve25519', 'CURVE25519'].includes(word) ? '25519' : undefined
}
