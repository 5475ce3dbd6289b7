import type { Secret } from '../pki/secret.ts'

/** A certificate as its authority describes it. Times in epoch milliseconds. */
export interface Certificate {
  readonly arn: string
  readonly status: 'pending' | 'issued' | 'failed' | 'expired' | 'revoked'
  /** Why it failed, as the authority says; only with status `failed`. */
  readonly failure?: string
  /** Lower-case hex; absent until issued. */
  readonly serial?: string
  readonly notBefore?: number
  readonly notAfter?: number
  /** DNS names, the common name first; from an authority of our own IP addresses and URIs too. */
  readonly names: readonly string[]
  readonly keyAlgorithm: string
  /** ARN of the issuing private CA; absent for certificates that were imported or come from a public CA. */
  readonly authority?: string
  /** Name or ARN of the trust bundle with its anchors, where an authority of our own issued it. */
  readonly trust?: string
  /** The version that holds it, where it is known from there. */
  readonly version?: string
  /** The version in use holds something else than what is wished for, where that is known from there. */
  readonly unmet?: true
  /** True while a renewal is under way: a hint only, the serial decides. */
  readonly renewing: boolean
  /** The last renewal failed, at this time (epoch milliseconds), and why, as the authority says. */
  readonly refused?: { readonly at: number; readonly why: string }
}

/** What to ask for. */
export interface Order {
  readonly authority: string
  /** DNS names, the common name first. */
  readonly names: readonly [string, ...string[]]
  readonly keyAlgorithm: 'RSA_2048' | 'EC_prime256v1' | 'EC_secp384r1'
  /** Same token, same certificate (for an hour): 1 to 32 word characters. */
  readonly token: string
  /** Who it belongs to; only the owner removes it. */
  readonly owner: string
  readonly tags: Readonly<Record<string, string>>
}

/** Certificate and key as exported; the key is encrypted under the passphrase that was given. */
export interface Exported {
  readonly certificate: string
  /** Without the leaf; may end with the root. */
  readonly chain: string
  /** Encrypted PKCS#8, PEM. */
  readonly privateKey: string
}

/** A private CA. */
export interface Issuer {
  readonly arn: string
  readonly status: string
  /** Family of its key: a certificate's key must be of the same. */
  readonly family: 'RSA' | 'EC' | 'other'
  /** True when it issues certificates of 7 days at most, which ACM cannot use. */
  readonly shortLived: boolean
  /** The root of its hierarchy, PEM, from the CA itself and not from any certificate it issued. Absent until it is active. */
  readonly root?: string
}

/** Issues certificates. In production: ACM backed by AWS Private CA. */
export interface Authority {
  /** @throws AUTHORITY_REFUSED, ACCESS_REFUSED, SERVICE_UNAVAILABLE */
  request(order: Order): Promise<string>
  /** @throws CERTIFICATE_MISSING, ACCESS_REFUSED, SERVICE_UNAVAILABLE */
  describe(arn: string): Promise<Certificate>
  /** The leaf alone, PEM. @throws CERTIFICATE_PENDING, CERTIFICATE_MISSING */
  leaf(arn: string): Promise<string>
  /** @throws CERTIFICATE_PENDING until it is issued; CERTIFICATE_REFUSED when it cannot be exported. */
  export(arn: string, passphrase: Secret): Promise<Exported>
  /** Asks for a renewal, which happens later: look for another serial. @throws CERTIFICATE_REFUSED */
  renew(arn: string): Promise<void>
  /** Deletes the certificate if `owner` asked for it; true when it is gone. */
  remove(arn: string, owner: string): Promise<boolean>
  /** @throws AUTHORITY_MISSING */
  issuer(arn: string): Promise<Issuer>
}
