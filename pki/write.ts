import { buffer, context, TAG } from './der.ts'

/** One DER element around its parts, with the shortest length (X.690 10.1). */
export function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  return around(tag, parts)
}

/** As `der`, for lists of any length. */
export function around(tag: number, parts: readonly Uint8Array[]): Buffer {
  let length = 0
  for (const part of parts) length += part.length
  const out = Buffer.allocUnsafe(headSize(length) + length)
  let at = head(out, tag, length)
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

function headSize(length: number): number {
  if (length < 0x80) return 2
  return length < 0x100 ? 3 : length < 0x1_0000 ? 4 : length < 0x100_0000 ? 5 : 6
}

/** Writes identifier and length octets at the start; answers where the content begins. */
function head(out: Buffer, tag: number, length: number): number {
  const size = headSize(length)
  out[0] = tag
  if (size === 2) {
    out[1] = length
    return size
  }
  out[1] = 0x80 | (size - 2)
  for (let at = size - 1, rest = length; at > 1; at--, rest = Math.floor(rest / 256))
    out[at] = rest & 0xff
  return size
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => around(TAG.sequence, parts)

/** `[number] EXPLICIT`. */
export const explicit = (number: number, ...parts: readonly Uint8Array[]): Buffer =>
  around(context(number, true), parts)

/** OCTET STRING. */
export const octets = (value: Uint8Array): Buffer => der(TAG.octets, value)

const NO_UNUSED = Uint8Array.of(0)

/** BIT STRING of whole octets, as keys and signatures are. */
export const bitString = (value: Uint8Array): Buffer => der(TAG.bits, NO_UNUSED, value)

/** BIT STRING of a named bit list: trailing zero bits are left out (X.690 11.2.2). Bits are numbered from 0. */
export function namedBits(bits: readonly number[], tag: number = TAG.bits): Buffer {
  const last = Math.max(-1, ...bits)
  const value = Buffer.alloc(2 + Math.floor(last / 8))
  if (last < 0) return der(tag, NO_UNUSED)
  value[0] = 7 - (last % 8)
  for (const bit of bits) {
    const at = 1 + (bit >> 3)
    value[at] = (value[at] ?? 0) | (0x80 >> (bit & 7))
  }
  return der(tag, value)
}

/** INTEGER from the octets of a number that is not negative, highest first: the shortest form (X.690 8.3.2). */
export function unsigned(value: Uint8Array): Buffer {
  let from = 0
  while (from < value.length - 1 && value[from] === 0) from++
  const short = value.subarray(from)
  if (short.length === 0) return der(TAG.integer, NO_UNUSED)
  return (short[0] ?? 0) < 0x80 ? der(TAG.integer, short) : der(TAG.integer, NO_UNUSED, short)
}

/** INTEGER from zero up. */
export function whole(value: number | bigint): Buffer {
  const hex = value.toString(16)
  return unsigned(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex'))
}

export const TRUE: Buffer = Buffer.of(TAG.boolean, 1, 0xff)
export const NULL: Buffer = Buffer.of(TAG.null, 0)

/** The same few identifiers are written again and again. */
const OIDS = new Map<string, Buffer>()
const MANY = 500
const DOTTED = /^[012](?:\.(?:0|[1-9][0-9]{0,14}))+$/

/** Whether a text is an object identifier that `oid` writes. */
export function isOid(text: string): boolean {
  if (!DOTTED.test(text)) return false
  const [first, second = 0] = text.split('.').map(Number)
  return first === 2 || second < 40
}

/** OBJECT IDENTIFIER from its text with dots. @throws TypeError when it is none */
export function oid(text: string): Buffer {
  const known = OIDS.get(text)
  if (known !== undefined) return known
  if (!isOid(text)) throw new TypeError(`no object identifier: ${text}`)
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const made = der(TAG.oid, Uint8Array.from([first * 40 + second, ...rest].flatMap(base128)))
  if (OIDS.size < MANY) OIDS.set(text, made)
  return made
}

function base128(arc: number): number[] {
  const list = [arc % 128]
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
    list.unshift((rest % 128) | 0x80)
  return list
}

/** Text of ASCII characters under any tag. */
export function ascii(tag: number, text: string): Buffer {
  const out = Buffer.allocUnsafe(headSize(text.length) + text.length)
  out.write(text, head(out, tag, text.length), 'latin1')
  return out
}

const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/

/** A directory string: PrintableString where it can be one, UTF8String otherwise (RFC 5280 4.1.2.4), as Go chooses too. */
export function directoryString(text: string): Buffer {
  return PRINTABLE.test(text)
    ? ascii(TAG.printable, text)
    : der(TAG.utf8, Buffer.from(text, 'utf8'))
}

/** UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 4.1.2.5); epoch milliseconds, cut to the second. */
export function time(at: number): Buffer {
  const known = TIMES.get(at)
  if (known !== undefined) return known
  if (TIMES.size >= MANY) TIMES.clear()
  const made = writtenTime(at)
  TIMES.set(at, made)
  return made
}

/** Certificates of the same minute have the same times. */
const TIMES = new Map<number, Buffer>()

function writtenTime(at: number): Buffer {
  const text = new Date(at).toISOString()
  const digits = `${text.slice(5, 7)}${text.slice(8, 10)}${text.slice(11, 13)}${text.slice(14, 16)}${text.slice(17, 19)}Z`
  const year = text.slice(0, 4)
  return year >= '1950' && year < '2050'
    ? ascii(TAG.utcTime, year.slice(2) + digits)
    : ascii(TAG.generalizedTime, year + digits)
}

/** One extension (RFC 5280 4.1); `value` is its DER. */
export function extension(id: string, critical: boolean, value: Uint8Array): Buffer {
  return critical ? sequence(oid(id), TRUE, octets(value)) : sequence(oid(id), octets(value))
}

/** SET OF: DER puts the parts in the order of their octets (X.690 11.6). */
export function setOf(parts: readonly Uint8Array[]): Buffer {
  return around(TAG.set, parts.length < 2 ? parts : parts.map(buffer).sort(Buffer.compare))
}
