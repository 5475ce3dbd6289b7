import type { KeyObject } from 'node:crypto'
import type { Tree } from '../../pki/encode.ts'
import { dns, ip, keyring, type Make, make, text } from './hierarchy.ts'
import type { Case } from './limbo.ts'

/** Small pseudo-random numbers from a seed (mulberry32): the same seed makes the same hierarchies, keys apart. */
export function random(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

/** The moment at which every generated hierarchy is judged. Epoch milliseconds. */
export const NOW = Date.parse('2026-06-01T00:00:00Z')
const DAY = 86_400_000
const HOST = 'a.example.com'
const SERVER = '1.3.6.1.5.5.7.3.1'
const CLIENT = '1.3.6.1.5.5.7.3.2'

interface Ca {
  readonly subject: string
  readonly key: KeyObject
}

/**
 * One hierarchy as a case of x509-limbo's form, without an expected result: one to three anchors, up to six CAs that certify
 * each other at random (cross-signs and loops come by themselves), and a leaf; each certificate has a fault or a limit now and then.
 */
export function hierarchy(
  id: number,
  below: (n: number) => number,
  keys: readonly KeyObject[],
): Case {
  const pick = <T>(list: readonly T[]): T => {
    const found = list[below(list.length)]
    if (found === undefined) throw new TypeError('an empty list')
    return found
  }
  const own = keys.slice().sort(() => below(3) - 1)
  const ca = (kind: string, index: number): Ca => ({
    subject: `${kind} ${id} ${index}`,
    key: own[(index + (kind === 'Root' ? 0 : 4)) % own.length] ?? pick(own),
  })
  const roots = Array.from({ length: 1 + below(3) }, (_, index) => ca('Root', index))
  const middles = Array.from({ length: 1 + below(5) }, (_, index) => ca('CA', index))
  const anchors = roots.map((one) =>
    make({ ...plain(one, one), ...chance(below, 12, () => expired) }),
  )
  const intermediates: Buffer[] = []
  for (const one of middles) {
    for (let count = 1 + below(3); count > 0; count--) {
      const parent = pick([...roots, ...roots, ...middles])
      if (parent !== one) intermediates.push(make({ ...plain(one, parent), ...twist(below) }))
    }
  }
  const issuer = pick([...middles, ...middles, ...roots])
  const leaf = make({
    ...plain({ subject: `Leaf ${id}`, key: pick(keys) }, issuer),
    ca: false,
    names: leafNames(below),
    ...chance(below, 3, () => ({ purposes: pick([[SERVER], [CLIENT], [SERVER, CLIENT]]) })),
    ...chance(below, 15, () => expired),
  })
  return {
    id: `generated::${id}`,
    validation_kind: 'SERVER',
    trusted_certs: anchors.map(text),
    untrusted_intermediates: intermediates.map(text),
    peer_certificate: text(leaf),
    validation_time: new Date(NOW).toISOString(),
    extended_key_usage: ['serverAuth'],
    expected_result: '',
    expected_peer_name: { kind: 'DNS', value: HOST },
    expected_peer_names: [],
  }
}

function plain({ subject, key }: Ca, issuer: Ca): Make {
  const life = { notBefore: NOW - 100 * DAY, notAfter: NOW + 100 * DAY }
  return { subject, issuer: issuer.subject, key, signer: issuer.key, ca: true, ...life }
}

const expired = { notAfter: NOW - DAY }

function chance<T extends object>(
  below: (n: number) => number,
  one: number,
  make_: () => T,
): T | object {
  return below(one) === 0 ? make_() : {}
}

function leafNames(below: (n: number) => number): Tree[] {
  const more = [
    dns('b.example.com'),
    dns('evil.test'),
    dns('*.example.com'),
    ip(10, 0, 0, 1),
    ip(192, 0, 2, 1),
  ]
  const extra = more.filter(() => below(4) === 0)
  return below(20) === 0 ? extra.concat(dns('other.test')) : [dns(HOST), ...extra]
}

/** What is sometimes wrong with a CA, or limited by it. */
function twist(below: (n: number) => number): Partial<Make> {
  const twists: readonly (() => Partial<Make>)[] = [
    () => expired,
    () => ({ notBefore: NOW + DAY }),
    () => ({ pathLength: below(3) }),
    () => ({ pathLength: 0 }),
    () => ({ ca: false }),
    () => ({ basic: false }),
    () => ({ usage: 0x02 }),
    () => ({ purposes: [CLIENT] }),
    () => ({ purposes: [SERVER] }),
    () => ({ permitted: [dns('example.com')] }),
    () => ({ permitted: [dns('other.test'), ip(10, 0, 0, 0, 255, 0, 0, 0)] }),
    () => ({ excluded: [dns('evil.test')] }),
    () => ({ excluded: [dns('example.com')] }),
    () => ({ excluded: [ip(192, 0, 2, 0, 255, 255, 255, 0)] }),
  ]
  return below(2) === 0 ? {} : (twists[below(twists.length)]?.() ?? {})
}

/** Hierarchies from a seed. */
export function hierarchies(seed: number, count: number): Case[] {
  const below = random(seed)
  const keys = keyring()
  return Array.from({ length: count }, (_, index) => hierarchy(index, below, keys))
}
