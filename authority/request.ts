import { type Code, RelayError } from '../pki/error.ts'

/** What somebody asks an authority to sign, as it came; the profile decides what of it counts. */
export interface SigningRequest {
  /** DER of a PKCS#10 request (RFC 2986). */
  readonly csr: Uint8Array
  /** Absent or empty: the policy's standard profile. */
  readonly profile?: string
  /** Replaces every SAN of the CSR; each is an IP address, an email address, a URI or a DNS name, tried in this order. */
  readonly hosts?: readonly string[]
  /** Each field that is not empty replaces the CSR's. */
  readonly subject?: Subject
  /** Counts where the profile lets clients choose it. */
  readonly serial?: bigint
  /** Extensions by OID, values in DER; only those that the profile allows. */
  readonly extensions?: readonly Wanted[]
  /** Epoch milliseconds; they may shorten what the profile gives, and more where it lets clients choose them. */
  readonly notBefore?: number
  readonly notAfter?: number
  /** URL of a revocation list in place of the profile's; counts where the profile lets clients choose it. */
  readonly crlUrl?: string
}

/** A subject as CFSSL writes it. */
export interface Subject {
  readonly commonName?: string
  readonly serialNumber?: string
  readonly names: readonly SubjectName[]
}

/** One set of attributes; empty text is absent. */
export interface SubjectName {
  readonly country?: string
  readonly state?: string
  readonly locality?: string
  readonly organization?: string
  readonly unit?: string
  readonly email?: string
  readonly serialNumber?: string
  /** Further attributes by OID. */
  readonly others?: Readonly<Record<string, string>>
}

export interface Wanted {
  readonly oid: string
  readonly critical: boolean
  /** DER. */
  readonly value: Uint8Array
}

/** A certificate that was signed, parsed back and compared with what was allowed. */
export interface Issued {
  /** DER. */
  readonly certificate: Uint8Array
  /** Lower-case hex without leading zeros. */
  readonly serial: string
  /** Epoch milliseconds. */
  readonly notBefore: number
  readonly notAfter: number
  /** Whether it ends, or begins, with its issuer and not when the profile says. */
  readonly clamped: boolean
  /** SANs as text: DNS names, addresses, email addresses, URIs. */
  readonly names: readonly string[]
  /** Name of the profile; empty for the standard one. */
  readonly profile: string
}

/** What makes a request unacceptable; a protocol translates it (cfssl/codes.ts). */
export type Reason =
  | 'csr-decode' // not PEM
  | 'csr-type' // PEM of something else
  | 'csr-parse'
  | 'csr-signature'
  | 'key-weak' // too short, unknown curve, bad exponent, or on the list of known weak keys
  | 'profile-unknown'
  | 'profile-broken' // no usage, or contradictory
  | 'name-refused' // whitelist, or not the caller's own
  | 'ca-refused' // a CA certificate or path length that the profile does not allow
  | 'extension-refused'
  | 'serial-missing'
  | 'serial-taken'
  | 'validity-refused' // beyond the issuer's, or a date that is none
  | 'caller-refused'
  | 'label-unknown'

const CODE: Readonly<Record<Reason, Code>> = {
  'csr-decode': 'CSR_INVALID',
  'csr-type': 'CSR_INVALID',
  'csr-parse': 'CSR_INVALID',
  'csr-signature': 'CSR_INVALID',
  'key-weak': 'CSR_INVALID',
  'profile-unknown': 'PROFILE_REFUSED',
  'profile-broken': 'CONFIG_INVALID',
  'name-refused': 'NAME_REFUSED',
  'ca-refused': 'PROFILE_REFUSED',
  'extension-refused': 'PROFILE_REFUSED',
  'serial-missing': 'PROFILE_REFUSED',
  'serial-taken': 'PROFILE_REFUSED',
  'validity-refused': 'PROFILE_REFUSED',
  'caller-refused': 'ACCESS_REFUSED',
  'label-unknown': 'AUTHORITY_MISSING',
}

/** A request that an authority refuses: nothing was signed. */
export class Refused extends RelayError {
  readonly reason: Reason

  /** `message` as RelayError's: it may quote names that were asked for, and no material. */
  constructor(reason: Reason, message: string) {
    super(CODE[reason], message)
    this.reason = reason
  }
}
