import type { Csr } from '../pki/csr.ts'
import { EXTENSION } from '../pki/oids.ts'
import { octets } from '../pki/write.ts'
import { type Validity, validity } from './dates.ts'
import { asked, copied } from './extras.ts'
import { type Issuer, keyIdentifier, pathLengthOf } from './issuer.ts'
import { checkNames, classified, grouped, namesOctets, type San, sansOf } from './names.ts'
import { type Allowances, HARDENED, type Profile } from './policy.ts'
import { Refused, type SigningRequest } from './request.ts'
import { basic, distribution, made, type Shape, shapeOf, type Written } from './shape.ts'
import { commonNames, emailsOf, type Parts, subjectOf, written } from './subject.ts'

/** What a certificate will say, decided before anything is signed; only its serial comes later. */
export interface Plan {
  readonly profile: Profile
  readonly shape: Shape
  readonly subject: Parts
  /** The subject, DER. */
  readonly name: Uint8Array
  readonly names: readonly San[]
  /** SubjectPublicKeyInfo, DER. */
  readonly key: Uint8Array
  readonly keyId: Uint8Array
  readonly ca: Profile['ca']
  readonly validity: Validity
  /** In the order in which they will stand there, DER. */
  readonly extensions: readonly Written[]
  /** Those of them, by OID, that came from outside: from the request or the CSR. */
  readonly replaced: ReadonlySet<string>
}

/** What to decide about: a CSR that is accepted, and what came with it. */
export interface Matter {
  readonly csr: Csr
  readonly request: SigningRequest
  readonly profile: Profile
  readonly issuer: Issuer
  readonly now: number
}

/** Decides as CFSSL does (signer/local), and more carefully where the profile does not say otherwise. @throws Refused */
export function planned(matter: Matter): Plan {
  const { csr, request, profile, issuer } = matter
  const allowed = { ...HARDENED, ...profile.allowances }
  const shape = shapeOf(profile)
  if (profile.csr?.publicKey === false)
    throw new Refused('profile-broken', 'the profile takes no public key from a CSR: let it')
  const ca = authorityOf(matter)
  const subject = subjectOf(profile.csr?.subject === false ? [] : csr.attributes, request.subject)
  const wanted = grouped(request.hosts?.map(classified) ?? sansOf(csr.known.names, profile))
  checkNames(wanted, profile, allowed)
  checkSubject(subject, profile, allowed)
  // CFSSL leaves a CA nothing but its addresses
  const names = ca === undefined ? wanted : wanted.filter(({ form }) => form === 'ip')
  if (subject.length === 0 && names.length === 0)
    throw new Refused('name-refused', 'neither a subject nor a name was asked for: ask for one')
  const half = { profile, shape, subject, names, key: csr.key, keyId: keyIdentifier(csr.key), ca }
  return {
    ...half,
    ...extended(half, issuer, { lists: lists(request, shape, allowed), extra: extras(matter) }),
    name: written(subject),
    validity: validity(profile, request, matter),
  }
}

/** Whether the certificate is a CA's, and with which path length (RFC 5280 4.2.1.9). */
function authorityOf({ csr, profile, issuer }: Matter): Profile['ca'] {
  const limit = pathLengthOf(issuer)
  // with a whitelist, CFSSL does not look at what the CSR says about it
  const wanted = profile.csr === undefined && csr.known.basic?.ca === true
  if (wanted && profile.ca === undefined) throw refused('the profile certifies no CAs')
  if (wanted && limit !== undefined && (csr.known.basic?.pathLength ?? -1) >= limit)
    throw refused('the CSR asks for a path length that its issuer does not have')
  return profile.ca && below(issuer, profile.ca)
}

/** A CA's path length below its issuer: the longest that there is when none is asked for. @throws Refused ca-refused */
export function below(issuer: Issuer, ca: NonNullable<Profile['ca']>): NonNullable<Profile['ca']> {
  const limit = pathLengthOf(issuer)
  if (limit === undefined) return ca
  const { pathLength = limit - 1 } = ca
  if (limit === 0 || pathLength >= limit)
    throw refused(`its issuer has path length ${limit}: no such CA may follow`)
  return { pathLength }
}

function refused(why: string): Refused {
  return new Refused('ca-refused', `a CA certificate was asked for: ${why}`)
}

function checkSubject(subject: Parts, profile: Profile, allowed: Allowances): void {
  const mails = emailsOf(subject).map((value): San => ({ form: 'email', value }))
  checkNames(mails, profile, allowed)
  for (const name of commonNames(subject)) {
    // clients that know no alternative names take it for one
    if (!allowed.wildcards && name.includes('*'))
      throw new Refused('name-refused', 'the common name has a star: the profile certifies none')
    if (profile.allows?.(name) === false)
      throw new Refused(
        'name-refused',
        'the common name does not match the profile’s name whitelist',
      )
  }
}

type Half = Pick<Plan, 'shape' | 'subject' | 'names' | 'keyId' | 'ca'>

/** Extensions that are not the profile's alone. */
interface Others {
  /** Where the revocation list is. */
  readonly lists: readonly Written[]
  /** From the request or the CSR. */
  readonly extra: readonly Written[]
}

/** Extensions in Go's order; one that came from outside takes the place of the profile's. */
export function extended(
  { shape, subject, names, keyId, ca }: Half,
  issuer: Pick<Issuer, 'authorityKey'>,
  { lists, extra }: Others,
): Pick<Plan, 'extensions' | 'replaced'> {
  const san = () => made(EXTENSION.names, subject.length === 0, namesOctets(names))
  const own = [
    ...shape.uses,
    basic(ca),
    made(EXTENSION.subjectKey, false, octets(keyId)),
    { id: EXTENSION.authorityKey, der: issuer.authorityKey },
    ...shape.access,
    ...(names.length === 0 ? [] : [san()]),
    ...lists,
  ]
  if (extra.length === 0) return { extensions: [...own, ...shape.tail], replaced: NONE }
  const replaced = new Set(extra.map(({ id }) => id))
  const left = (one: Written) => !replaced.has(one.id)
  return { extensions: [...own.filter(left), ...extra, ...shape.tail.filter(left)], replaced }
}

const NONE: ReadonlySet<string> = new Set()

function extras({ csr, request, profile }: Matter): Written[] {
  const wanted = asked(request.extensions ?? [], profile)
  const ids = new Set(wanted.map(({ id }) => id))
  return [...copied(csr, profile).filter(({ id }) => !ids.has(id)), ...wanted]
}

function lists({ crlUrl }: SigningRequest, shape: Shape, allowed: Allowances): readonly Written[] {
  if (crlUrl === undefined || crlUrl === '') return shape.lists
  if (!allowed.crlOverride)
    throw new Refused(
      'extension-refused',
      'the request names a revocation list of its own: leave it out, or let the profile allow it',
    )
  if (!/^[!-~]{1,2048}$/.test(crlUrl))
    throw new Refused('extension-refused', 'the URL of the revocation list is none')
  return [distribution(crlUrl)]
}
