import type { Secret } from '../pki/secret.ts'

/** Where the records of signing authorities lie. In production: AWS Secrets Manager; for development a folder. */
export interface Archive {
  /** The record in use; `undefined` when there is none. @throws ACCESS_REFUSED, SERVICE_UNAVAILABLE */
  read(label: string): Promise<Secret | undefined>
}
