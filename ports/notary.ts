import type { Secret } from '../pki/secret.ts'
import type { OwnAlgorithm } from '../pki/tags.ts'

/** What an authority of our own is asked to certify. */
export interface Petition {
  /** Of the authority. */
  readonly label: string
  /** Absent: its standard profile. */
  readonly profile?: string
  /** PKCS#10 (RFC 2986), DER. */
  readonly csr: Uint8Array
}

/** What was signed, PEM. */
export interface Signed {
  readonly certificate: string
  /** Without the leaf and without the root; may be empty. */
  readonly chain: string
}

/** Has authorities of our own sign. In production: the function certrelay-sign, which may live in another account. */
export interface Notary {
  /**
   * Signs at once, and a certificate more for each call: what nobody stores is an orphan whose key is gone.
   * @throws AUTHORITY_MISSING, PROFILE_REFUSED, NAME_REFUSED, CSR_INVALID, ACCESS_REFUSED, SERVICE_UNAVAILABLE, ISSUE_BROKEN
   */
  sign(petition: Petition): Promise<Signed>
}

/** A fresh key, and the request that goes with it. */
export interface Demand {
  /** Encrypted PKCS#8 under the passphrase that was given, PEM. */
  readonly privateKey: string
  /** PKCS#10, DER. */
  readonly csr: Uint8Array
}

/** Makes a key and its request in memory; the names are DNS names, IP addresses and URIs, the common name first. */
export type Demands = (
  wish: { readonly names: readonly string[]; readonly keyAlgorithm: OwnAlgorithm },
  passphrase: Secret,
) => Demand
