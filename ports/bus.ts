/** What everybody may hear: which secret, and where the certificate that it holds is from. References only, no material. */
interface About {
  /** ARN of the secret. */
  readonly secret: string
  /** As the tag has it: ARN of the ACM certificate, or `certrelay:LABEL`, maybe with `/PROFILE`: an authority of certrelay's own. */
  readonly source: string
  /** Version id that the news is about. */
  readonly version: string
}

/** A version passed its check and became AWSCURRENT. */
export interface Promoted extends About {
  readonly kind: 'Promoted'
  /** What was current before; absent for the first. */
  readonly previous?: string
}

/** Every service of the secret runs with the version. */
export interface Deployed extends About {
  readonly kind: 'Deployed'
  /** `cluster/service`. */
  readonly services: readonly string[]
}

/** A rollout of `version` failed: `previous` is current again. */
export interface RolledBack extends About {
  readonly kind: 'RolledBack'
  readonly previous: string
  /** In words, with the service that failed. */
  readonly reason: string
  /** `cluster/service`: those that are rolled out again. */
  readonly services: readonly string[]
}

/** A version failed its check and was never current. */
export interface Rejected extends About {
  readonly kind: 'Rejected'
  /** Codes of the findings, separated by spaces (docs/bundle.md). */
  readonly reason: string
}

/** The version in use ends soon, and nothing has replaced it. */
export interface ExpiryNear extends About {
  readonly kind: 'ExpiryNear'
  /** Epoch milliseconds. */
  readonly notAfter: number
  /** Whole days that are left, 0 on the last and below when it is over. */
  readonly days: number
}

/** Something that a person or a program may want to hear about. */
export type News = Promoted | Deployed | RolledBack | Rejected | ExpiryNear

/** Tells whoever listens. In production: the default bus of Amazon EventBridge. */
export interface Bus {
  /** May tell twice, and what is told may be lost: nothing that matters hangs on it. @throws SERVICE_UNAVAILABLE, ACCESS_REFUSED */
  tell(news: News): Promise<void>
}
