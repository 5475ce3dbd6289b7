import { createHash } from 'node:crypto'
import type { Hear } from '../ports/keys.ts'
import type { Signer } from '../ports/signer.ts'
import { type Book, LIFETIME, type Stamp, seconds } from './book.ts'
import type { Ca } from './ca.ts'
import { type Issuer, issuerOf } from './issuer.ts'
import { listOf } from './list.ts'
import type { Store } from './store.ts'

/** A revocation list that was signed. */
export interface List {
  /** DER. */
  readonly list: Uint8Array
  readonly number: bigint
  /** Epoch milliseconds. */
  readonly nextUpdate: number
  /** Whose signature it has, and from its issuer up, without the root, DER. */
  readonly issuer: readonly Uint8Array[]
}

/** A book with fresh stamps, and the lists that they are of. */
export interface Stamped {
  readonly book: Book
  readonly lists: readonly List[]
}

/** How lists are signed. */
export interface Stamping {
  readonly stores: readonly Store[]
  readonly hear?: Hear
  /** Epoch milliseconds. */
  readonly now: number
}

/** The stamp of each root, in the order of the stores; absent where there is none. */
type Known = readonly (Stamp | undefined)[]

/** Whether any root has no list that says all, or one whose half is over. */
export async function isDue(book: Book, { stores, now }: Stamping): Promise<boolean> {
  const known = await withCas(book.label, { stores }, async (cas): Promise<Known> => {
    return cas.map((ca) => book.stamps.get(nameOf(ca)))
  })
  return known.some((one) => one === undefined || now >= one.at + LIFETIME / 2 || now < one.at)
}

/**
 * Signs a list for each root, all of one number that was never used: higher than the last one, and no lower than the time in
 * milliseconds, so that a book which was lost and begun again does not go back.
 *
 * @throws CHAIN_BROKEN, ISSUE_BROKEN, and what signers throw
 */
export async function stamped(book: Book, { stores, hear, now }: Stamping): Promise<Stamped> {
  const next = book.number + 1n
  const number = next > BigInt(now) ? next : BigInt(now)
  const at = seconds(now)
  return withCas(book.label, { stores, ...(hear && { hear }) }, async (cas) => {
    const stamps = new Map<string, Stamp>()
    const lists: List[] = []
    for (const ca of cas) {
      let signature: Uint8Array = Buffer.of()
      const signer: Signer = {
        ...ca.signer,
        async sign(bytes) {
          signature = await ca.signer.sign(bytes)
          return signature
        },
      }
      const stamp = { number, at, until: at + LIFETIME }
      lists.push(await written({ ...ca, signer }, book, stamp))
      stamps.set(nameOf(ca), { ...stamp, signature })
    }
    return { book: { ...book, number, stamps }, lists }
  })
}

/** The lists that were signed before: written once more, with their signatures. No key is opened. */
export async function listsOf(book: Book, stores: readonly Store[]): Promise<readonly List[]> {
  return withCas(book.label, { stores }, (cas) =>
    Promise.all(
      cas.flatMap((ca) => {
        const stamp = book.stamps.get(nameOf(ca))
        if (stamp === undefined) return []
        const signer: Signer = { ...ca.signer, sign: () => stamp.signature }
        return [written({ ...ca, signer }, book, stamp)]
      }),
    ),
  )
}

/** The CAs of a label, as their certificates tell. */
export async function issuersOf(label: string, stores: readonly Store[]): Promise<Issuer[]> {
  return withCas(label, { stores }, async (cas) => cas.map(issuerOf))
}

async function written(
  ca: Ca,
  { revoked }: Book,
  { number, at, until }: Omit<Stamp, 'signature'>,
): Promise<List> {
  const list = await listOf(ca, revoked, { number, now: at, nextUpdate: until })
  return { list, number, nextUpdate: until, issuer: [ca.certificate, ...ca.chain] }
}

function nameOf({ certificate }: Ca): string {
  return createHash('sha256').update(certificate).digest('hex')
}

/** Every root of a label, for as long as something is done with them. */
async function withCas<T>(
  label: string,
  { stores, hear }: Omit<Stamping, 'now'>,
  work: (cas: readonly Ca[]) => Promise<T>,
): Promise<T> {
  const cas: Ca[] = []
  try {
    for (const store of stores) cas.push(await store.open(label, hear))
    return await work(cas)
  } finally {
    for (const { signer } of cas) signer.close()
  }
}
