import type { Certificate } from './certificate.ts'
import { soundConstraints } from './constraints.ts'
import { isFault } from './der.ts'
import type { Known } from './extensions.ts'
import { strong } from './key.ts'
import { EXTENSION, USAGE } from './oids.ts'
import type { Reason } from './reasons.ts'
import { wellFormed } from './syntax.ts'
import { type Profile, webpki } from './webpki.ts'

/** Where a certificate stands on a path. An anchor is checked like a CA, but for what only its issuer answers for. */
export type Role = 'leaf' | 'ca' | 'anchor'

/** The circumstances of a search that rules look at. `now` in epoch milliseconds. */
export interface Circumstances {
  readonly now: number
  readonly profile: Profile
}

/** A certificate with its extension values read. */
interface Read {
  readonly one: Certificate
  readonly known: Known
  readonly role: Role
}

/** The first rule of one certificate alone that it breaks (RFC 5280 4.1, 4.2, and of 6.1.3 and 6.1.4 what needs no other certificate). */
export function broken(one: Certificate, role: Role, about: Circumstances): Reason | undefined {
  const known = one.known()
  if (isFault(known)) return 'EXTENSION_INVALID'
  const read = { one, known, role }
  return (
    body(read) ??
    valid(one, about.now) ??
    criticality(read, about.profile) ??
    (role === 'leaf' ? leaf(read) : issuer(read)) ??
    names(read) ??
    (about.profile === 'webpki' ? webpki(one, known, role) : undefined)
  )
}

/** Fields outside the extensions. What an anchor's own serial and signature say does not matter: nobody checks them. */
function body({ one, role }: Read): Reason | undefined {
  if (one.version < 3 && one.extensions.length > 0) return 'VERSION_INVALID'
  if (one.issuer.keys.length === 0) return 'ISSUER_EMPTY'
  if (role !== 'leaf' && one.subject.keys.length === 0) return 'SUBJECT_EMPTY'
  if (!one.consistent) return 'ALGORITHM_MISMATCH'
  if (role !== 'anchor') {
    if (!soundSerial(one.serial)) return 'SERIAL_INVALID'
    if (['weak', 'unknown'].includes(one.algorithm.scheme)) return 'ALGORITHM_REFUSED'
  }
  if (!one.notBefore.proper || !one.notAfter.proper) return 'TIME_ENCODING'
  return strong(one.kind()) ? undefined : 'KEY_REFUSED'
}

/** The octet that only keeps a number positive does not count among the 20. */
function soundSerial(serial: Uint8Array): boolean {
  const [first = 0] = serial
  const octets = first === 0 ? serial.length - 1 : serial.length
  return first < 0x80 && octets >= 1 && octets <= 20
}

/** Both ends belong to the validity, and a moment counts from its whole second (RFC 5280 4.1.2.5). */
function valid(one: Certificate, now: number): Reason | undefined {
  const second = Math.floor(now / 1_000) * 1_000
  // asked this way round, a time that is none is refused
  if (!(one.notBefore.at <= second)) return 'NOT_YET_VALID'
  return second <= one.notAfter.at ? undefined : 'EXPIRED'
}

const NEVER_CRITICAL: ReadonlySet<string> = new Set([
  EXTENSION.authorityKey,
  EXTENSION.subjectKey,
  EXTENSION.access,
  EXTENSION.subjectAccess,
  EXTENSION.freshest,
  EXTENSION.directory,
])
const ALWAYS_CRITICAL: ReadonlySet<string> = new Set([
  EXTENSION.policyConstraints,
  EXTENSION.inhibitAny,
])
/** What is processed, and so may be critical. */
const PROCESSED: ReadonlySet<string> = new Set([
  EXTENSION.basic,
  EXTENSION.keyUsage,
  EXTENSION.purposes,
  EXTENSION.names,
  EXTENSION.issuerNames,
  EXTENSION.constraints,
  EXTENSION.policies,
  EXTENSION.mappings,
  EXTENSION.distribution,
  ...ALWAYS_CRITICAL,
])

function criticality({ one, known, role }: Read, profile: Profile): Reason | undefined {
  for (const { id, critical } of one.extensions) {
    if (critical && NEVER_CRITICAL.has(id)) return 'CRITICALITY_WRONG'
    if (critical && !PROCESSED.has(id)) return 'CRITICAL_UNKNOWN'
    if (!critical && ALWAYS_CRITICAL.has(id)) return 'CRITICALITY_WRONG'
    if (!critical && id === EXTENSION.constraints && profile === 'rfc5280')
      return 'CRITICALITY_WRONG'
    if (!critical && id === EXTENSION.basic && role !== 'leaf' && known.basic?.ca === true)
      return 'CRITICALITY_WRONG'
    if (!critical && id === EXTENSION.names && one.subject.keys.length === 0)
      return 'CRITICALITY_WRONG'
  }
  return undefined
}

function leaf({ known }: Read): Reason | undefined {
  const ca = known.basic?.ca === true
  if (!ca && known.keyUsage?.has(USAGE.keyCertSign)) return 'CERT_SIGN_FORBIDDEN'
  return ca ? undefined : limits(known)
}

/** What only a CA may have. */
function limits(known: Known): Reason | undefined {
  if (known.basic?.pathLength !== undefined) return 'PATH_LENGTH_FORBIDDEN'
  const { constraints, policyConstraints, inhibitAny } = known
  return (constraints ?? policyConstraints ?? inhibitAny) === undefined
    ? undefined
    : 'CONSTRAINTS_FORBIDDEN'
}

function issuer({ known }: Read): Reason | undefined {
  if (known.basic?.ca !== true) return 'CA_MISSING'
  if (known.keyUsage?.has(USAGE.keyCertSign) === false) return 'CERT_SIGN_MISSING'
  return known.subjectKey === undefined ? 'SUBJECT_KEY_MISSING' : undefined
}

function names({ one, known, role }: Read): Reason | undefined {
  const { constraints, names: list } = known
  if (constraints !== undefined && !soundConstraints(constraints)) return 'CONSTRAINTS_INVALID'
  if (one.extensions.some(({ id }) => id === EXTENSION.mappings)) return 'POLICY_MAPPED'
  if (list === undefined && one.subject.keys.length === 0) return 'NAMES_MISSING'
  return role === 'anchor' || (list ?? []).every(wellFormed) ? undefined : 'NAME_INVALID'
}

/** Whether a certificate lacks its authority key identifier, which only one signed by its own key may (RFC 5280 4.2.1.1). */
export function lacksAuthorityKey(one: Certificate): boolean {
  const known = one.known()
  return !isFault(known) && known.authorityKey === undefined
}
