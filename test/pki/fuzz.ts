import { parseCertificate, valuesOf } from '../../pki/certificate.ts'
import { parseRevocationList } from '../../pki/crl.ts'
import { parseCsr } from '../../pki/csr.ts'
import { isFault } from '../../pki/der.ts'
import { decode, encode } from '../../pki/encode.ts'
import { parseHeader } from '../../pki/header.ts'
import { lint } from '../../pki/lint.ts'
import { findPath } from '../../pki/path.ts'

/** A chain that is valid at `now`: leaf, intermediates, anchor; DER. */
export interface Chain {
  readonly leaf: Buffer
  readonly intermediates: readonly Buffer[]
  readonly anchor: Buffer
  readonly now: number
}

/** What went wrong, with everything that is needed to see it again. */
export interface Flaw {
  readonly what: string
  readonly hex: string
}

/**
 * Mutates a certificate of a valid chain and lets every reader and the path builder have it: none may throw or take long, and
 * no certificate whose signed part changed may be accepted.
 */
export function fuzz(
  chains: readonly Chain[],
  count: number,
  below: (n: number) => number,
  slowestMs: number,
): { readonly flaws: readonly Flaw[]; readonly slowestMs: number } {
  const flaws: Flaw[] = []
  let slowest = 0
  for (let round = 0; round < count; round++) {
    const chain = chains[below(chains.length)]
    if (chain === undefined) throw new TypeError('there are chains')
    const all = [chain.leaf, ...chain.intermediates]
    const place = below(all.length)
    const changed = mutate(all[place] ?? chain.leaf, below)
    const began = process.cpuUsage()
    const what = attempt(chain, all.with(place, changed), all[place] ?? chain.leaf, changed)
    const { user, system } = process.cpuUsage(began)
    slowest = Math.max(slowest, (user + system) / 1_000)
    if (what !== undefined) flaws.push({ what, hex: changed.toString('hex') })
  }
  if (slowest > slowestMs) flaws.push({ what: `took ${slowest} ms`, hex: '' })
  return { flaws, slowestMs: slowest }
}

function attempt(
  { anchor, now }: Chain,
  [leaf = Buffer.alloc(0), ...intermediates]: readonly Buffer[],
  before: Buffer,
  changed: Buffer,
): string | undefined {
  try {
    const verdict = findPath({ leaf, intermediates, anchors: [anchor], now })
    const one = parseCertificate(changed)
    if (!isFault(one)) lint([one])
    parseCsr(changed)
    parseRevocationList(changed)
    parseHeader(changed)
    const tree = decode(changed)
    if (!isFault(tree) && !Buffer.from(encode(tree)).equals(changed)) return 'another encoding'
    return 'path' in verdict && signedPart(before) !== signedPart(changed) ? 'accepted' : undefined
  } catch (error) {
    return `threw ${error instanceof Error ? error.stack : String(error)}`
  }
}

function signedPart(der: Buffer): string {
  const one = parseCertificate(der)
  if (isFault(one)) return 'none'
  valuesOf(one)
  return Buffer.from(one.signed).toString('hex')
}

/** One to three changes: a bit, an octet, a piece cut out, doubled or put elsewhere, or a length that lies. */
export function mutate(der: Buffer, below: (n: number) => number): Buffer {
  let out: Buffer = Buffer.from(der)
  for (let count = 1 + below(3); count > 0; count--) out = change(out, below)
  return out.equals(der) ? change(out, below) : out
}

function change(der: Buffer, below: (n: number) => number): Buffer {
  const at = below(der.length || 1)
  const length = 1 + below(16)
  switch (below(6)) {
    case 0:
      return flip(der, at, 1 << below(8))
    case 1:
      return flip(der, at, 1 + below(255))
    case 2:
      return Buffer.concat([der.subarray(0, at), der.subarray(at + length)])
    case 3:
      return Buffer.concat([der.subarray(0, at + length), der.subarray(at)])
    case 4:
      return Buffer.concat([
        der.subarray(0, at),
        der.subarray(below(der.length || 1)).subarray(0, length),
        der.subarray(at),
      ])
    default:
      return flip(der, at, 0x80)
  }
}

function flip(der: Buffer, at: number, mask: number): Buffer {
  const out = Buffer.from(der)
  if (at < out.length) out.writeUInt8(out.readUInt8(at) ^ mask, at)
  return out
}
