import type { Bundle } from '../pki/bundle.ts'
import type { Secret } from '../pki/secret.ts'

/** What a peer is trusted by, and the version it was read from. */
export interface Anchors {
  readonly version: string
  /** Roots, PEM, concatenated. */
  readonly anchors: string
  /** Revocation lists, PEM, concatenated. */
  readonly crl?: string
  /** CAs below the roots that issued a list, PEM, concatenated. */
  readonly issuers?: string
}

/** How a certificate was made whose key was made here; kept beside it. Public. */
export interface Made {
  /** Digest of the order that it fulfils. */
  readonly by: string
  /** When it came, ISO 8601, UTC: its life counts from then. */
  readonly at: string
  /** Roots of its own chain, PEM, concatenated. */
  readonly anchors: string
  /** Names that were asked for, which it must have; empty when none were. */
  readonly names: readonly string[]
}

/** One certificate and its key. */
export interface Identity {
  /** Version id of the secret. */
  readonly version: string
  readonly bundle: Bundle
  /** Opened; whoever receives it wipes it. */
  readonly passphrase: Secret
  /** Absent when it came from a secret. */
  readonly made?: Made
}

/** Everything that one version needs to be laid out. */
export interface Material extends Identity {
  readonly trust: Anchors
  /** For the same listener, with a key of another algorithm. */
  readonly second?: Identity
  /** The region that answered, when it was not the primary: its copy may be older. */
  readonly replica?: string
}

/** Which versions are current. */
export interface Versions {
  readonly version: string
  readonly trust: string
  readonly second?: string
}

/** Where material comes from. In production: Secrets Manager and KMS in two regions. */
export interface Source {
  /**
   * Cheap, and reads no secret value.
   *
   * @param asked somebody wants a newer one now: who makes its own makes one
   * @throws SECRET_MISSING, ACCESS_REFUSED, SERVICE_UNAVAILABLE
   */
  look(asked?: boolean): Promise<Versions>
  /**
   * The current version.
   *
   * @throws SECRET_MISSING, ACCESS_REFUSED, SERVICE_UNAVAILABLE, BUNDLE_INVALID, CONTEXT_MISMATCH, SEALED_INVALID, KEY_DISABLED
   */
  fetch(): Promise<Material>
}

/** Which versions material is made of. */
export function versionsOf({ version, trust, second }: Material): Versions {
  return { version, trust: trust.version, ...(second && { second: second.version }) }
}

/** Overwrites what was opened. */
export function wipe({ passphrase, second }: Material): void {
  passphrase.wipe()
  second?.passphrase.wipe()
}
