import { type Field, fields } from './wire.ts'

/** Numbers of `validate.FieldRules`: 1 to 12 are the numeric types. */
const STRING = 14
const BYTES = 15
const ENUM = 16
const REPEATED = 18
const DURATION = 21
/** Rules that only say `required`, and in which field: messages, Any, Timestamp. */
const REQUIRED: Readonly<Record<number, number>> = { 17: 2, 20: 1, 22: 1 }
/** Field of `ignore_empty`, by kind of rules. */
const LENIENT: Readonly<Record<number, number>> = {
  [STRING]: 26,
  [BYTES]: 14,
  [REPEATED]: 5,
  19: 3,
}
/** `lt`, `lte`, `gt`, `gte` of numbers, in this order. */
const SIGNS = ['<', '<=', '>', '>='] as const

/**
 * The part of `validate.FieldRules` that a bootstrap is checked by, as text: `!` must be there and not be empty, `>=1`, `<=5` bounds
 * (durations in seconds), `^0` forbidden values of an enum, and in parentheses the same for each item.
 *
 * Source: https://github.com/bufbuild/protoc-gen-validate/blob/main/validate/validate.proto
 */
export function rulesText(rules: Uint8Array | undefined): string {
  if (rules === undefined) return ''
  return fields(rules)
    .map(({ number, bytes }) => one(number, fields(bytes)))
    .join('')
}

function one(kind: number, parts: readonly Field[]): string {
  const has = (number: number, least = 1) =>
    parts.some((part) => part.number === number && part.value >= least)
  if (has(LENIENT[kind] ?? 8) && kind !== DURATION && kind !== ENUM) return ''
  if (kind <= 12) return bounds(kind, parts)
  if (kind === STRING || kind === BYTES) return has(2) || has(4) ? '!' : ''
  if (kind === ENUM) return without(parts)
  if (kind === REPEATED) {
    const items = parts.find(({ number }) => number === 4)
    const inner = items === undefined ? '' : rulesText(items.bytes)
    return `${inner && `(${inner})`}${has(1) ? '!' : ''}`
  }
  if (kind === 19) return has(1) ? '!' : ''
  if (kind === DURATION) return `${has(1) ? '!' : ''}${durations(parts)}`
  return has(REQUIRED[kind] ?? 0) ? '!' : ''
}

function bounds(kind: number, parts: readonly Field[]): string {
  return parts
    .map((part) => {
      const sign = SIGNS[part.number - 2]
      const value = kind <= 2 ? float(part.bytes) : part.value
      return sign === undefined || value > Number.MAX_SAFE_INTEGER ? '' : `${sign}${value}`
    })
    .join('')
}

function float(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return bytes.length === 4 ? view.getFloat32(0, true) : view.getFloat64(0, true)
}

function durations(parts: readonly Field[]): string {
  return parts
    .map(({ number, bytes }) => {
      const sign = SIGNS[number - 3]
      if (sign === undefined) return ''
      const value = (which: number) =>
        fields(bytes).find((part) => part.number === which)?.value ?? 0
      return `${sign}${value(1) + value(2) / 1e9}`
    })
    .join('')
}

function without(parts: readonly Field[]): string {
  return parts
    .filter(({ number }) => number === 4)
    .flatMap(({ value, bytes }) => (bytes.length > 0 ? [...bytes] : [value]))
    .map((value) => `^${value}`)
    .join('')
}
