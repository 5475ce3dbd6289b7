/** An address with the length of its network: `10.1.1.2/16`. */
export interface Network {
  /** 4 or 16 octets. */
  readonly address: Uint8Array
  readonly bits: number
}

const OCTET = /^(0|[1-9][0-9]{0,2})$/
const GROUP = /^[0-9a-fA-F]{1,4}$/

/** Reads `ADDRESS/BITS` as strictly as Go's netip.ParsePrefix: no zone, no leading zeros; `undefined` for anything else. */
export function parseNetwork(text: string): Network | undefined {
  const [address = '', bits = '', ...more] = text.split('/')
  const octets = address.includes(':') ? six(address) : four(address)
  if (octets === undefined || !OCTET.test(bits) || more.length > 0) return undefined
  const length = Number(bits)
  return length <= octets.length * 8
    ? { address: Uint8Array.from(octets), bits: length }
    : undefined
}

function four(text: string): number[] | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => OCTET.test(part))) return undefined
  const octets = parts.map(Number)
  return octets.every((octet) => octet <= 255) ? octets : undefined
}

/** RFC 4291 2.2, the last two groups perhaps as an IPv4 address. */
function six(text: string): number[] | undefined {
  const [head = '', tail, ...more] = text.split('::')
  if (more.length > 0) return undefined
  const left = groups(head, tail === undefined)
  const right = groups(tail ?? '', true)
  if (left === undefined || right === undefined) return undefined
  const missing = 16 - left.length - right.length
  if (tail === undefined ? missing !== 0 : missing < 2) return undefined
  return [...left, ...Array.from({ length: missing }, () => 0), ...right]
}

function groups(text: string, last: boolean): number[] | undefined {
  if (text === '') return []
  const octets: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    const dotted = last && index === parts.length - 1 && part.includes('.') ? four(part) : undefined
    if (dotted !== undefined) octets.push(...dotted)
    else if (GROUP.test(part)) octets.push(parseInt(part, 16) >> 8, parseInt(part, 16) & 0xff)
    else return undefined
  }
  return octets
}

/** As Go prints it: IPv6 by RFC 5952. */
export function networkText({ address, bits }: Network): string {
  return `${address.length === 4 ? address.join('.') : sixText(address)}/${bits}`
}

function sixText(address: Uint8Array): string {
  const words = Array.from({ length: 8 }, (_, at) =>
    (((address[at * 2] ?? 0) << 8) | (address[at * 2 + 1] ?? 0)).toString(16),
  )
  const { start, length } = zeros(words)
  if (length < 2) return words.join(':')
  return `${words.slice(0, start).join(':')}::${words.slice(start + length).join(':')}`
}

/** The first of the longest runs of zeros. */
function zeros(words: readonly string[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < words.length; start++) {
    let end = start
    while (words[end] === '0') end++
    if (end - start > best.length) best = { start, length: end - start }
  }
  return best
}

/** Nebula's order: IPv4 first, by address, then by length. */
export function compareNetworks(one: Network, other: Network): number {
  const families = one.address.length - other.address.length
  return families || Buffer.compare(one.address, other.address) || one.bits - other.bits
}

/** Whether every address of `inner` lies in `outer`. */
export function covers(outer: Network, inner: Network): boolean {
  if (outer.address.length !== inner.address.length || outer.bits > inner.bits) return false
  return outer.address.every((octet, at) => {
    const mask = 0xff00 >> Math.min(8, Math.max(0, outer.bits - at * 8))
    return ((octet ^ (inner.address[at] ?? 0)) & mask & 0xff) === 0
  })
}

/** `0.0.0.0` or `::`. */
export function isUnspecified({ address }: Network): boolean {
  return address.every((octet) => octet === 0)
}

/** An IPv4 address in IPv6's clothes, `::ffff:10.0.0.1` (RFC 4291 2.5.5.2). */
export function isMapped({ address }: Network): boolean {
  return (
    address.length === 16 &&
    address.subarray(0, 10).every((octet) => octet === 0) &&
    address[10] === 0xff &&
    address[11] === 0xff
  )
}
