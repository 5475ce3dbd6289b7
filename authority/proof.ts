import { type Certificate, parseCertificate, serialText, valuesOf } from '../pki/certificate.ts'
import { buffer, content, enter, isFault, raw, whole } from '../pki/der.ts'
import { RelayError } from '../pki/error.ts'
import type { Known } from '../pki/extensions.ts'
import { signedBy } from '../pki/key.ts'
import { lint } from '../pki/lint.ts'
import { type GeneralName, keyOf } from '../pki/names.ts'
import { EXTENSION, USAGE } from '../pki/oids.ts'
import type { Issuer } from './issuer.ts'
import type { Plan } from './plan.ts'
import type { Part, Parts } from './subject.ts'
import { usagesOf } from './usages.ts'

/** What to hold a certificate against. */
export interface Claim {
  readonly plan: Plan
  readonly issuer: Issuer
  readonly serial: Uint8Array
}

/**
 * Reads a certificate back with the reader that peers' certificates are read with, and compares it with what was allowed.
 *
 * @throws ISSUE_BROKEN: the certificate must not leave
 */
export function proved(der: Uint8Array, claim: Claim): Certificate {
  const one = parseCertificate(der)
  if (isFault(one)) throw broken('it cannot be read')
  const known = one.known()
  if (isFault(known)) throw broken('an extension cannot be read')
  const read: Read = { ...claim, one, known }
  const flaw = CHECKS.find(({ holds }) => !holds(read))
  if (flaw !== undefined) throw broken(flaw.what)
  return one
}

function broken(what: string): RelayError {
  return new RelayError(
    'ISSUE_BROKEN',
    `what was signed is not what was allowed (${what}): it was thrown away, tell the maintainers`,
  )
}

interface Read extends Claim {
  readonly one: Certificate
  readonly known: Known
}

interface Check {
  readonly what: string
  readonly holds: (read: Read) => boolean
}

const CHECKS: readonly Check[] = [
  { what: 'version', holds: ({ one }) => one.version === 3 && one.consistent },
  {
    what: 'issuer',
    holds: ({ one, issuer }) =>
      one.issuer.keys.join('\n') === issuer.certificate.subject.keys.join('\n'),
  },
  { what: 'serial', holds: soundSerial },
  {
    what: 'subject',
    holds: ({ one, plan }) => one.subject.keys.join('\n') === keysOf(plan.subject),
  },
  { what: 'public key', holds: ({ one, plan }) => buffer(plan.key).equals(one.key) },
  { what: 'validity', holds: soundValidity },
  { what: 'basic constraints', holds: soundBasic },
  { what: 'usages', holds: soundUsages },
  { what: 'names', holds: ({ known, plan }) => sameNames(known.names ?? [], plan.names) },
  {
    what: 'key identifiers',
    holds: ({ known, plan, issuer }) =>
      known.subjectKey === buffer(plan.keyId).toString('hex') &&
      known.authorityKey?.key === buffer(issuer.keyId).toString('hex'),
  },
  { what: 'extensions', holds: soundExtensions },
  { what: 'lint', holds: soundLint },
  {
    what: 'signature',
    holds: ({ one, issuer }) => signedBy(issuer.key, issuer.certificate.kind(), one),
  },
]

/** Positive and at most 20 octets (RFC 5280 4.1.2.2). */
function soundSerial({ one, serial }: Read): boolean {
  const text = serialText(one)
  return text.length <= 40 && text !== '0' && text === serialText({ serial })
}

/** As our reader keeps names; relative names of several attributes are sets. */
function keysOf(subject: Parts): string {
  return subject.map((relative) => relative.map(keyOfPart).sort().join('\n')).join('\n')
}

function keyOfPart({ id, text, der }: Part): string {
  if (text !== undefined) return keyOf(id, text)
  const fields = enter(whole(der))
  fields.next()
  return `${id}=#${raw(fields.next()).toString('hex')}`
}

function soundValidity({ one, plan, issuer }: Read): boolean {
  const { notBefore, notAfter } = one
  const { validity, profile } = plan
  if (notBefore.at !== validity.notBefore || notAfter.at !== validity.notAfter) return false
  if (!notBefore.proper || !notAfter.proper) return false
  if (profile.canary) return notAfter.at < notBefore.at
  if (notAfter.at < notBefore.at) return false
  if (profile.allowances?.outliveIssuer === true) return true
  const { certificate } = issuer
  return notBefore.at >= certificate.notBefore.at && notAfter.at <= certificate.notAfter.at
}

/** A CA where the profile makes one, with a path length inside its own and its issuer's. */
function soundBasic({ one, known, plan, issuer }: Read): boolean {
  const { basic } = known
  const { ca } = plan.profile
  if (basic?.ca !== (ca !== undefined)) return false
  if (ca === undefined) return basic.pathLength === undefined
  const { pathLength = Number.POSITIVE_INFINITY } = basic
  const limit = limitOf(one, issuer) ?? Number.POSITIVE_INFINITY
  const own = ca.pathLength ?? Number.POSITIVE_INFINITY
  return pathLength <= own && (limit === Number.POSITIVE_INFINITY || pathLength < limit)
}

/** A root's path length limits what is below it, not itself. */
function limitOf(one: Certificate, { certificate }: Issuer): number | undefined {
  if (buffer(one.der).equals(certificate.der)) return undefined
  return valuesOf(certificate).basic?.pathLength
}

/** The profile's, each of them and no other, unless a request was allowed to replace them. */
function soundUsages({ known, plan }: Read): boolean {
  const { profile, replaced } = plan
  const { bits, purposes } = usagesOf(profile.usages)
  const allowed = [...bits].filter(
    (bit) =>
      bit !== USAGE.keyCertSign ||
      profile.ca !== undefined ||
      profile.allowances?.strayCertSign === true,
  )
  const keyUsage = [...(known.keyUsage ?? [])]
  return (
    (replaced.has(EXTENSION.keyUsage) || sameSet(keyUsage, allowed)) &&
    (replaced.has(EXTENSION.purposes) || sameSet(known.purposes ?? [], purposes)) &&
    (replaced.has(EXTENSION.policies) ||
      sameSet(
        known.policies ?? [],
        profile.policies.map(({ oid }) => oid),
      ))
  )
}

function sameSet<T>(one: readonly T[], other: readonly T[]): boolean {
  return one.length === other.length && one.every((each) => other.includes(each))
}

function sameNames(one: readonly GeneralName[], other: readonly GeneralName[]): boolean {
  return one.length === other.length && one.every((name, at) => sameName(name, other[at]))
}

function sameName(one: GeneralName, other: GeneralName | undefined): boolean {
  if (other === undefined || one.form !== other.form) return false
  if (one.form === 'ip') return other.form === 'ip' && buffer(one.value).equals(other.value)
  return 'value' in one && 'value' in other && one.value === other.value
}

/** Those that were planned, in their order, with the values of the ones that came from outside. */
function soundExtensions({ one, plan }: Read): boolean {
  const { extensions, replaced } = plan
  return (
    one.extensions.length === extensions.length &&
    one.extensions.every(({ id, value }, at) => {
      const planned = extensions[at]
      if (planned?.id !== id) return false
      const { length } = planned.der
      const size = value.end - value.body
      return !replaced.has(id) || content(value).equals(buffer(planned.der).subarray(length - size))
    })
  )
}

/** What RFC 5280 demands and our lint knows; names are the profile's business: CFSSL signs a common name alone. */
function soundLint({ one, plan }: Read): boolean {
  return lint([one], false).every(
    ({ code, severity }) =>
      severity === 'warning' ||
      code === 'NAMES_MISSING' ||
      (code === 'KEY_WEAK' && plan.profile.allowances?.smallExponents === true),
  )
}
