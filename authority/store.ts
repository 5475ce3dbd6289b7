import type { KeyObject } from 'node:crypto'
import { parseCertificate } from '../pki/certificate.ts'
import { isFault } from '../pki/der.ts'
import { RelayError } from '../pki/error.ts'
import type { CaContext } from '../pki/sealed.ts'
import type { Secret } from '../pki/secret.ts'
import { signingOf } from '../pki/signing.ts'
import type { Archive } from '../ports/archive.ts'
import type { Hear, Keys, Owner, Pens } from '../ports/keys.ts'
import type { Signer } from '../ports/signer.ts'
import type { Ca } from './ca.ts'
import { kmsSigner } from './kms.ts'
import { inMemory } from './memory.ts'
import { plainKey } from './plain.ts'
import type { Policy } from './policy.ts'
import { type CaRecord, certificateOf, ders, LABEL, parseRecord, pending, TAG } from './record.ts'
import { Refused } from './request.ts'
import { type Own, sealedSigner } from './sealed.ts'

/** The authorities that there are, by label. */
export interface Store {
  /**
   * An authority, ready to sign; `hear` is told of every use of its key.
   * @throws Refused `label-unknown`; CERTIFICATE_PENDING, AUTHORITY_INVALID, CONFIG_INVALID, and what reading a secret throws
   */
  open(label: string, hear?: Hear): Promise<Ca>
  /** Its record, which holds no key that is open. @throws Refused `label-unknown`; AUTHORITY_INVALID */
  record(label: string): Promise<CaRecord>
  /** What signs for an authority of any kind, whose public key the caller knows from its certificate. @throws CONFIG_INVALID */
  signer(record: CaRecord, own: Own, hear?: Hear): Promise<Signer>
}

/** What a store is made from. */
export interface Sources {
  /** Only authorities of this organization are opened. */
  readonly org: string
  readonly archive: Archive
  /** Reads the configuration of a record. @throws CONFIG_INVALID */
  readonly policy: (record: CaRecord) => Policy
  /** Absent where no KMS keys are configured. */
  readonly keys?: Keys | undefined
  readonly pens?: Pens | undefined
  /** Reads the key file of an authority in plain mode; absent where that mode is refused. */
  readonly plain?: ((record: CaRecord, file: string) => Promise<Secret>) | undefined
  readonly now: () => number
  /** What this process has read already: one for all operations. */
  readonly shelf: Shelf
}

/** What was read of an authority: nothing secret but its configuration, and in plain mode the key. */
interface Read {
  readonly record: CaRecord
  readonly known?: Known
  key?: KeyObject
}

/** What is worked out of an authority that has its X.509 certificate. */
interface Known extends Own {
  readonly certificate: Uint8Array
  readonly chain: readonly Uint8Array[]
  readonly policy: Policy
}

/** Remembers what was read, for so long that a busy authority is not read for each signature. Failures are not remembered. */
export type Shelf = Map<string, { readonly at: number; readonly read: Promise<Read> }>

/** A change of a record is seen everywhere after so many milliseconds. */
export const FRESH = 30_000
const MOST_LABELS = 1_000

/** The authorities of one organization. */
export function store(sources: Sources): Store {
  const { org, archive, policy, now, shelf } = sources

  async function read(label: string): Promise<Read> {
    if (!LABEL.test(label)) throw unknown()
    const held = shelf.get(label)
    const age = held === undefined ? Infinity : now() - held.at
    if (held !== undefined && age >= 0 && age < FRESH) return held.read
    const fresh = { at: now(), read: load(label) }
    if (shelf.size >= MOST_LABELS) shelf.clear()
    shelf.set(label, fresh)
    fresh.read.catch(() => {
      if (shelf.get(label) === fresh) shelf.delete(label)
    })
    return fresh.read
  }

  async function load(label: string): Promise<Read> {
    const content = await archive.read(label)
    if (content === undefined) throw unknown()
    try {
      const record = parseRecord(content, label)
      if (record.org !== org) throw stranger(label)
      if (record.kind !== 'x509' || record.certificate === '') return { record }
      const certificate = certificateOf(record)
      const own = ownOf(certificate, record)
      const chain = ders(record.chain)
      return { record, known: { ...own, certificate, chain, policy: policy(record) } }
    } finally {
      content.wipe()
    }
  }

  async function signerOf(one: Read, own: Own, hear?: Hear): Promise<Signer> {
    const { record } = one
    const { custody, label } = record
    const context: CaContext = { org, purpose: 'ca', ca: label }
    const { keys, pens, plain } = sources
    if (custody.mode === 'sealed' && keys !== undefined)
      return sealedSigner(own, custody.sealed, { keys, context, hear })
    if (custody.mode === 'kms' && pens !== undefined)
      return kmsSigner(own, custody.keys, { pens, context, hear, owner: ownerOf(record) })
    if (custody.mode !== 'plain' || plain === undefined) throw modeless(record)
    one.key ??= plainKey(await plain(record, custody.file), own, label)
    return inMemory(one.key) // the shelf keeps the key: that is what plain means
  }

  return {
    record: async (label) => (await read(label)).record,
    signer: (record, own, hear) => signerOf({ record }, own, hear),
    async open(label, hear) {
      const one = await read(label)
      const { record, known } = one
      if (known === undefined) throw unfit(record)
      const { certificate, chain, policy: rules } = known
      const signer = await signerOf(one, known, hear)
      return { label, org: record.org, certificate, chain, policy: rules, signer }
    },
  }
}

/** Keys that were seen to be those of a record's label: for as long as the record is on the shelf. */
const SEEN = new WeakMap<CaRecord, Set<string>>()

/** A record may name any key of KMS: whose it is, whoever may tag keys says. */
function ownerOf(record: CaRecord): Owner {
  const seen = SEEN.get(record) ?? new Set()
  SEEN.set(record, seen)
  return { tag: TAG, value: record.label, seen }
}

/** The key of an authority as its certificate has it. @throws AUTHORITY_INVALID when the record tells otherwise */
export function ownOf(certificate: Uint8Array, { algorithm, label }: CaRecord): Own {
  const parsed = parseCertificate(certificate)
  const isRight = !isFault(parsed) && signingOf(parsed.key) === algorithm
  if (isRight) return { signing: algorithm, publicKey: Uint8Array.from(parsed.key) }
  throw new RelayError(
    'AUTHORITY_INVALID',
    `the certificate of authority ${label} is none, or not of a ${algorithm} key: treat its record as tampered with`,
  )
}

/** Why an authority issues no X.509 certificates. */
function unfit(record: CaRecord): RelayError {
  if (record.kind === 'x509') return pending(record)
  return new Refused(
    'label-unknown',
    `authority ${record.label} signs no X.509 certificates; it is for Nebula`,
  )
}

/** The label itself is not repeated: it is whatever a stranger wrote. */
function unknown(): Refused {
  return new Refused('label-unknown', 'there is no authority of this label')
}

function stranger(label: string): RelayError {
  return new RelayError(
    'CONTEXT_MISMATCH',
    `authority ${label} belongs to another organization than CERTRELAY_ORG; nothing was opened`,
  )
}

function modeless({ label, custody: { mode } }: CaRecord): RelayError {
  const why = {
    sealed: 'no KMS keys are configured here: set CERTRELAY_KEYS',
    kms: 'signing with keys in KMS is not connected here',
    plain:
      'a key in a file is for development, and refused here; found it anew with --mode sealed or kms',
  }
  return new RelayError('CONFIG_INVALID', `authority ${label} is in mode ${mode}: ${why[mode]}`)
}
