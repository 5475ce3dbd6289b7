/** A revocation list as its authority gives it out. */
export interface Given {
  /** PEM. */
  readonly list: string
  /** PEM: from who signed it up, without the root. */
  readonly issuer: string
  readonly number: string
  /** ISO 8601. */
  readonly nextUpdate: string
}

/** Asks authorities of our own for their revocation lists. In production: the function certrelay-sign. */
export interface Lister {
  /**
   * One for each root, the first of the one that signs certificates: as it was given before, or new when half of its life is over or
   * something was revoked since. None of an authority that has no lists: for Nebula, or without a certificate yet.
   * @throws AUTHORITY_MISSING, CHAIN_BROKEN, ACCESS_REFUSED, SERVICE_UNAVAILABLE
   */
  lists(label: string): Promise<readonly Given[]>
}

/** A trust bundle, and the labels of the authorities whose lists belong into it. */
export interface Listening {
  readonly secret: string
  readonly labels: readonly string[]
}

/** Finds who needs lists. In production: Secrets Manager. */
export interface Directory {
  /** Trust bundles that name authorities of our own, page by page; no replicas. @throws ACCESS_REFUSED, SERVICE_UNAVAILABLE */
  listening(): AsyncIterable<readonly Listening[]>
  /** Labels of all authorities that have a record. @throws ACCESS_REFUSED, SERVICE_UNAVAILABLE */
  labels(): Promise<readonly string[]>
  /** Records with a root whose key may still be open to the function that founded it, page by page. @throws as `labels` */
  founding(): AsyncIterable<readonly { readonly secret: string; readonly label: string }[]>
}
