import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import type { Held, Vault } from '../ports/vault.ts'
import { type Book, emptyBook, parseBook, renderBook, revokedIn } from './book.ts'
import { PREFIX, TAG } from './record.ts'
import { replace } from './replace.ts'
import type { Revocations } from './revocations.ts'

/** Where the revocations of authorities are kept. */
export interface Register extends Revocations {
  /**
   * Writes what `next` makes of a book, unless it was changed meanwhile: then once more. Returns what is kept then.
   * @throws VERSION_CONFLICT when others are always faster; AUTHORITY_INVALID, SECRET_TAKEN, SERVICE_UNAVAILABLE, and what `next` throws
   */
  change(label: string, next: (book: Book) => Book | Promise<Book>): Promise<Book>
}

/** On a secret it says whose revocations are in it. */
export const REVOKED_TAG = 'certrelay:revoked'

/** Name of the secret; a record's label has no slash. */
export function revokedName(label: string): string {
  return `${PREFIX}${label}/revoked`
}

/** So many may write at the same time. */
const TRIES = 8

/** In Secrets Manager: a secret an authority, made at its first list or revocation; a version is made current only after the one it was made from. */
export function register(
  vault: Pick<Vault, 'find' | 'create' | 'put' | 'read' | 'move'>,
  now: () => number,
): Register {
  async function seen(label: string) {
    const held = await vault.find(revokedName(label))
    if (held !== undefined) ours(held, label)
    const version = held && holder(held.versions, 'AWSCURRENT')
    if (held === undefined || version === undefined)
      return { made: held !== undefined, version, book: emptyBook(label) }
    const { content } = await vault.read(held.arn, version)
    try {
      const text = Buffer.from(content.reveal()).toString('utf8')
      return { made: true, version, book: parseBook(text, label) }
    } finally {
      content.wipe()
    }
  }

  async function write(book: Book, { made, version: over }: Before): Promise<void> {
    const name = revokedName(book.label)
    const content = renderBook(book)
    if (!made) await vault.create(name, { replicas: [] }, tags(book.label))
    await replace(vault, { secret: name, over, content })
  }

  async function change(label: string, next: (book: Book) => Book | Promise<Book>): Promise<Book> {
    for (let tried = 1; ; tried++) {
      const { book, ...before } = await seen(label)
      const after = await next(book)
      try {
        if (after !== book) await write(after, before)
        return after
      } catch (error) {
        if (!isRace(error) || tried === TRIES) throw error
      }
    }
  }

  return {
    change,
    async revoke(label, revoked) {
      await change(label, (book) => revokedIn(book, [revoked], now()))
    },
    list: async (label) => (await seen(label)).book.revoked,
  }
}

interface Before {
  readonly made: boolean
  readonly version: string | undefined
}

/** What is taken now was free a moment ago: somebody else has made it. */
function isRace(error: unknown): boolean {
  const code = error instanceof RelayError ? error.code : undefined
  return code === 'VERSION_CONFLICT' || code === 'SECRET_TAKEN'
}

function tags(label: string): Readonly<Record<string, string>> {
  return { [TAG]: label, [REVOKED_TAG]: label }
}

/** @throws CONFIG_INVALID when it is another's: it is never written to */
function ours({ tags, deleted }: Held, label: string): void {
  const name = revokedName(label)
  if (tags[REVOKED_TAG] === label && !deleted) return
  const why = deleted ? 'waits for its deletion: restore it' : `has no tag ${REVOKED_TAG}`
  throw new RelayError(
    'CONFIG_INVALID',
    `the secret ${name} ${why}; the revocations of ${label} belong there`,
  )
}
