import type { Bundle } from '../pki/bundle.ts'
import type { Secret } from '../pki/secret.ts'

/** What a peer is trusted by, and the version it was read from. */
export interface Anchors {
  readonly version: string
  /** Roots, PEM, concatenated. */
  readonly anchors: string
}

/** Everything that one version needs to be laid out. */
export interface Material {
  /** Version id of the secret. */
  readonly version: string
  readonly bundle: Bundle
  /** Opened; whoever receives the material wipes it. */
  readonly passphrase: Secret
  readonly trust: Anchors
}

/** Where material comes from. In production: Secrets Manager and KMS in two regions. */
export interface Source {
  /**
   * The current version.
   *
   * @throws SECRET_MISSING, ACCESS_REFUSED, SERVICE_UNAVAILABLE, BUNDLE_INVALID, CONTEXT_MISMATCH, SEALED_INVALID, KEY_DISABLED
   */
  fetch(): Promise<Material>
}
