import { RelayError } from '../pki/error.ts'
import { isRecord, parsedObject } from '../pki/json.ts'
import { REASONS, type RevocationReason, type Revoked, reasonOf } from './list.ts'

/** The signature of a list that was made: with it the list can be written again, octet by octet, without the key. */
export interface Stamp {
  readonly number: bigint
  /** Its beginning and its end, epoch milliseconds, whole seconds. */
  readonly at: number
  readonly until: number
  readonly signature: Uint8Array
}

/** Everything that is kept of the revocations of one authority: the content of one version of a secret, format 1. */
export interface Book {
  readonly label: string
  /** Higher than that of every list that ever left. */
  readonly number: bigint
  readonly revoked: readonly Revoked[]
  /** Of the lists that say all of `revoked`, by the SHA-256 (hex) of the certificate of the CA that signed. */
  readonly stamps: ReadonlyMap<string, Stamp>
}

/** So many fit: a list of more does not go into the secret of a trust bundle beside its anchors (65,536 octets). */
export const MOST_REVOKED = 800
/** A list is valid for so long, and made anew when half of it is over. Milliseconds. */
export const LIFETIME = 7 * 86_400_000

/** What is written into a book. */
export interface Entry extends Revoked {
  /** Whether `notAfter` is of the certificate itself, and no guess at its serial's. */
  readonly sure?: boolean
}

export function emptyBook(label: string): Book {
  return { label, number: 0n, revoked: [], stamps: new Map() }
}

/**
 * A book with more revocations; one of a serial that is there changes nothing, but may tell when its certificate ends: a certificate
 * always, and a guess where nothing is known.
 * @throws CONFIG_INVALID when it would be full; nothing is lost then
 */
export function revokedIn(book: Book, more: readonly Entry[], now: number): Book {
  const known = new Map(listable(book.revoked, now).map((one) => [one.serial, one]))
  const before = known.size
  for (const { at, sure = false, ...one } of more) {
    const first = known.get(one.serial)
    if (first === undefined) known.set(one.serial, { ...one, at: seconds(at) })
    else if (one.notAfter !== undefined && (sure || first.notAfter === undefined))
      known.set(one.serial, { ...first, notAfter: one.notAfter })
  }
  if (known.size > MOST_REVOKED)
    throw new RelayError(
      'CONFIG_INVALID',
      `authority ${book.label} has ${before} revoked certificates, and ${MOST_REVOKED} fit a list; nothing was changed: revoke the authority itself instead, by a new root (docs/authority.md, "When a list is full")`,
    )
  const added = known.size > before
  return { ...book, revoked: [...known.values()], stamps: added ? new Map() : book.stamps }
}

/** A book without those that need not be on the next list (RFC 5280 3.3). */
export function withoutEnded(book: Book, now: number): Book {
  const revoked = listable(book.revoked, now)
  return revoked.length === book.revoked.length ? book : { ...book, revoked, stamps: new Map() }
}

/**
 * Those that a list has to name: every list that is valid a lifetime after a certificate's end was made after that end, so that it
 * stood on one then.
 */
export function listable(revoked: readonly Revoked[], now: number): Revoked[] {
  return revoked.filter(({ notAfter = Infinity }) => notAfter + LIFETIME >= now)
}

/** Lists count in seconds. */
export function seconds(at: number): number {
  return Math.floor(at / 1_000) * 1_000
}

/** Secrets Manager: octets of a value. */
const MOST = 65_536

/** Writes format 1; the same book gives the same text. @throws CONFIG_INVALID when it is too long for a secret */
export function renderBook({ label, number, revoked, stamps }: Book): string {
  const text = JSON.stringify({
    ...{ format: 1, label, number: String(number) },
    revoked: revoked.map(({ serial, at, reason = 'unspecified', notAfter }) => [
      ...[serial, at / 1_000, REASONS[reason]],
      ...(notAfter === undefined ? [] : [Math.floor(notAfter / 1_000)]),
    ]),
    lists: Object.fromEntries(
      [...stamps].map(([key, one]) => [
        key,
        {
          number: String(one.number),
          at: one.at / 1_000,
          until: one.until / 1_000,
          signature: Buffer.from(one.signature).toString('base64'),
        },
      ]),
    ),
  })
  if (Buffer.byteLength(text) <= MOST) return text
  throw new RelayError(
    'CONFIG_INVALID',
    `the revocations of authority ${label} are larger than a secret can be (${MOST} octets); nothing was changed (docs/authority.md, "When a list is full")`,
  )
}

/** Reads format 1. @throws AUTHORITY_INVALID naming the member */
export function parseBook(text: string, label: string): Book {
  const given = parsedObject(text)
  if (given === undefined) throw invalid(label, 'JSON')
  if (given['format'] !== 1) throw invalid(label, 'format')
  if (given['label'] !== label) throw invalid(label, 'label')
  const { revoked, lists } = given
  if (!Array.isArray(revoked)) throw invalid(label, 'revoked')
  if (!isRecord(lists)) throw invalid(label, 'lists')
  return {
    ...{ label, number: numeral(given['number'], label) },
    revoked: revoked.map((row) => rowOf(row, label)),
    stamps: new Map(Object.entries(lists).map(([key, one]) => [key, stampOf(one, label)])),
  }
}

/** Of a reason by its number. */
const BY_NUMBER: ReadonlyMap<number, RevocationReason> = new Map(
  Object.entries(REASONS).flatMap(([name, number]) => {
    const reason = reasonOf(name)
    return reason === undefined ? [] : [[number, reason] as const]
  }),
)

function rowOf(row: unknown, label: string): Revoked {
  if (!Array.isArray(row) || row.length < 3 || row.length > 4) throw invalid(label, 'revoked')
  const [serial, at, code, end]: readonly unknown[] = row
  const reason = typeof code === 'number' ? BY_NUMBER.get(code) : undefined
  const isSerial = typeof serial === 'string' && /^[0-9a-f]{1,40}$/.test(serial)
  if (!isSerial || !isTime(at) || reason === undefined) throw invalid(label, 'revoked')
  if (end !== undefined && !isTime(end)) throw invalid(label, 'revoked')
  return { serial, at: at * 1_000, reason, ...(end !== undefined && { notAfter: end * 1_000 }) }
}

function stampOf(value: unknown, label: string): Stamp {
  const { number, at, until, signature } = isRecord(value) ? value : {}
  if (!isTime(at) || !isTime(until) || typeof signature !== 'string') throw invalid(label, 'lists')
  return {
    ...{ number: numeral(number, label), at: at * 1_000, until: until * 1_000 },
    signature: Buffer.from(signature, 'base64'),
  }
}

/** Of 20 octets at most (RFC 5280 5.2.3). */
function numeral(value: unknown, label: string): bigint {
  if (typeof value === 'string' && /^\d{1,48}$/.test(value)) return BigInt(value)
  throw invalid(label, 'number')
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function invalid(label: string, what: string): RelayError {
  return new RelayError(
    'AUTHORITY_INVALID',
    `the revocations of authority ${label} are not format 1 (${what}): they were damaged, or written by a newer certrelay; make an earlier version of the secret current`,
  )
}
