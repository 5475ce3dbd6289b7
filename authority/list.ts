import { valuesOf } from '../pki/certificate.ts'
import { numberOf, parseRevocationList, type RevocationList, usable } from '../pki/crl.ts'
import { isFault, TAG } from '../pki/der.ts'
import { RelayError } from '../pki/error.ts'
import { signedBy } from '../pki/key.ts'
import { EXTENSION, USAGE } from '../pki/oids.ts'
import {
  around,
  bitString,
  der,
  explicit,
  extension,
  sequence,
  time,
  unsigned,
  whole,
} from '../pki/write.ts'
import type { Ca } from './ca.ts'
import { type Issuer, issuerOf } from './issuer.ts'

/** Why a certificate is revoked, as RFC 5280 5.3.1 numbers it; `removeFromCRL` is for delta lists, which are not made here. */
export const REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const

export type RevocationReason = keyof typeof REASONS

/** The reason of a name in any case, as CFSSL takes them (`superseded`, `keycompromise`); `undefined` when it is none. */
export function reasonOf(name: string): RevocationReason | undefined {
  return NAMES.get(name.toLowerCase())
}

const NAMES: ReadonlyMap<string, RevocationReason> = new Map(
  names(REASONS).map((name) => [name.toLowerCase(), name]),
)

function names<T extends object>(record: T): (keyof T & string)[] {
  const list: (keyof T & string)[] = []
  for (const name in record) list.push(name)
  return list
}

/** One certificate that is revoked. */
export interface Revoked {
  /** Lower-case hex without leading zeros. */
  readonly serial: string
  /** Epoch milliseconds. */
  readonly at: number
  readonly reason?: RevocationReason
  /** When the certificate ends, epoch milliseconds; absent: it stays on the list for ever. */
  readonly notAfter?: number
}

/** Which list to make, and when. */
export interface Issue {
  /** Higher than that of any list before (RFC 5280 5.2.3). */
  readonly number: bigint
  /** Epoch milliseconds. */
  readonly now: number
  readonly nextUpdate: number
  /** The list before, DER. */
  readonly previous?: Uint8Array
}

/**
 * A revocation list, version 2 (RFC 5280 5). Certificates that ended before the list before was made are left out: they stood
 * on one list after their end (RFC 5280 3.3).
 *
 * @throws VERSION_CONFLICT when the list before has this number or a higher one, or is of later; CHAIN_BROKEN when the CA may not
 * sign lists; ISSUE_BROKEN when what was signed is not what was asked for; what the signer throws
 */
export async function listOf(ca: Ca, revoked: readonly Revoked[], when: Issue): Promise<Buffer> {
  const issuer = issuerOf(ca)
  if (valuesOf(issuer.certificate).keyUsage?.has(USAGE.cRLSign) === false)
    throw new RelayError(
      'CHAIN_BROKEN',
      `authority ${ca.label} may not sign revocation lists: its certificate lacks that usage`,
    )
  const before = previousOf(when)
  const entries = kept(revoked, before?.thisUpdate.at)
  const signed = toBeSigned(issuer, entries, when)
  const made = sequence(signed, issuer.algorithm, bitString(await ca.signer.sign(signed)))
  proved(made, { issuer, entries, when })
  return made
}

function previousOf({ previous, number, now, nextUpdate }: Issue): RevocationList | undefined {
  if (number < 1n || number >= 1n << 159n || !(nextUpdate > now))
    throw new TypeError('a list has a number from 1 on, and ends after it begins')
  if (previous === undefined) return undefined
  const before = parseRevocationList(previous)
  const last = isFault(before) ? undefined : numberOf(before)
  if (isFault(before) || last === undefined || last >= number || before.thisUpdate.at > now)
    throw new RelayError(
      'VERSION_CONFLICT',
      `the revocation list before cannot be read, or is no older than number ${number}: look again which one is published`,
    )
  return before
}

/** One entry a serial, the earliest, in the order of their serials. */
function kept(revoked: readonly Revoked[], before: number | undefined): Revoked[] {
  const bySerial = new Map<string, Revoked>()
  for (const one of revoked) {
    if (before !== undefined && (one.notAfter ?? before) < before) continue
    const known = bySerial.get(one.serial)
    if (known === undefined || one.at < known.at) bySerial.set(one.serial, one)
  }
  return [...bySerial.values()].sort((one, other) => (one.serial < other.serial ? -1 : 1))
}

const VERSION_2 = whole(1)

/** TBSCertList (RFC 5280 5.1); an empty list of entries is left out. */
function toBeSigned(issuer: Issuer, entries: readonly Revoked[], when: Issue): Buffer {
  const list = entries.length === 0 ? [] : [around(TAG.sequence, entries.map(entry))]
  const number = extension(EXTENSION.crlNumber, false, whole(when.number))
  return sequence(
    VERSION_2,
    issuer.algorithm,
    issuer.name,
    time(when.now),
    time(when.nextUpdate),
    ...list,
    explicit(0, sequence(issuer.authorityKey, number)),
  )
}

const REASON_CODE = '2.5.29.21'
const ENUMERATED = 0x0a

/** `unspecified` is said by leaving the reason out (RFC 5280 5.3.1). */
function entry({ serial, at, reason = 'unspecified' }: Revoked): Buffer {
  const code = REASONS[reason]
  const why = extension(REASON_CODE, false, der(ENUMERATED, Uint8Array.of(code)))
  return sequence(octetsOf(serial), time(at), ...(code === 0 ? [] : [sequence(why)]))
}

/** @throws TypeError when a serial is no hex */
function octetsOf(serial: string): Buffer {
  if (!/^[0-9a-f]{1,40}$/.test(serial)) throw new TypeError('a serial is lower-case hex')
  return unsigned(Buffer.from(serial.length % 2 === 0 ? serial : `0${serial}`, 'hex'))
}

interface Claim {
  readonly issuer: Issuer
  readonly entries: readonly Revoked[]
  readonly when: Issue
}

/** Reads a list back as Envoy's side of certrelay does. @throws ISSUE_BROKEN */
function proved(list: Uint8Array, { issuer, entries, when }: Claim): void {
  const one = parseRevocationList(list)
  const sound =
    !isFault(one) &&
    usable(one, issuer.certificate, when.now) &&
    numberOf(one) === when.number &&
    one.serials.size === entries.length &&
    entries.every(({ serial }) => one.serials.has(plain(serial))) &&
    signedBy(issuer.key, issuer.certificate.kind(), one)
  if (!sound)
    throw new RelayError(
      'ISSUE_BROKEN',
      'the revocation list that was signed is not what was asked for: it was thrown away',
    )
}

/** A serial as the octets of its INTEGER, hex. */
function plain(serial: string): string {
  const even = serial.length % 2 === 0 ? serial : `0${serial}`
  return Number.parseInt(even.slice(0, 2), 16) >= 0x80 ? `00${even}` : even
}
