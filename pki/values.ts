import { content, type Element, expect, Malformed, TAG } from './der.ts'

/** BOOLEAN: DER knows 0x00 and 0xff only (X.690 11.1). @throws Malformed */
export function boolean(one: Element): boolean {
  expect(one, TAG.boolean)
  const value = one.bytes[one.body]
  if (one.end - one.body !== 1 || (value !== 0 && value !== 0xff)) throw new Malformed(one.body)
  return value === 0xff
}

/** INTEGER as its content octets, shortest form (X.690 8.3.2). @throws Malformed */
export function integer(one: Element | undefined, tag: number = TAG.integer): Uint8Array {
  return content(shortest(one, tag))
}

/** An INTEGER in its shortest form. @throws Malformed when it is something else */
export function shortest(one: Element | undefined, tag: number = TAG.integer): Element {
  const found = expect(one, tag)
  const { bytes, body, end } = found
  const second = end - body > 1 ? (bytes[body + 1] ?? 0) : undefined
  const first = bytes[body]
  if (end === body) throw new Malformed(body)
  if (second !== undefined && first === 0 && second < 0x80) throw new Malformed(body)
  if (second !== undefined && first === 0xff && second >= 0x80) throw new Malformed(body)
  return found
}

/** INTEGER from zero to 2^31-1. @throws Malformed */
export function count(one: Element | undefined, tag: number = TAG.integer): number {
  const { bytes, body, end } = shortest(one, tag)
  if (end - body > 4 || (bytes[body] ?? 0) >= 0x80) throw new Malformed(body)
  let sum = 0
  for (let at = body; at < end; at++) sum = sum * 256 + (bytes[at] ?? 0)
  return sum
}

/** Octets as a number, the highest first. */
export function number(octets: Uint8Array): number {
  let sum = 0
  for (const octet of octets) sum = sum * 256 + octet
  return sum
}

/** OBJECT IDENTIFIER with dots. @throws Malformed */
export function oid(one: Element | undefined, tag: number = TAG.oid): string {
  const { bytes, body, end } = expect(one, tag)
  let sum = end - body
  for (let at = body; at < end; at++) sum = (Math.imul(sum, 31) + (bytes[at] ?? 0)) | 0
  const known = OIDS.get(sum)
  if (known !== undefined && isAt(known.octets, bytes, body, end)) return known.text
  const text = dotted(bytes, body, end)
  if (OIDS.size < MANY) OIDS.set(sum, { octets: Uint8Array.from(bytes.subarray(body, end)), text })
  return text
}

/** The same few identifiers come again and again: here by a sum of their octets. */
const OIDS = new Map<number, { readonly octets: Uint8Array; readonly text: string }>()
const MANY = 500

function isAt(octets: Uint8Array, bytes: Uint8Array, body: number, end: number): boolean {
  if (octets.length !== end - body) return false
  for (let at = body; at < end; at++) if (bytes[at] !== octets[at - body]) return false
  return true
}

function dotted(bytes: Uint8Array, body: number, end: number): string {
  if (body === end || (bytes[end - 1] ?? 0) >= 0x80) throw new Malformed(body)
  let text = ''
  let arc = 0
  for (let at = body; at < end; at++) {
    const octet = bytes[at] ?? 0
    if (arc === 0 && octet === 0x80) throw new Malformed(at)
    arc = arc * 128 + (octet & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER / 128) throw new Malformed(at)
    if (octet >= 0x80) continue
    text += text === '' ? firstArcs(arc) : `.${arc}`
    arc = 0
  }
  return text
}

function firstArcs(arc: number): string {
  const top = Math.min(2, Math.floor(arc / 40))
  return `${top}.${arc - top * 40}`
}

/** BIT STRING: how many bits of its last octet are unused, which DER wants zero (X.690 11.2). @throws Malformed */
export function unusedBits(one: Element | undefined, tag: number = TAG.bits): number {
  const { bytes, body, end } = expect(one, tag)
  const unused = end > body ? (bytes[body] ?? 0) : 8
  if (unused > 7 || (unused > 0 && end - body === 1)) throw new Malformed(body)
  const spare = (1 << unused) - 1
  if (end - body > 1 && ((bytes[end - 1] ?? 0) & spare) !== 0) throw new Malformed(body)
  return unused
}

/** BIT STRING of whole octets, as keys and signatures are. @throws Malformed */
export function octetBits(one: Element): Uint8Array {
  return octetsOf(wholeOctets(one))
}

/** A BIT STRING of whole octets. @throws Malformed when it is something else */
export function wholeOctets(one: Element): Element {
  expect(one, TAG.bits)
  if (one.end === one.body || one.bytes[one.body] !== 0) throw new Malformed(one.body)
  return one
}

/** What a BIT STRING of whole octets holds, not a copy. */
export function octetsOf({ bytes, body, end }: Element): Uint8Array {
  return bytes.subarray(body + 1, end)
}

/** Numbers of the bits that are set in a named bit list; trailing zero bits are forbidden (X.690 11.2.2). @throws Malformed */
export function flags(one: Element | undefined, tag: number = TAG.bits): ReadonlySet<number> {
  const { bytes, body, end } = expect(one, tag)
  const unused = unusedBits(one, tag)
  const first = body + 1
  if (end > first && (((bytes[end - 1] ?? 0) >> unused) & 1) === 0) throw new Malformed(body)
  const set = new Set<number>()
  for (let bit = 0; bit < (end - first) * 8 - unused; bit++)
    if (((bytes[first + (bit >> 3)] ?? 0) & (0x80 >> (bit & 7))) !== 0) set.add(bit)
  return set
}

/** The character strings that names are written in. */
const STRINGS: ReadonlySet<number> = new Set([
  TAG.utf8,
  TAG.printable,
  TAG.teletex,
  TAG.ia5,
  TAG.bmp,
])

/** Whether an element is text, as far as `text` reads it. */
export function isString({ tag }: Element): boolean {
  return STRINGS.has(tag)
}

/** Text of a character string. @throws Malformed when its octets are not of its type. */
export function text(one: Element): string {
  if (one.tag === TAG.utf8) return utf8(one)
  if (one.tag === TAG.bmp) return wide(content(one), one)
  return one.tag === TAG.teletex ? latin(one) : ascii(one)
}

/** The content octets as ASCII. @throws Malformed */
export function ascii(one: Element): string {
  const plain = latin(one)
  if (!isAscii(plain)) throw new Malformed(one.body)
  return plain
}

function latin({ bytes, body, end }: Element): string {
  return bytes.toString('latin1', body, end)
}

/** Whether every character is below U+0080. */
export function isAscii(value: string): boolean {
  return !BEYOND_ASCII.test(value)
}

const BEYOND_ASCII = /[^\0-\x7f]/

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function utf8(one: Element): string {
  const plain = latin(one)
  if (isAscii(plain)) return plain
  try {
    return UTF8.decode(content(one))
  } catch {
    throw new Malformed(one.body) // the decoder's own error says no more
  }
}

function wide(value: Uint8Array, one: Element): string {
  if (value.length % 2 !== 0) throw new Malformed(one.body)
  let out = ''
  for (let at = 0; at < value.length; at += 2)
    out += String.fromCharCode((value[at] ?? 0) * 256 + (value[at + 1] ?? 0))
  return out
}
