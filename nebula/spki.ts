import { keyKind } from '../pki/key.ts'
import type { Curve } from './curve.ts'

/** What stands before the raw key in a SubjectPublicKeyInfo (RFC 8410 section 4, RFC 5480 section 2). */
const HEAD = {
  Ed25519: Buffer.from('302a300506032b6570032100', 'hex'),
  X25519: Buffer.from('302a300506032b656e032100', 'hex'),
  'P-256': Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex'),
} as const

/** A raw public key as SubjectPublicKeyInfo, DER. */
export function spki(kind: keyof typeof HEAD, key: Uint8Array): Buffer {
  return Buffer.concat([HEAD[kind], key])
}

/** A CA's public key, raw, and its curve; `undefined` for a key that Nebula does not know. */
export function rawKey(info: Uint8Array): { curve: Curve; key: Uint8Array } | undefined {
  const kind = keyKind(info)
  if (kind.family === 'ed25519') return { curve: '25519', key: info.subarray(HEAD.Ed25519.length) }
  if (kind.family !== 'ec' || kind.curve !== 'P-256') return undefined
  return { curve: 'P256', key: info.subarray(HEAD['P-256'].length) }
}
