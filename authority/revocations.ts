/** A certificate that must not be trusted any more. */
export interface Revocation {
  /** Lower-case hex without leading zeros. */
  readonly serial: string
  /** CRLReason (RFC 5280 5.3.1): 0 to 10, without 7. */
  readonly reason: number
  /** Epoch milliseconds. */
  readonly at: number
}

/** Remembers which certificates of which authority were revoked. */
export interface Revocations {
  /** Revoking twice changes nothing: the first time counts. @throws SERVICE_UNAVAILABLE */
  revoke(label: string, revocation: Revocation): Promise<void>
  /** In the order in which they were revoked. @throws SERVICE_UNAVAILABLE */
  list(label: string): Promise<readonly Revocation[]>
}
