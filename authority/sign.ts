import { createHash } from 'node:crypto'
import { RelayError } from '../pki/error.ts'
import type { Hear } from '../ports/keys.ts'
import type { Log } from '../ports/log.ts'
import type { Principal } from './entitle.ts'
import { type Around, type Asked, issue } from './issue.ts'
import { type CaRecord, LABEL } from './record.ts'
import { type Issued, Refused, type SigningRequest } from './request.ts'
import type { Store } from './store.ts'

/** Who asks, as the door that was used knows it. */
export interface Caller {
  /** Id of the trace: the front door's own, or made here. */
  readonly trace: string
  /** Id of this request. */
  readonly request: string
  /** For the record: an ARN, `key NAME of CFSSL`, or an address. */
  readonly who: string
  /** Whom IAM has verified; absent where nobody was. */
  readonly principal?: Principal
  readonly door: 'iam' | 'cfssl' | 'serve' | 'cli'
}

/** What is asked of which authority. */
export interface Order {
  readonly label: string
  readonly request: SigningRequest
  readonly caller: Caller
}

/** What was issued, with what goes along to whoever asked. */
export interface Signed extends Issued {
  readonly label: string
  readonly org: string
  /** From the issuer up, without the root, DER: what goes behind the certificate. */
  readonly chain: readonly Uint8Array[]
  /** PEM: what the peers trust. */
  readonly anchors: string
}

/** What a caller is entitled to, before the CSR was read. */
export interface Entitled {
  /** The request as it is to be signed. */
  readonly request: SigningRequest
  /** Is asked with what would be certified, before the key is used. @throws Refused */
  readonly admit?: (asked: Asked) => void
}

/**
 * Decides what a caller may have of an authority.
 * @throws Refused `caller-refused` or `name-refused`
 */
export type Entitle = (
  record: CaRecord,
  caller: Caller,
  request: SigningRequest,
) => Entitled | Promise<Entitled>

/** What signing needs. */
export interface Office {
  readonly store: Store
  readonly log: Log
  /** Clock, randomness and ledger of issuing. */
  readonly around: () => Omit<Around, 'admit'>
  /** Absent: whoever came through the door may have what the profile allows. */
  readonly entitle?: Entitle | undefined
  /** Monotonic milliseconds. */
  readonly elapsed: () => number
}

/**
 * The one way to a certificate, whatever the protocol: opens the authority, asks what the caller may have, issues, and writes
 * one record of it, of a refusal and of a failure too.
 *
 * @throws Refused, or a RelayError when nothing is wrong with the request
 */
export async function sign(office: Office, order: Order): Promise<Signed> {
  const { store, entitle, elapsed } = office
  const began = elapsed()
  const uses: Use[] = []
  try {
    const { label, request, caller } = order
    const record = await store.record(label)
    const may = entitle === undefined ? { request } : await entitle(record, caller, request)
    const ca = await store.open(label, (use) => void uses.push(use))
    try {
      const issued = await issue(ca, may.request, { ...office.around(), ...admitting(may) })
      const { org, chain } = ca
      const signed: Signed = { ...issued, label, org, chain, anchors: record.anchors }
      note(office, order, { uses, ms: elapsed() - began, signed })
      return signed
    } finally {
      ca.signer.close()
    }
  } catch (error) {
    note(office, order, { uses, ms: elapsed() - began, error })
    throw error
  }
}

function admitting({ admit }: Entitled): Pick<Around, 'admit'> {
  return admit === undefined ? {} : { admit }
}

type Use = Parameters<Hear>[0]

interface Ending {
  readonly uses: readonly Use[]
  readonly ms: number
  readonly signed?: Signed
  readonly error?: unknown
}

/** One line a signature, refusal or failure; nothing of the request but what was asked for by name. */
function note({ log }: Office, { label, request, caller }: Order, ending: Ending): void {
  const { uses, ms, signed, error } = ending
  const outcome = signed !== undefined ? 'ok' : error instanceof Refused ? 'refused' : 'failed'
  const known = LABEL.test(label) ? label : 'none'
  const code = error === undefined ? undefined : codeOf(error)
  const answered = uses.filter((use) => use.outcome === 'ok')
  log.audit({
    ...{ trace: caller.trace, request: caller.request, who: caller.who, door: caller.door },
    ...{ action: 'sign', label: known, org: signed?.org },
    profile: short(signed?.profile ?? request.profile ?? ''),
    serial: signed?.serial,
    names: listed(signed?.names ?? request.hosts ?? []),
    fingerprint: signed && createHash('sha256').update(signed.certificate).digest('hex'),
    notAfter: signed && new Date(signed.notAfter).toISOString(),
    kmsRequestIds:
      uses
        .map(({ kmsRequestId }) => kmsRequestId)
        .filter(Boolean)
        .join(' ') || undefined,
    region: answered.map(({ region }) => region).join(' ') || undefined,
    ...{ outcome, code, reason: error instanceof Refused ? error.reason : undefined },
    ms: Math.round(ms * 100) / 100,
  })
  const about = { label: known }
  if (signed !== undefined) {
    log.count('Signed', 1, about)
    log.count('SignLatency', ms, about, 'Milliseconds')
  } else if (outcome === 'refused') log.count('SignRefused', 1, { code: code ?? '' })
  else log.count('SignFailed', 1, { code: code ?? '' })
}

function codeOf(error: unknown): string {
  return error instanceof RelayError ? error.code : 'UNEXPECTED'
}

/** Characters of a line that a stranger may fill. */
const MOST = 2_000

/** Names in one line; so many as are worth a record. */
function listed(names: readonly string[]): string {
  const text = names.slice(0, 200).map(short).join(' ')
  return text.length <= MOST ? text : `${text.slice(0, MOST)}…`
}

/** Without what would break a line, and no longer than a name is. */
function short(text: string): string {
  return text.slice(0, 255).replace(/[^\x21-\x7e]/g, '?')
}
