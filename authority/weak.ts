import { RelayError } from '../pki/error.ts'
import { readWeakKeys } from '../pki/weak.ts'
import type { Log } from '../ports/log.ts'
import type { Sheet } from '../ports/sheet.ts'

/** The list of weak keys as it was read. Times are epoch milliseconds. */
interface Edition {
  /** SHA-256 fingerprints of SubjectPublicKeyInfos, lower-case hex. */
  readonly keys: ReadonlySet<string>
  readonly mark: string
  /** When it was known to be the one in use. */
  readonly seen: number
  /** When it is looked at anew. */
  readonly next: number
}

/** What a process has read: one for all of its operations. */
export interface Known {
  edition?: Edition
}

interface Needs {
  readonly sheet: Sheet
  readonly known: Known
  readonly now: () => number
  readonly log: Pick<Log, 'warn'>
}

/** A change of the list counts after so many milliseconds at the latest. */
export const FRESH = 5 * 60_000
/** After a failure it is looked at so much later. */
const AGAIN = 30_000
/** So long an edition counts while there is no looking at it. */
export const LAST = 60 * 60_000

/**
 * The fingerprints of keys that are not certified, beside the built-in ones, looked at anew every five minutes. While that fails the
 * edition that was read last counts for an hour; without one nothing is signed.
 *
 * @throws CONFIG_INVALID when there is no such list, or it is none; SERVICE_UNAVAILABLE
 */
export async function weakKeys({ sheet, known, now, log }: Needs): Promise<ReadonlySet<string>> {
  const held = known.edition
  const at = now()
  if (held !== undefined && held.seen <= at && at < held.next) return held.keys
  try {
    known.edition = await look(sheet, held, at)
    return known.edition.keys
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    log.warn('weak-keys-late', { code: error.code, reason: error.message }) // a door of CFSSL's tells the code only
    if (held === undefined || at - held.seen >= LAST) throw refused(error)
    known.edition = { ...held, next: at + AGAIN }
    return held.keys
  }
}

async function look(sheet: Sheet, held: Edition | undefined, at: number): Promise<Edition> {
  const found = await sheet.read(held?.mark)
  const times = { seen: at, next: at + FRESH }
  if (found !== undefined) return { keys: parsed(found.text), mark: found.mark, ...times }
  if (held !== undefined) return { ...held, ...times }
  throw new TypeError('a sheet that nobody has read is no known one')
}

function parsed(text: string): ReadonlySet<string> {
  const keys = readWeakKeys(text)
  if (keys !== undefined) return keys
  throw new RelayError(
    'CONFIG_INVALID',
    'the list of weak keys has one SHA-256 fingerprint of a public key a line, hex, and remarks behind #: a line is something else',
  )
}

function refused(error: RelayError): RelayError {
  const message = `${error.message}; nothing is signed without it (WeakKeys, docs/authority.md)`
  return new RelayError(error.code, message, { cause: error })
}
