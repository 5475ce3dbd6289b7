import type { Context, Sealed } from '../pki/sealed.ts'
import type { Secret } from '../pki/secret.ts'

/** Seals and opens a few hundred bytes; which regions exist is not the caller's business. */
export interface Keys {
  /** @throws SERVICE_UNAVAILABLE when a region cannot take part; ACCESS_REFUSED, KEY_DISABLED */
  seal(bytes: Secret, context: Context): Promise<Sealed>
  /** @throws CONTEXT_MISMATCH, SEALED_INVALID, ACCESS_REFUSED, KEY_DISABLED, SERVICE_UNAVAILABLE */
  open(sealed: Sealed, context: Context): Promise<Secret>
}

/** One key in one region. In production: AWS KMS. Errors pass through as the SDK throws them. */
export interface Keyhole {
  readonly region: string
  /** ARN. */
  readonly key: string
  encrypt(plain: Uint8Array, context: Context): Promise<Turned>
  decrypt(blob: Uint8Array, context: Context): Promise<Turned>
}

/** What came out, under which key, and KMS's request id (CloudTrail's `requestID`). */
export interface Turned {
  readonly bytes: Uint8Array
  readonly key: string
  readonly requestId: string
}
