import { context, TAG } from '../pki/der.ts'
import { EXTENSION, USAGE } from '../pki/oids.ts'
import {
  ascii,
  der,
  explicit,
  extension,
  NULL,
  namedBits,
  oid,
  sequence,
  TRUE,
  whole,
} from '../pki/write.ts'
import type { CertificatePolicy, Profile } from './policy.ts'
import { Refused } from './request.ts'
import { type Usages, usagesOf } from './usages.ts'

/** One extension, ready to be put into a certificate. */
export interface Written {
  readonly id: string
  /** DER. */
  readonly der: Uint8Array
}

/** What of a profile is the same for every certificate: its extensions in Go's order, with gaps for what differs. */
export interface Shape {
  readonly usages: Usages
  /** Key usage and extended key usage. */
  readonly uses: readonly Written[]
  /** Authority information access. */
  readonly access: readonly Written[]
  /** Where the profile's revocation list is. */
  readonly lists: readonly Written[]
  /** Policies, and that nobody asks OCSP about an OCSP responder. */
  readonly tail: readonly Written[]
}

const SHAPES = new WeakMap<Profile, Shape>()

/** @throws Refused profile-broken when the profile says nothing that could be signed */
export function shapeOf(profile: Profile): Shape {
  const known = SHAPES.get(profile)
  if (known !== undefined) return known
  const made = shape(profile)
  SHAPES.set(profile, made)
  return made
}

function shape(profile: Profile): Shape {
  const usages = permitted(profile)
  return {
    usages,
    uses: uses(usages),
    access: access(profile),
    lists: profile.crlUrl === undefined ? [] : [distribution(profile.crlUrl)],
    tail: [
      ...(profile.policies.length === 0 ? [] : [policies(profile.policies)]),
      ...(profile.ocspNoCheck ? [made(OCSP_NO_CHECK, false, NULL)] : []),
    ],
  }
}

/** The profile's usages without what only CAs have (RFC 5280 4.2.1.9). */
function permitted({ usages, ca, allowances }: Profile): Usages {
  const { bits, purposes } = usagesOf(usages)
  const stray = ca === undefined && allowances?.strayCertSign !== true
  const left = new Set([...bits].filter((bit) => !(stray && bit === USAGE.keyCertSign)))
  if (left.size === 0 && purposes.length === 0)
    throw new Refused('profile-broken', 'the profile has no usage: give it one')
  if (ca !== undefined && !left.has(USAGE.keyCertSign))
    throw new Refused('profile-broken', 'the profile is a CA’s and lacks the usage cert sign')
  return { bits: left, purposes }
}

const OCSP_NO_CHECK = '1.3.6.1.5.5.7.48.1.5'

export function made(id: string, critical: boolean, value: Uint8Array): Written {
  return { id, der: extension(id, critical, value) }
}

function uses({ bits, purposes }: Usages): Written[] {
  return [
    ...(bits.size === 0 ? [] : [made(EXTENSION.keyUsage, true, namedBits([...bits]))]),
    ...(purposes.length === 0
      ? []
      : [made(EXTENSION.purposes, false, sequence(...purposes.map(oid)))]),
  ]
}

/** Basic constraints, which Go also writes for what is no CA. */
export function basic(ca: Profile['ca']): Written {
  if (ca === undefined) return LEAF
  const { pathLength } = ca
  const limit = pathLength === undefined ? [] : [whole(pathLength)]
  return made(EXTENSION.basic, true, sequence(TRUE, ...limit))
}

const LEAF = made(EXTENSION.basic, true, sequence())

const uri = (text: string) => ascii(context(6), text)

function access({ ocspUrl, issuerUrls }: Profile): Written[] {
  const list = [
    ...(ocspUrl === undefined ? [] : [sequence(oid('1.3.6.1.5.5.7.48.1'), uri(ocspUrl))]),
    ...issuerUrls.map((url) => sequence(oid('1.3.6.1.5.5.7.48.2'), uri(url))),
  ]
  return list.length === 0 ? [] : [made(EXTENSION.access, false, sequence(...list))]
}

/** One distribution point with one full name (RFC 5280 4.2.1.13). */
export function distribution(url: string): Written {
  const point = sequence(explicit(0, explicit(0, uri(url))))
  return made(EXTENSION.distribution, false, sequence(point))
}

function policies(list: readonly CertificatePolicy[]): Written {
  const written = list.map(({ oid: id, qualifiers }) =>
    qualifiers.length === 0
      ? sequence(oid(id))
      : sequence(oid(id), sequence(...qualifiers.map(qualifier))),
  )
  return made(EXTENSION.policies, false, sequence(...written))
}

function qualifier({ type, value }: CertificatePolicy['qualifiers'][number]): Buffer {
  return type === 'cps'
    ? sequence(oid('1.3.6.1.5.5.7.2.1'), ascii(TAG.ia5, value))
    : sequence(oid('1.3.6.1.5.5.7.2.2'), sequence(der(TAG.utf8, Buffer.from(value, 'utf8'))))
}
