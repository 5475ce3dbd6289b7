/** What one key asks for; the same for every try, so that an answer that was lost is not paid twice. */
export interface Petition {
  /** PKCS#10 (RFC 2986), DER. */
  readonly csr: Uint8Array
  /** UUID of this request. */
  readonly token: string
  /** When it was made, epoch milliseconds. */
  readonly at: number
}

/** What was signed, PEM. */
export interface Certified {
  readonly certificate: string
  /** Without the leaf and without the root; may be empty. */
  readonly chain: string
  /** The roots that it ends with, as the authority names them. */
  readonly anchors: string
}

/** Has requests of this task signed, by its role. In production: the function certrelay-sign, or AWS Private CA. */
export interface Certifier {
  /** @throws ACCESS_REFUSED, NAME_REFUSED, PROFILE_REFUSED, AUTHORITY_MISSING, CSR_INVALID, SERVICE_UNAVAILABLE */
  certify(petition: Petition): Promise<Certified>
}
