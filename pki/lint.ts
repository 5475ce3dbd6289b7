import { type Certificate, selfIssued, serialText, valuesOf } from './certificate.ts'
import { isFault } from './der.ts'
import type { Known } from './extensions.ts'
import { strong } from './key.ts'
import { USAGE } from './oids.ts'
import { isHost } from './syntax.ts'

/** What a careful CA would do otherwise. `error`: RFC 5280 says MUST; `warning`: SHOULD, or good practice. */
export interface Remark {
  readonly code:
    | 'EXTENSION_INVALID'
    | 'NAMES_MISSING'
    | 'COMMON_NAME_ALONE'
    | 'KEY_USAGE_MISSING'
    | 'KEY_USAGE_UNFIT'
    | 'VALIDITY_LONG'
    | 'KEY_WEAK'
    | 'SIGNATURE_WEAK'
    | 'SERIAL_SHORT'
    | 'AUTHORITY_KEY_MISSING'
    | 'SUBJECT_KEY_MISSING'
    | 'OUTLIVES_ISSUER'
  /** `leaf`, `chain[0]` …, `anchor`. */
  readonly certificate: string
  /** The rule, with its section. */
  readonly rule: string
  readonly severity: 'error' | 'warning'
}

const DAY = 86_400_000
/** ACM's certificates are valid for 395 days, and what lives longer is seldom renewed by a machine. Days. */
const LONGEST = 398

type Rule = Pick<Remark, 'code' | 'rule' | 'severity'> & {
  readonly broken: (one: Certificate, known: Known, leaf: boolean) => boolean
}

const RULES: readonly Rule[] = [
  {
    code: 'EXTENSION_INVALID',
    rule: 'an extension holds what its syntax allows (RFC 5280 4.2)',
    severity: 'error',
    broken: (one) => isFault(one.known()),
  },
  {
    code: 'NAMES_MISSING',
    rule: 'a leaf has subject alternative names (RFC 5280 4.2.1.6, RFC 9525 6.3)',
    severity: 'error',
    broken: (_, { names }, leaf) => leaf && names === undefined,
  },
  {
    code: 'COMMON_NAME_ALONE',
    rule: 'a common name that is a host is a subject alternative name too (RFC 9525 6.3)',
    severity: 'warning',
    broken: ({ subject }, { names = [] }, leaf) =>
      leaf &&
      subject.common.some(
        (host) =>
          host.includes('.') &&
          isHost(host) &&
          !names.some(
            (name) => name.form === 'dns' && name.value.toLowerCase() === host.toLowerCase(),
          ),
      ),
  },
  {
    code: 'KEY_USAGE_MISSING',
    rule: 'a CA says what its key is for (RFC 5280 4.2.1.3)',
    severity: 'error',
    broken: (_, { keyUsage }, leaf) => !leaf && keyUsage === undefined,
  },
  {
    code: 'KEY_USAGE_UNFIT',
    rule: 'a leaf signs, with ECDSA and Ed25519 nothing else; it enciphers no keys (RFC 5480 section 3, RFC 8410 section 5)',
    severity: 'warning',
    broken: (one, { keyUsage }, leaf) =>
      leaf &&
      keyUsage !== undefined &&
      (!keyUsage.has(USAGE.digitalSignature) ||
        (one.kind().family !== 'rsa' &&
          [USAGE.keyEncipherment, USAGE.dataEncipherment].some((bit) => keyUsage.has(bit)))),
  },
  {
    code: 'VALIDITY_LONG',
    rule: `a leaf is valid for ${LONGEST} days at most (good practice; RFC 5280 4.1.2.5 sets no limit)`,
    severity: 'warning',
    broken: ({ notBefore, notAfter }, _, leaf) =>
      leaf && notAfter.at - notBefore.at > LONGEST * DAY,
  },
  {
    code: 'KEY_WEAK',
    rule: 'RSA of 2,048 bits or more, P-256, P-384, P-521 or Ed25519 (NIST SP 800-57, RFC 5280 4.1.2.7)',
    severity: 'error',
    broken: (one) => !strong(one.kind()),
  },
  {
    code: 'SIGNATURE_WEAK',
    rule: 'no signature with SHA-1 or MD5 (RFC 9155, RFC 5280 4.1.1.2)',
    severity: 'error',
    broken: (one) => one.algorithm.scheme === 'weak' && !selfIssued(one),
  },
  {
    code: 'SERIAL_SHORT',
    rule: 'a serial with 64 random bits (BR 7.1; RFC 5280 4.1.2.2 wants it unique)',
    severity: 'warning',
    broken: (one, _, leaf) => leaf && serialText(one).length < 15,
  },
  {
    code: 'AUTHORITY_KEY_MISSING',
    rule: 'an authority key identifier, unless self-signed (RFC 5280 4.2.1.1)',
    severity: 'error',
    broken: (one, { authorityKey }) => authorityKey === undefined && !selfIssued(one),
  },
  {
    code: 'SUBJECT_KEY_MISSING',
    rule: 'a CA has a subject key identifier, a leaf should (RFC 5280 4.2.1.2)',
    severity: 'warning',
    broken: (_, { subjectKey }) => subjectKey === undefined,
  },
]

/** Remarks on certificates that stand in the order of a path, leaf first; `anchored` when the last one is the anchor. */
export function lint(path: readonly Certificate[], anchored = true): Remark[] {
  return path.flatMap((one, index) => {
    const certificate = place(index, anchored ? path.length - 1 : path.length)
    const remarks = RULES.filter(({ broken }) => broken(one, valuesOf(one), index === 0)).map(
      ({ code, rule, severity }): Remark => ({ code, certificate, rule, severity }),
    )
    const issuer = path[index + 1]
    if (issuer === undefined || issuer.notAfter.at >= one.notAfter.at) return remarks
    const rule = 'no certificate ends after the one that issued it (RFC 5280 6.1.3 (a)(2))'
    return [...remarks, { code: 'OUTLIVES_ISSUER', certificate, rule, severity: 'warning' }]
  })
}

function place(index: number, anchor: number): string {
  if (index === 0) return 'leaf'
  return index === anchor ? 'anchor' : `chain[${index - 1}]`
}
