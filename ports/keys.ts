import type { Context, Sealed } from '../pki/sealed.ts'
import type { Secret } from '../pki/secret.ts'

/** Seals and opens a few hundred bytes; which regions exist is not the caller's business. */
export interface Keys {
  /** ARNs of the keys that a whole value is sealed under; with fewer copies it is degraded, with others it is of former keys. */
  readonly keys: readonly string[]
  /** @throws SERVICE_UNAVAILABLE when too few regions take part; CONTEXT_MISMATCH, ACCESS_REFUSED, KEY_DISABLED, CONFIG_INVALID */
  seal(bytes: Secret, context: Context): Promise<Sealed>
  /** @throws CONTEXT_MISMATCH, SEALED_INVALID, ACCESS_REFUSED, KEY_DISABLED, CONFIG_INVALID, SERVICE_UNAVAILABLE */
  open(sealed: Sealed, context: Context): Promise<Secret>
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
