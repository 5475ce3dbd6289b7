/** What an authority signs: CFSSL's configuration, read and checked. Durations are milliseconds, dates epoch milliseconds. */
export interface Policy {
  /** For requests that name no profile. */
  readonly standard: Profile
  readonly profiles: ReadonlyMap<string, Profile>
}

/** What certificates of one kind look like. */
export interface Profile {
  /** Names of usages as CFSSL spells them, key usages and extended ones: `signing`, `server auth`. */
  readonly usages: readonly string[]
  readonly expiry: number
  readonly backdate: number
  readonly notBefore?: number
  readonly notAfter?: number
  readonly issuerUrls: readonly string[]
  readonly ocspUrl?: string
  readonly crlUrl?: string
  readonly ocspNoCheck: boolean
  readonly ca?: { readonly pathLength?: number }
  /** HMAC keys that open `authsign`: the current one, then the former one. */
  readonly authKeys: readonly AuthKey[]
  /** Whether `authsign` wants the time of a request under a token of its own: CFSSL's leaves it out, and opens as long as its key does. */
  readonly timed?: boolean
  /** Whether `authKeys` revoke certificates of the authority too, whatever profile made them. */
  readonly revokes?: boolean
  /** Whether a common name, DNS name, email address, URI or IP address may stand in a certificate: CFSSL's `name_whitelist` (RE2), over the whole name unless it was read as CFSSL does. */
  readonly allows?: (name: string) => boolean
  readonly csr?: Whitelist
  readonly copyExtensions: boolean
  /** OIDs that the extensions of a request may have. */
  readonly extensions: readonly string[]
  readonly policies: readonly CertificatePolicy[]
  readonly clientSerials: boolean
  /** Whether dates of a request may go beyond what the profile gives; inside it they always count. CFSSL lets them go anywhere. */
  readonly clientDates: boolean
  /** `expiry` as the configuration writes it. */
  readonly expiryText?: string
  /** Another signer answers for this profile; what else the profile says does not count. */
  readonly remote?: Remote
  /** Certificates that are never valid: a canary walks the whole path and makes nothing useful. */
  readonly canary: boolean
  /** What of the hardening is turned back to CFSSL's way; nothing by default. */
  readonly allowances?: Partial<Allowances>
}

/** A profile that says nothing beyond its usages and dates. */
export const BARE = {
  ocspNoCheck: false,
  authKeys: [],
  copyExtensions: false,
  extensions: [],
  policies: [],
  clientSerials: false,
  clientDates: false,
  canary: false,
} as const satisfies Omit<Profile, 'usages' | 'expiry' | 'backdate' | 'issuerUrls'>

/** What CFSSL lets happen and a careful authority does not: each is a switch of its own, off unless said otherwise here. */
export interface Allowances {
  /** Subject alternative names at most; CFSSL sets no limit. */
  readonly mostNames: number
  /** `*.example.com`, which stands for names that nobody listed. */
  readonly wildcards: boolean
  /** IP addresses as names; allowed. */
  readonly addresses: boolean
  /** Email addresses as names; allowed. */
  readonly emails: boolean
  /** URIs as names; allowed. */
  readonly uris: boolean
  /** Names that are no host, mailbox or URI: no client could ever match them. */
  readonly malformedNames: boolean
  /** IP addresses that `allows` is not asked about. */
  readonly unlistedAddresses: boolean
  /** The URL of a revocation list of the client's choice. */
  readonly crlOverride: boolean
  /** Certificates that end after their issuer; otherwise they end with it. */
  readonly outliveIssuer: boolean
  /** Copied extensions that replace what the profile says of usages, policies and URLs. */
  readonly copiesReplace: boolean
  /** `cert sign` in a certificate that is no CA's (RFC 5280 4.2.1.9 forbids it); otherwise it is left out. */
  readonly strayCertSign: boolean
  /** RSA exponents from 5 to 65535. */
  readonly smallExponents: boolean
}

export const HARDENED: Allowances = {
  mostNames: 100,
  wildcards: false,
  addresses: true,
  emails: true,
  uris: true,
  malformedNames: false,
  unlistedAddresses: false,
  crlOverride: false,
  outliveIssuer: false,
  copiesReplace: false,
  strayCertSign: false,
  smallExponents: false,
}

export interface AuthKey {
  readonly name: string
  /** Wipes nothing: the key lives as long as the policy. Never printed. */
  readonly verify: (request: Uint8Array, token: Uint8Array) => boolean
}

/** A signer elsewhere that speaks CFSSL's protocol. */
export interface Remote {
  /** `host`, `host:port` or a URL without a path; tried in their order. */
  readonly hosts: readonly string[]
  /** The token that opens `authsign` there; absent: `sign` is asked. */
  readonly token?: (request: Uint8Array) => Uint8Array
}

/** Which parts of a CSR a profile takes over (CFSSL's `CSRWhitelist`). */
export interface Whitelist {
  readonly subject: boolean
  readonly publicKeyAlgorithm: boolean
  readonly publicKey: boolean
  readonly signatureAlgorithm: boolean
  readonly dnsNames: boolean
  readonly ipAddresses: boolean
  readonly emailAddresses: boolean
  readonly uris: boolean
}

/** A policy OID with its qualifiers (RFC 5280 4.2.1.4). */
export interface CertificatePolicy {
  readonly oid: string
  readonly qualifiers: readonly { readonly type: 'cps' | 'notice'; readonly value: string }[]
}
