import { Flawed } from './flaw.ts'

/** One field as it came: a number (wire type 0) or octets (wire type 2). */
export interface Field {
  readonly number: number
  readonly value: bigint | Buffer
}

const VARINT = 0
const LENGTH = 2
const MOST = 1n << 64n

/** The fields of a message of protobuf, in their order (https://protobuf.dev/programming-guides/encoding/). @throws Flawed */
export function fields(bytes: Buffer): Field[] {
  const list: Field[] = []
  for (let at = 0; at < bytes.length; ) {
    const key = varint(bytes, at)
    const number = Number(key.value >> 3n)
    const wire = Number(key.value & 7n)
    if (wire !== VARINT && wire !== LENGTH) throw new Flawed('encoding', `wire type ${wire}`)
    const head = varint(bytes, key.end)
    if (wire === VARINT) {
      list.push({ number, value: head.value })
      at = head.end
      continue
    }
    const end = head.end + Number(head.value)
    if (end > bytes.length) throw new Flawed('encoding', 'a field ends after its message')
    list.push({ number, value: bytes.subarray(head.end, end) })
    at = end
  }
  return list
}

/** A packed list of numbers. @throws Flawed */
export function unpacked(bytes: Buffer): bigint[] {
  const list: bigint[] = []
  for (let at = 0; at < bytes.length; ) {
    const { value, end } = varint(bytes, at)
    list.push(value)
    at = end
  }
  return list
}

function varint(bytes: Buffer, from: number): { value: bigint; end: number } {
  let value = 0n
  for (let at = from; at < from + 10; at++) {
    const octet = bytes[at]
    if (octet === undefined) break
    value |= BigInt(octet & 0x7f) << BigInt(7 * (at - from))
    if (octet < 0x80) {
      if (value >= MOST) break
      return { value, end: at + 1 }
    }
  }
  throw new Flawed('encoding', 'a number that does not end')
}

/** A number in the shortest form; a negative one in ten octets, as int64 has it. */
export function number(value: bigint): Buffer {
  const octets: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest >= 0x80n; rest >>= 7n) octets.push(Number(rest & 0x7fn) | 0x80)
  return Buffer.from([...octets, Number(rest)])
}

/** A field with a number; nothing for zero (proto3). */
export function numeric(field: number, value: bigint): Buffer {
  if (value === 0n) return Buffer.alloc(0)
  return Buffer.concat([number(BigInt(field * 8 + VARINT)), number(value)])
}

/** A field with octets, even when there are none: what lists and messages are made of. */
export function octets(field: number, value: Uint8Array): Buffer {
  return Buffer.concat([number(BigInt(field * 8 + LENGTH)), number(BigInt(value.length)), value])
}

/** A field with octets; nothing for none (proto3). */
export function present(field: number, value: Uint8Array): Buffer {
  return value.length === 0 ? Buffer.alloc(0) : octets(field, value)
}
