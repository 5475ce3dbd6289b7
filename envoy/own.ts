import { randomBytes, randomUUID } from 'node:crypto'
import { keyOf } from '../aws/keypair.ts'
import { facts } from '../pki/bundle.ts'
import { demand } from '../pki/demand.ts'
import { RelayError } from '../pki/error.ts'
import { passphrase as passphraseOf } from '../pki/passphrase.ts'
import type { Secret } from '../pki/secret.ts'
import { versionId } from '../pki/version.ts'
import type { Certifier, Petition } from '../ports/certifier.ts'
import { due, type Kept, kept, keptPair } from './kept.ts'
import { digest, type Order, sourceName } from './order.ts'
import type { Identity, Material, Source } from './source.ts'
import type { Peers } from './stored.ts'

/** What a source that makes its own keys needs. */
export interface Bench {
  readonly order: Order
  readonly certifier: Promise<Certifier>
  /** Where material is laid out. */
  readonly dir: string
  /** The peers' anchors; absent: the peers have the same authority, and its anchors are believed. */
  readonly peers?: Peers | undefined
  /** Epoch milliseconds. */
  readonly now: () => number
}

/** The version of what is not made yet. */
const NEXT = 'next'
/** A request is tried again as it is for so long; a lost answer is then the same certificate (IdempotencyToken). Milliseconds. */
const SAME = 240_000
/** Gaps between tries, each twice as long, and at most a tenth of the time that is left. Milliseconds. */
const GAP = { first: 5_000, most: 900_000 }

/** A key that waits for its certificate. */
interface Draft extends Petition {
  readonly privateKey: string
  readonly passphrase: Secret
}

/** From look to look. */
interface Memory {
  /** Somebody wants a new one. */
  forced: boolean
  looked: boolean
  draft: Draft | undefined
  failures: number
  /** Nobody is asked again before; epoch milliseconds. */
  rest: number
  last: unknown
}

/**
 * Material whose key is made here and goes nowhere: an authority certifies it, and certifies the next one when two thirds of a
 * life are over. What is laid out already is used as long as it is good, also after a restart.
 */
export function own(bench: Bench): Source {
  const { order, dir, peers, now } = bench
  const memory: Memory = {
    ...{ forced: false, looked: false, draft: undefined, failures: 0, rest: 0, last: undefined },
  }
  const by = digest(order)
  const good = async () => {
    const found = await kept(dir)
    return found?.made.by === by && Date.parse(found.meta.notAfter) > now() ? found : undefined
  }
  return {
    async look(asked = false) {
      memory.looked = true
      memory.forced ||= asked
      const [found, trust] = await Promise.all([good(), peers?.version()])
      if (found !== undefined && !memory.forced && now() < due(found))
        return { version: found.meta.version, trust: trust ?? found.meta.version }
      if (!asked && now() < memory.rest) throw memory.last
      return { version: NEXT, trust: trust ?? NEXT }
    },
    async fetch() {
      const [found, theirs] = [await good(), await peers?.read()]
      const pair = await identity(bench, memory, found)
      memory.forced = false
      const trust = theirs?.trust ?? { version: pair.version, anchors: pair.bundle.anchors }
      const replica = theirs?.replica
      return { ...pair, trust, ...(replica !== undefined && { replica }) } satisfies Material
    },
  }
}

/** The pair that is laid out while it is good for longer, else a new one; at a start an old one is better than none. */
async function identity(bench: Bench, memory: Memory, found: Kept | undefined): Promise<Identity> {
  const { order, dir, now } = bench
  const again = async () => found && (await keptPair(dir, found, sourceName(order)))
  if (found !== undefined && !memory.forced && now() < due(found)) {
    const pair = await again()
    if (pair !== undefined) return pair
  }
  try {
    const made = await renewed(bench, memory)
    Object.assign(memory, { failures: 0, rest: 0, last: undefined })
    return made
  } catch (error) {
    fail(memory, error, { now: now(), end: found && Date.parse(found.meta.notAfter) })
    const isPassing = error instanceof RelayError && error.remedy === 'retry'
    const pair = isPassing && !memory.looked ? await again() : undefined
    if (pair !== undefined) return pair
    throw error
  }
}

async function renewed({ certifier, order, now }: Bench, memory: Memory): Promise<Identity> {
  const { csr, token, at, privateKey, passphrase } = draftOf(memory, order, now())
  const certified = await (await certifier).certify({ csr, token, at })
  const { certificate, chain, anchors } = certified
  const source = sourceName(order)
  const about = facts(source, certificate)
  memory.draft = undefined // whoever gets it wipes it
  return {
    version: versionId(source, about.serial),
    bundle: { format: 1, certificate, chain, anchors, privateKey, facts: about },
    passphrase,
    made: { by: digest(order), at: new Date(now()).toISOString(), anchors, names: order.names },
  }
}

/** A new key under a new passphrase, or the one whose request was not answered. */
function draftOf(memory: Memory, { names, keyAlgorithm }: Order, now: number): Draft {
  const { draft } = memory
  if (draft !== undefined && now - draft.at < SAME) return draft
  draft?.passphrase.wipe()
  const passphrase = passphraseOf(randomBytes(32))
  const made = demand({ key: keyOf(keyAlgorithm), names }, passphrase)
  memory.draft = { ...made, passphrase, token: randomUUID(), at: now }
  return memory.draft
}

function fail(
  memory: Memory,
  error: unknown,
  { now, end = Infinity }: { readonly now: number; readonly end: number | undefined },
): void {
  if (!(error instanceof RelayError) || error.remedy !== 'retry') {
    memory.draft?.passphrase.wipe()
    memory.draft = undefined
  }
  const gap = Math.min(GAP.first * 2 ** memory.failures++, GAP.most, Math.max(0, end - now) / 10)
  memory.rest = now + gap * (0.5 + Math.random() / 2)
  memory.last = error
}
