import { type Algorithm, algorithm } from './algorithm.ts'
import { type Certificate, LARGEST, valuesOf } from './certificate.ts'
import {
  attempt,
  children,
  content,
  context,
  type Element,
  enter,
  type Fault,
  identical,
  isFault,
  Malformed,
  raw,
  TAG,
  whole,
} from './der.ts'
import { type Extension, extensionList, known, tagged } from './extensions.ts'
import { distinguished, hex, type Name, sameName } from './names.ts'
import { EXTENSION, USAGE } from './oids.ts'
import { type Moment, moment } from './time.ts'
import { count, integer, octetBits } from './values.ts'

/** A certificate revocation list, RFC 5280 5.1. */
export interface RevocationList {
  readonly issuer: Name
  readonly thisUpdate: Moment
  readonly nextUpdate?: Moment
  /** Content octets of the serials, as hex. */
  readonly serials: ReadonlySet<string>
  readonly extensions: readonly Extension[]
  /** Whether an entry has a critical extension: then the entry cannot be understood (RFC 5280 5.3). */
  readonly entryCritical: boolean
  readonly signed: Uint8Array
  readonly algorithm: Algorithm
  readonly consistent: boolean
  readonly signature: Uint8Array
}

/** A list may have many entries: this many octets are read. */
export const LARGEST_LIST = LARGEST * 64

/** Reads one DER revocation list. Hostile bytes give a fault; nothing throws. */
export function parseRevocationList(der: Uint8Array): RevocationList | Fault {
  if (der.length > LARGEST_LIST) return { code: 'TOO_LARGE', at: LARGEST_LIST }
  return attempt(() => list(der))
}

function list(der: Uint8Array): RevocationList {
  const outside = enter(whole(der))
  const tbs = outside.next()
  const outer = outside.next()
  const signature = octetBits(outside.next())
  outside.close()
  const fields = enter(tbs)
  const version = fields.optional(TAG.integer)
  if (version !== undefined && count(version) !== 1) throw new Malformed(version.start)
  const consistent = identical(fields.next(), outer)
  const issuer = distinguished(fields.next())
  const thisUpdate = moment(fields.next())
  const next = fields.optional(TAG.utcTime) ?? fields.optional(TAG.generalizedTime)
  const revoked = fields.optional(TAG.sequence)
  const entries = revoked === undefined ? [] : children(revoked).map(entry)
  const extensions = tagged(fields.optional(context(0, true)))
  fields.close()
  return {
    issuer,
    thisUpdate,
    ...(next !== undefined && { nextUpdate: moment(next) }),
    serials: new Set(entries.map(({ serial }) => serial)),
    extensions,
    entryCritical: entries.some(({ critical }) => critical),
    signed: raw(tbs),
    algorithm: algorithm(outer),
    consistent,
    signature,
  }
}

function entry(one: Element) {
  const fields = enter(one)
  const serial = hex(integer(fields.next()))
  moment(fields.next())
  const extensions = fields.optional(TAG.sequence)
  fields.close()
  const critical =
    extensions !== undefined && extensionList(extensions).some((each) => each.critical)
  return { serial, critical }
}

/** Whether a list can be relied on at `now` (epoch ms), its signature apart (RFC 5280 6.3.3): its issuer may sign lists, it is of now, whole and understood. */
export function usable(one: RevocationList, issuer: Certificate, now: number): boolean {
  const second = Math.floor(now / 1_000) * 1_000
  const { keyUsage } = valuesOf(issuer)
  const number = one.extensions.find(({ id }) => id === EXTENSION.crlNumber)
  return (
    sameName(one.issuer, issuer.subject) &&
    keyUsage?.has(USAGE.cRLSign) !== false &&
    one.consistent &&
    one.thisUpdate.at <= second &&
    one.nextUpdate !== undefined &&
    second <= one.nextUpdate.at &&
    number !== undefined &&
    soundNumber(number) &&
    !one.entryCritical &&
    one.extensions.every(({ critical }) => !critical)
  )
}

/** The CRL number is there, an INTEGER, and not critical (RFC 5280 5.2.3). */
function soundNumber({ value, critical }: Extension): boolean {
  return !critical && attempt(() => integer(whole(content(value)))) instanceof Uint8Array
}

/** The number of a list, which is not negative (RFC 5280 5.2.3); `undefined` when it has none, or one that cannot be read. */
export function numberOf({ extensions }: RevocationList): bigint | undefined {
  const found = extensions.find(({ id }) => id === EXTENSION.crlNumber)
  if (found === undefined) return undefined
  const octets = attempt(() => integer(whole(content(found.value))))
  if (isFault(octets) || (octets[0] ?? 0x80) >= 0x80) return undefined
  return BigInt(`0x${hex(octets)}`)
}

/** Whether lists are of one CA: several may have one name, while roots change, and their keys tell them apart (RFC 5280 5.2.1). */
export function sameIssuer(one: RevocationList, other: RevocationList): boolean {
  return sameName(one.issuer, other.issuer) && issuerKey(one) === issuerKey(other)
}

/** The key identifier of who signed a list, hex (RFC 5280 5.2.1); `undefined` where it has none that can be read. */
export function issuerKey({ extensions }: RevocationList): string | undefined {
  const found = attempt(() => known(extensions))
  return isFault(found) ? undefined : found.authorityKey?.key
}

/** Whether a list has a certificate's serial. */
export function revokes({ serials }: RevocationList, { serial }: Certificate): boolean {
  return serials.has(hex(serial))
}
