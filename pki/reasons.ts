/**
 * Why a certificate cannot be on a path: the rule that it breaks, with its source. Codes are public API.
 * Steps as `6.1.3 (a)(1)` are those of RFC 5280 section 6; BR is the CA/Browser Forum's baseline requirements.
 */
export const REASONS = {
  MALFORMED: 'strict DER of at most 65,536 octets (RFC 5280 4.1, X.690 10.1)',
  EXTENSION_INVALID: 'an extension holds what its syntax allows (RFC 5280 4.2)',
  VERSION_INVALID: 'extensions need version 3 (RFC 5280 4.1.2.1)',
  SERIAL_INVALID: 'a positive serial of at most 20 octets (RFC 5280 4.1.2.2)',
  ISSUER_EMPTY: 'the issuer has a name (RFC 5280 4.1.2.4)',
  SUBJECT_EMPTY: 'a CA has a name (RFC 5280 4.1.2.6)',
  TIME_ENCODING: 'UTCTime through 2049, GeneralizedTime after (RFC 5280 4.1.2.5)',
  NOT_YET_VALID: 'notBefore is not in the future (RFC 5280 6.1.3 (a)(2))',
  EXPIRED: 'notAfter is not in the past (RFC 5280 6.1.3 (a)(2))',
  ALGORITHM_MISMATCH: 'the same signature algorithm inside and outside (RFC 5280 4.1.1.2)',
  ALGORITHM_REFUSED:
    'RSA PKCS#1 or PSS, ECDSA or Ed25519, with SHA-256 or longer (RFC 5280 6.1.3 (a)(1))',
  KEY_REFUSED: 'RSA of 2,048 bits or more, P-256, P-384, P-521 or Ed25519 (RFC 5280 6.1.4 (d))',
  CRITICAL_UNKNOWN: 'no critical extension that is not known (RFC 5280 6.1.4 (o), 6.1.5 (f))',
  CRITICALITY_WRONG: 'an extension is as critical as RFC 5280 4.2.1 and 4.2.2 say it must be',
  AUTHORITY_KEY_MISSING:
    'an authority key identifier, unless signed by its own key (RFC 5280 4.2.1.1)',
  SUBJECT_KEY_MISSING: 'a CA has a subject key identifier (RFC 5280 4.2.1.2)',
  CA_MISSING: 'an issuer has basicConstraints CA:TRUE (RFC 5280 6.1.4 (k))',
  CERT_SIGN_MISSING: 'a CA whose key usage is given may sign certificates (RFC 5280 6.1.4 (n))',
  CERT_SIGN_FORBIDDEN: 'only a CA may sign certificates (RFC 5280 4.2.1.9)',
  PATH_LENGTH_FORBIDDEN: 'only a CA limits the path length (RFC 5280 4.2.1.9)',
  CONSTRAINTS_FORBIDDEN: 'only a CA constrains names or policies (RFC 5280 4.2.1.10)',
  CONSTRAINTS_INVALID: 'name constraints are well formed and not empty (RFC 5280 4.2.1.10)',
  NAME_INVALID: 'a subject alternative name is well formed (RFC 5280 4.2.1.6)',
  NAMES_MISSING: 'without a subject there are subject alternative names (RFC 5280 4.1.2.6)',
  NAME_MISMATCH: 'the name that is asked for is a subject alternative name (RFC 9525 6.3)',
  PURPOSE_MISSING: 'extended key usages allow the purpose, in every CA too (RFC 5280 4.2.1.12)',
  USAGE_FORBIDDEN:
    'the key usage of the leaf, where given, allows what is asked for (RFC 5280 4.2.1.3)',
  PATH_LENGTH_EXCEEDED: 'no more CAs below than the path length allows (RFC 5280 6.1.4 (l), (m))',
  TOO_DEEP: 'no more CAs between leaf and anchor than the limit (RFC 5280 6.1.4 (l))',
  NAME_FORBIDDEN: 'no name in an excluded subtree (RFC 5280 6.1.3 (c))',
  NAME_NOT_PERMITTED: 'every name within a permitted subtree (RFC 5280 6.1.3 (b))',
  NAME_UNCHECKABLE: 'no constraint on a kind of name that cannot be compared (RFC 5280 4.2.1.10)',
  POLICY_MAPPED: 'no policy mapping: it is not processed here (RFC 5280 6.1.4 (a), (b))',
  POLICY_MISSING: 'a valid policy where a CA demands one (RFC 5280 6.1.3 (f), 6.1.5 (g))',
  SIGNATURE_INVALID: "signed with the issuer's key (RFC 5280 6.1.3 (a)(1))",
  REVOKED: 'not on the CRL of its issuer (RFC 5280 6.1.3 (a)(3))',
  CRL_INVALID: 'a CRL of the issuer that is given is valid now (RFC 5280 6.3.3)',
  ISSUER_MISSING:
    'issued by a certificate that is given, up to a configured anchor (RFC 5280 6.1.3 (a)(4))',
  LOOP: 'no CA twice on a path (RFC 4158 2.4.2)',
  PROFILE_REFUSED: 'what the Web PKI demands beyond RFC 5280 (BR section 7.1.2)',
  BUDGET_EXHAUSTED: 'found within the budgets for signatures, names and steps',
} as const

export type Reason = keyof typeof REASONS
