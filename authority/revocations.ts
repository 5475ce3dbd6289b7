import type { Revoked } from './list.ts'

/** Remembers which certificates of which authority must not be trusted any more. */
export interface Revocations {
  /** Revoking twice changes nothing: the first time counts. @throws SERVICE_UNAVAILABLE */
  revoke(label: string, revoked: Revoked): Promise<void>
  /** In the order in which they were revoked. @throws SERVICE_UNAVAILABLE */
  list(label: string): Promise<readonly Revoked[]>
}
