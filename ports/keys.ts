import type { CaContext, Context, Sealed } from '../pki/sealed.ts'
import type { Secret } from '../pki/secret.ts'
import type { Signing } from './signer.ts'

/** Seals and opens a few hundred bytes; which regions exist is not the caller's business. */
export interface Keys {
  /** ARNs of the keys that a whole value is sealed under; with fewer copies it is degraded, with others it is of former keys. */
  readonly keys: readonly string[]
  /** @throws SERVICE_UNAVAILABLE when too few regions take part; CONTEXT_MISMATCH, ACCESS_REFUSED, KEY_DISABLED, CONFIG_INVALID */
  seal(bytes: Secret, context: Context): Promise<Sealed>
  /** @throws CONTEXT_MISMATCH, SEALED_INVALID, ACCESS_REFUSED, KEY_DISABLED, CONFIG_INVALID, SERVICE_UNAVAILABLE */
  open(sealed: Sealed, context: Context, hear?: Hear): Promise<Secret>
}

/** Hears of every use of a key that an operation made, once it is over; `kmsRequestId` is empty when no answer was read. */
export type Hear = (use: {
  readonly region: string
  readonly outcome: string
  readonly kmsRequestId: string
  /** How long it took, milliseconds; absent where nobody measured. */
  readonly ms?: number
}) => void

/** Signs with a key that KMS never gives away; which regions have it is not the caller's business. */
export interface Pens {
  /** @throws SERVICE_UNAVAILABLE, ACCESS_REFUSED, KEY_DISABLED, CONFIG_INVALID; CONTEXT_MISMATCH when another key signed */
  sign(writing: Writing, hear?: Hear): Promise<Uint8Array>
  /** SubjectPublicKeyInfo (DER) of each of the keys, in their order. */
  publicKeys(writing: Pick<Writing, 'keys' | 'context'>): Promise<readonly Uint8Array[]>
  /** The value of a tag of each of the keys, in their order; empty where there is none. */
  tags(name: string, writing: Pick<Writing, 'keys' | 'context'>): Promise<readonly string[]>
  /** Takes a tag off each of the keys; where it is not, nothing changes. */
  untag(name: string, writing: Pick<Writing, 'keys' | 'context'>): Promise<void>
}

/** What is to be signed. */
export interface Writing {
  /** ARNs of keys that all hold the same key pair: a multi-Region key and its replicas, the nearest first. */
  readonly keys: readonly string[]
  readonly signing: Signing
  /** The digest by the hash that goes with the key; the message itself, of 4,096 bytes at most, for Ed25519. */
  readonly message: Uint8Array
  /** Whom the key belongs to, for the record: KMS takes no context for signatures. */
  readonly context: CaContext
  /** Whether a signature is one by the key that is meant: any other never leaves. */
  readonly proves: (signature: Uint8Array) => boolean
  /** Whose each key has to be, by its tag, before it signs; absent where the caller has looked. */
  readonly owner?: Owner | undefined
}

/** A tag that says whose a key is. */
export interface Owner {
  readonly tag: string
  readonly value: string
  /** Keys that were seen to have it, and are not asked again: kept as long as the caller believes them. */
  readonly seen: Set<string>
}

/** One asymmetric key in one region. In production: AWS KMS. Errors pass through as the SDK throws them. */
export interface Pen {
  readonly region: string
  /** ARN. */
  readonly key: string
  sign(writing: Pick<Writing, 'signing' | 'message'>, use: Use): Promise<Turned>
  publicKey(use: Use): Promise<Turned>
  /** The value of a tag as UTF-8; no octets where there is none. */
  tag(name: string, use: Use): Promise<Turned>
  /** Takes a tag off; answers no octets. */
  untag(name: string, use: Use): Promise<Turned>
}

/** One key in one region. In production: AWS KMS. Errors pass through as the SDK throws them. */
export interface Keyhole {
  readonly region: string
  /** ARN. */
  readonly key: string
  /** Opens what was sealed under it, and seals no more. */
  readonly former?: boolean
  encrypt(plain: Uint8Array, context: Context, use: Use): Promise<Turned>
  decrypt(blob: Uint8Array, context: Context, use: Use): Promise<Turned>
}

/** One use of a key: it can be given up, and has a name that goes along. */
export interface Use {
  readonly signal: AbortSignal
  /** A word of ten letters and digits. */
  readonly id: string
}

/** What came out, under which key, and KMS's request id (CloudTrail's `requestID`). */
export interface Turned {
  readonly bytes: Uint8Array
  readonly key: string
  readonly requestId: string
  /** Under which context, where the key tells it: AWS KMS authenticates the context and does not answer it. */
  readonly context?: Context
}
