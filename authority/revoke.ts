import { type Certificate, parseCertificate } from '../pki/certificate.ts'
import { isFault } from '../pki/der.ts'
import { RelayError } from '../pki/error.ts'
import { signedBy } from '../pki/key.ts'
import type { Log } from '../ports/log.ts'
import { type Book, type Entry, revokedIn, withoutEnded } from './book.ts'
import { mayRevoke, readRules } from './entitle.ts'
import type { RevocationReason } from './list.ts'
import {
  isDue,
  issuersOf,
  type List,
  listsOf,
  type Stamped,
  type Stamping,
  stamped,
} from './lists.ts'
import { audited, recordRefusal } from './note.ts'
import { type TagsOf, tagged } from './permit.ts'
import type { CaRecord } from './record.ts'
import type { Register } from './register.ts'
import { Refused } from './request.ts'
import type { Caller } from './sign.ts'
import type { Store } from './store.ts'

/** What revoking and listing need. */
export interface Registry {
  /** The stores of a label: one for each of its roots, the one that signs certificates first. */
  readonly stores: (label: string) => Promise<readonly [Store, ...Store[]]>
  readonly register: Register
  readonly log: Log
  /** Epoch milliseconds. */
  readonly now: () => number
  /** Monotonic milliseconds. */
  readonly elapsed: () => number
  readonly tagsOf?: TagsOf | undefined
}

/** Which certificates of which authority are not to be trusted any more. */
export interface Revocation {
  readonly label: string
  /** Lower-case hex without leading zeros. */
  readonly serials: readonly string[]
  /** DER: what tells its end too, after which it leaves the lists. */
  readonly certificates?: readonly Uint8Array[]
  /** When the certificates of `serials` end at the latest, epoch milliseconds; absent: with the last CA of the label. */
  readonly until?: number
  readonly reason: RevocationReason
  readonly caller: Caller
  /** Whether the door itself knows that the caller may: then no rule of the record is asked. */
  readonly trusted: boolean
}

/** What became of a revocation. */
export interface Outcome {
  /** Number of the list that says it; absent while it could not be signed: the next look at the lists makes it. */
  readonly number?: bigint
  /** How many certificates are revoked now. */
  readonly entries: number
}

/**
 * Revokes certificates, has a list signed that says so, and writes one record of it, of a refusal and of a failure too. Revoking twice
 * changes nothing. That a key cannot be used just now keeps nobody from revoking.
 *
 * @throws Refused `label-unknown` or `caller-refused`; CONFIG_INVALID when a list is full; VERSION_CONFLICT, SERVICE_UNAVAILABLE
 */
export async function revoke(registry: Registry, order: Revocation): Promise<Outcome> {
  const { register, now } = registry
  const { label, serials, caller, reason } = order
  const matter = { label, caller, profile: '', names: serials, action: 'revoke' } as const
  return audited(registry, matter, async (hear) => {
    const stores = await registry.stores(label)
    const record = await recordIn(stores[0], label)
    if (!order.trusted) await admit(registry, record, caller)
    const revoked = await entriesOf(order, { stores, now: now() })
    let late: RelayError | undefined
    const book = await register.change(label, async (before) => {
      const next = revokedIn(before, revoked, now())
      if (next === before || next.stamps.size > 0) return next
      const tried = await attempt(() => stamped(next, { stores, hear, now: now() }))
      late = tried instanceof RelayError ? tried : undefined
      return tried instanceof RelayError ? next : tried.book
    })
    if (late !== undefined) registry.log.warn('list-later', { label, code: late.code })
    const number = book.stamps.size === 0 ? undefined : book.number
    const entries = book.revoked.length
    const names = revoked.map(({ serial }) => serial)
    const more = { reason, entries, number: number?.toString() }
    const outcome = { entries, ...(number !== undefined && { number }) }
    return { made: outcome, certified: { org: record.org, profile: '', names, more } }
  })
}

/**
 * The lists of an authority: those that were signed before while half of their life is left and nothing was revoked since, else new
 * ones, of which one record is written. An authority for Nebula has none, and one that waits for its certificate none yet.
 *
 * @throws Refused `label-unknown`; CHAIN_BROKEN, and what the store and the signer throw
 */
export async function lists(
  registry: Registry,
  { label, caller }: { readonly label: string; readonly caller: Caller },
): Promise<{ readonly lists: readonly List[]; readonly url?: string }> {
  const { register, now } = registry
  const seen = await prepared(registry, label).catch((error: unknown) => {
    recordRefusal(registry, caller, error)
    throw error
  })
  const { stores, org, about, known } = seen
  if (known !== undefined) return { lists: known, ...about }
  const matter = { label, caller, profile: '', names: [], action: 'crl' } as const
  return audited(registry, matter, async (hear) => {
    let made: Stamped | undefined
    await register.change(label, async (before) => {
      const book = withoutEnded(before, now())
      made = await stamped(book, { stores, hear, now: now() })
      return made.book
    })
    if (made === undefined) throw new TypeError('a change was made')
    const { book, lists } = made
    const more = { number: String(book.number), entries: book.revoked.length }
    return { made: { lists, ...about }, certified: { org, profile: '', names: [], more } }
  })
}

/** 9999-12-31T23:59:59Z, which certificates have for no end (RFC 5280 4.1.2.5). */
const LATEST = 253_402_300_799_000

/** @throws EVENT_INVALID for a certificate of somebody else: its end would be a claim */
async function entriesOf(
  { label, serials, certificates = [], reason, until }: Revocation,
  { stores, now: at }: Stamping,
): Promise<readonly Entry[]> {
  const issuers = await issuersOf(label, stores)
  const last = Math.max(...issuers.map(({ certificate }) => certificate.notAfter.at))
  const notAfter = Math.min(until ?? last, LATEST)
  const whole = certificates.map((der): Entry => {
    const one = parseCertificate(der)
    const isOurs =
      !isFault(one) &&
      issuers.some(({ key, certificate }) => signedBy(key, certificate.kind(), one))
    if (isOurs) return { serial: plain(one), at, reason, notAfter: one.notAfter.at, sure: true }
    throw new RelayError('EVENT_INVALID', `certificate: authority ${label} did not issue it`)
  })
  return [...serials.map((serial) => ({ serial, at, reason, notAfter })), ...whole]
}

function plain({ serial }: Certificate): string {
  return Buffer.from(serial.buffer, serial.byteOffset, serial.length)
    .toString('hex')
    .replace(/^0+(?=.)/, '')
}

/** The lists of a label if none is due, and else what new ones are made from. */
async function prepared({ stores: of, register, now }: Registry, label: string) {
  const stores = await of(label)
  const { org, crl, kind, certificate } = await stores[0].record(label)
  const about = { ...(crl && { url: crl.url }) }
  if (kind === 'nebula' || certificate === '') return { stores, org, about, known: [] }
  const kept = await readBook(register, label)
  const due = await isDue(kept, { stores, now: now() })
  return { stores, org, about, known: due ? undefined : await listsOf(kept, stores) }
}

async function readBook(register: Register, label: string): Promise<Book> {
  return register.change(label, (book) => book)
}

async function recordIn(store: Store, label: string): Promise<CaRecord> {
  const record = await store.record(label)
  if (record.kind === 'x509') return record
  throw new Refused(
    'label-unknown',
    `authority ${label} is for Nebula, which has no revocation lists: block the fingerprint (pki.blocklist)`,
  )
}

/** @throws Refused `caller-refused` */
async function admit(
  { tagsOf }: Registry,
  { names, label }: CaRecord,
  { principal, who }: Caller,
): Promise<void> {
  const rules = readRules(names)
  if (principal !== undefined && mayRevoke(rules, await tagged(rules, principal, tagsOf))) return
  const whom =
    principal === undefined ? who : `role ${principal.role} of account ${principal.account}`
  throw new Refused(
    'caller-refused',
    `authority ${label} has no rule that lets ${whom} revoke; add one with "revoke": true to its names`,
  )
}

/** What keeps a list from being signed now may be over later. */
async function attempt<T>(work: () => Promise<T>): Promise<T | RelayError> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof RelayError) return error
    throw error
  }
}
