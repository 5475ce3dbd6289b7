import { RelayError } from '../pki/error.ts'
import type { Hear } from '../ports/keys.ts'
import type { Fields, Log } from '../ports/log.ts'
import { LABEL } from './record.ts'
import { Refused } from './request.ts'
import type { Caller } from './sign.ts'

/** What is asked of an authority, as its record tells it: nothing of the request but what was asked for by name. */
export interface Matter {
  readonly label: string
  readonly caller: Caller
  readonly profile: string
  readonly names: readonly string[]
  /** What is done; absent: a certificate is signed. */
  readonly action?: 'sign' | 'revoke' | 'crl'
}

/** What was signed as its record tells it: a certificate, or lists. */
export interface Certified extends Pick<Matter, 'profile' | 'names'> {
  readonly org: string
  readonly serial?: string
  /** Lower-case hex; absent for what is no certificate. */
  readonly fingerprint?: string
  /** Epoch milliseconds. */
  readonly notAfter?: number
  /** What else the record tells. */
  readonly more?: Fields
}

/** What a record is written with. */
export interface Pencil {
  readonly log: Log
  /** Monotonic milliseconds. */
  readonly elapsed: () => number
}

/**
 * Does something with an authority's key, and writes one record of it, of a refusal and of a failure too. `asks` takes the names that
 * turned out to be asked for: a refusal's record has them.
 */
export async function audited<T>(
  pencil: Pencil,
  matter: Matter,
  work: (
    hear: Hear,
    asks: (names: readonly string[]) => void,
  ) => Promise<{ readonly made: T; readonly certified: Certified }>,
): Promise<T> {
  const began = pencil.elapsed()
  const uses: Use[] = []
  let { names } = matter
  try {
    const { made, certified } = await work(
      (use) => void uses.push(use),
      (asked) => {
        names = asked
      },
    )
    note(pencil, matter, { uses, ms: pencil.elapsed() - began, certified })
    return made
  } catch (error) {
    note(pencil, { ...matter, names }, { uses, ms: pencil.elapsed() - began, error })
    throw error
  }
}

/** Records a request that could not be read: nobody knows of which authority. */
export function recordRefusal(pencil: Pencil, caller: Caller, error: unknown): void {
  note(pencil, { label: '', caller, profile: '', names: [] }, { uses: [], ms: 0, error })
}

/** Reads a request; what cannot be read has its audit record too. */
export function refusing<T>(pencil: Pencil, caller: Caller, read: () => T): T {
  try {
    return read()
  } catch (error) {
    recordRefusal(pencil, caller, error)
    throw error
  }
}

type Use = Parameters<Hear>[0]

interface Ending {
  readonly uses: readonly Use[]
  readonly ms: number
  readonly certified?: Certified
  readonly error?: unknown
}

/** One line a signature, refusal or failure. What is `undefined` is left out of it. */
function note({ log }: Pencil, matter: Matter, ending: Ending): void {
  const { ms, certified, error } = ending
  const { caller, action = 'sign' } = matter
  const { profile, names } = certified ?? matter
  const outcome = certified !== undefined ? 'ok' : isRefusal(error) ? 'refused' : 'failed'
  const label = LABEL.test(matter.label) ? matter.label : 'none'
  const line = {
    trace: caller.trace,
    request: caller.request,
    who: caller.who,
    door: caller.door,
    action,
    label,
    org: certified?.org,
    profile: action === 'sign' ? short(profile) : undefined,
    serial: certified?.serial,
    [action === 'revoke' ? 'serials' : 'names']: listed(names),
    fingerprint: certified?.fingerprint,
    notAfter: certified?.notAfter && new Date(certified.notAfter).toISOString(),
    ...keyUses(ending.uses),
    outcome,
    code: error === undefined ? undefined : codeOf(error),
    reason: error instanceof Refused ? error.reason : undefined,
    ms: hundredths(ms),
  }
  log.audit(certified?.more === undefined ? line : { ...line, ...certified.more })
  if (certified === undefined) log.count(outcome === 'refused' ? 'SignRefused' : 'SignFailed', 1)
  else counted(log, { action, label, ms })
}

/** What KMS did for it; nothing where the key is in memory. */
function keyUses(uses: readonly Use[]): Fields | undefined {
  if (uses.length === 0) return undefined
  const requests = uses.map(({ kmsRequestId }) => kmsRequestId).filter(Boolean)
  const answered = uses.filter(({ outcome }) => outcome === 'ok')
  return {
    kmsRequestIds: requests.join(' ') || undefined,
    region: answered.map(({ region }) => region).join(' ') || undefined,
    kmsMs: hundredths(uses.reduce((sum, { ms = 0 }) => sum + ms, 0)),
  }
}

function hundredths(ms: number): number {
  return Math.round(ms * 100) / 100
}

function counted(
  log: Log,
  { action, label, ms }: { action: NonNullable<Matter['action']>; label: string; ms: number },
): void {
  const about = { label }
  if (action === 'revoke') log.count('Revoked', 1, about)
  if (action === 'crl') log.count('ListsSigned', 1, about)
  if (action !== 'sign') return
  log.count('Signed', 1, about)
  log.count('SignLatency', ms, about, 'Milliseconds')
}

/** Whether something is wrong with the request, not with us. */
export function isRefusal(error: unknown): error is RelayError {
  return error instanceof Refused || (error instanceof RelayError && error.remedy === 'fix-input')
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
