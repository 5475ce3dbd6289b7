import { type Certificate, parseCertificate } from './certificate.ts'
import type { Verdict } from './climb.ts'
import { buffer, isFault } from './der.ts'
import { RelayError } from './error.ts'
import { findPath, type Question } from './path.ts'
import { pem, pemBlocks } from './pem.ts'
import { selfSigned } from './signatures.ts'

/** What Envoy is given besides the leaf, and what was left out of it. */
export interface Arranged {
  /** The chosen path between leaf and anchor, in order, PEM; without a path, what came, each once and without roots. */
  readonly chain: string
  /** By place in what came, `chain[0]` …; a malformed one is a stray. */
  readonly dropped: readonly { readonly certificate: string; readonly why: Dropped }[]
  /** The path, or why there is none. */
  readonly verdict: Verdict
}

/** `repeated`: it came before; `root`: self-signed or an anchor, peers use their own; `stray`: not on the chosen path. */
export type Dropped = 'repeated' | 'root' | 'stray'

/**
 * The chain as Envoy wants it, which builds no paths: the path from the leaf to one of the anchors, leaf's issuer first, no
 * root, no strays, nothing twice. Of several paths the one that `findPath` prefers. `now` in epoch milliseconds.
 *
 * @throws RelayError BUNDLE_INVALID when a text is not a list of PEM certificates.
 */
export function arrange(
  { certificate, chain }: { readonly certificate: string; readonly chain: string },
  anchors: string,
  now: number,
  about: Pick<Question, 'purposes' | 'crls' | 'profile'> = {},
): Arranged {
  const [leaf = new Uint8Array()] = ders(certificate, 'certificate')
  const came = ders(chain, 'chain')
  const trusted = ders(anchors, 'anchors')
  const verdict = findPath({ ...about, leaf, intermediates: came, anchors: trusted, now })
  const between = 'path' in verdict ? verdict.path.slice(1, -1) : undefined
  const dropped: Arranged['dropped'][number][] = []
  const kept: Uint8Array[] = []
  for (const [index, der] of came.entries()) {
    const why = reason(der, came.slice(0, index), trusted, between)
    if (why === undefined) kept.push(der)
    else dropped.push({ certificate: `chain[${index}]`, why })
  }
  const list = between?.map(({ der }) => der) ?? kept
  return { chain: list.map((der) => pem('CERTIFICATE', der)).join(''), dropped, verdict }
}

function reason(
  der: Uint8Array,
  before: readonly Uint8Array[],
  anchors: readonly Uint8Array[],
  between: readonly Certificate[] | undefined,
): Dropped | undefined {
  const same = (other: Uint8Array) => buffer(other).equals(der)
  if (before.some(same)) return 'repeated'
  if (between?.some((one) => same(one.der))) return undefined
  const one = parseCertificate(der)
  if (anchors.some(same) || (!isFault(one) && selfSigned(one))) return 'root'
  return between === undefined ? undefined : 'stray'
}

function ders(text: string, what: string): Uint8Array[] {
  const blocks = pemBlocks(text)
  if (blocks?.every(({ label }) => label === 'CERTIFICATE')) return blocks.map(({ der }) => der)
  throw new RelayError('BUNDLE_INVALID', `${what} is not a list of PEM certificates`)
}
