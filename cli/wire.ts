/** One field of a protobuf message on the wire: its number, and a whole number or its bytes. */
export interface Field {
  readonly number: number
  readonly value: number
  readonly bytes: Uint8Array
}

const NOTHING = new Uint8Array()
/** Bytes after the tag of the wire types with a fixed size. */
const FIXED: Readonly<Record<number, number>> = { 1: 8, 5: 4 }

/**
 * The fields of one message.
 *
 * Source: https://protobuf.dev/programming-guides/encoding/
 *
 * @throws RangeError when it is no message.
 */
export function fields(message: Uint8Array): Field[] {
  const found: Field[] = []
  for (let at = 0; at < message.length; ) {
    const one = field(message, at)
    if (one === undefined) throw new RangeError('not a protobuf message')
    found.push(one.field)
    at = one.end
  }
  return found
}

/** The field that begins at `at` and where it ends; `undefined` when there is none. */
export function field(
  bytes: Uint8Array,
  at: number,
): { readonly field: Field; readonly end: number } | undefined {
  const tag = varint(bytes, at)
  if (tag === undefined || tag.value < 8) return undefined
  const number = Math.floor(tag.value / 8)
  const kind = tag.value % 8
  if (kind === 0) {
    const whole = varint(bytes, tag.end)
    return whole && { field: { number, value: whole.value, bytes: NOTHING }, end: whole.end }
  }
  const long = kind === 2 ? varint(bytes, tag.end) : undefined
  const from = long?.end ?? tag.end
  const size = long?.value ?? FIXED[kind]
  if (size === undefined || from + size > bytes.length) return undefined
  const end = from + size
  return { field: { number, value: 0, bytes: bytes.subarray(from, end) }, end }
}

function varint(bytes: Uint8Array, at: number) {
  let value = 0
  for (let scale = 1, end = at; scale < 2 ** 64; scale *= 128) {
    const byte = bytes[end++]
    if (byte === undefined) return undefined
    value += (byte & 127) * scale
    if (byte < 128) return { value, end }
  }
  return undefined
}
