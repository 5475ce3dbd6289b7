import type { Json } from './json.ts'
import type { Rules } from './schema.ts'

/** Why a value is refused: the kind of mistake, and what was wanted. */
export interface Refusal {
  readonly code: 'WRONG_TYPE' | 'OUT_OF_RANGE' | 'MISSING'
  readonly rule: string
}

const WHOLE: Readonly<Record<string, readonly [least: number, most: number]>> = {
  i: [-(2 ** 31), 2 ** 31 - 1],
  u: [0, 2 ** 32 - 1],
  I: [-(2 ** 63), 2 ** 63],
  U: [0, 2 ** 64],
}
const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/
const DURATION = /^(-?\d{1,12})(\.\d{1,9})?s$/
const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/
const PREFIX = 'google.protobuf.'

/** Types whose JSON form is one value; by name, the letter of the scalar inside. */
const WRAPPERS: Readonly<Record<string, string>> = {
  ...{ BoolValue: 'b', StringValue: 's', BytesValue: 'y', DoubleValue: 'f', FloatValue: 'f' },
  ...{ Int32Value: 'i', UInt32Value: 'u', Int64Value: 'I', UInt64Value: 'U' },
}

/**
 * Checks a scalar of protobuf's JSON form. Numbers may be given as text, as Envoy takes them.
 *
 * Source: https://protobuf.dev/programming-guides/json/
 */
export function scalar(letter: string, value: Json, rules: Rules): Refusal | undefined {
  if (letter === 'b') return typeof value === 'boolean' ? undefined : wrong('true or false')
  if (letter === 's' || letter === 'y') return text(letter, value, rules)
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  const range = WHOLE[letter]
  if (typeof number !== 'number' || Number.isNaN(number)) {
    return wrong(range === undefined ? 'a number' : 'a whole number')
  }
  if (range === undefined) return bounded(number, rules)
  if (!Number.isInteger(number)) return wrong('a whole number')
  const [least, most] = range
  if (number < least || number > most) return outside(`from ${least} to ${most}`)
  return bounded(number, rules)
}

/** Checks a well-known type with a JSON form of its own; `false` when the name is not one of them. */
export function wellKnown(name: string, value: Json, rules: Rules): Refusal | undefined | false {
  if (!name.startsWith(PREFIX)) return false
  const short = name.slice(PREFIX.length)
  const inner = WRAPPERS[short]
  if (inner !== undefined) return scalar(inner, value, rules)
  if (short === 'Duration') return duration(value, rules)
  if (short === 'Timestamp') {
    return typeof value === 'string' && TIMESTAMP.test(value)
      ? undefined
      : wrong('a time like 2027-01-31T12:00:00Z')
  }
  if (short === 'FieldMask') return typeof value === 'string' ? undefined : wrong('field names')
  if (short === 'Value') return undefined
  if (short === 'ListValue') return Array.isArray(value) ? undefined : wrong('a list')
  if (short !== 'Struct') return false
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? undefined
    : wrong('an object')
}

function text(letter: 's' | 'y', value: Json, { required }: Rules): Refusal | undefined {
  if (typeof value !== 'string') return wrong('a string')
  if (letter === 'y' && !BASE64.test(value)) return wrong('bytes in base64')
  return required && value === '' ? { code: 'MISSING', rule: 'must not be empty' } : undefined
}

function duration(value: Json, rules: Rules): Refusal | undefined {
  const [, whole, fraction = ''] = (typeof value === 'string' && DURATION.exec(value)) || []
  if (whole === undefined) return wrong('seconds like 1.5s')
  return bounded(Number(`${whole}${fraction}`), rules)
}

function bounded(value: number, { bounds }: Rules): Refusal | undefined {
  const broken = bounds.find(({ sign, limit }) => !holds(value, sign, limit))
  return broken && outside(`${broken.sign} ${broken.limit}`)
}

function holds(value: number, sign: string, limit: number): boolean {
  if (sign === '<') return value < limit
  if (sign === '<=') return value <= limit
  return sign === '>' ? value > limit : value >= limit
}

function wrong(want: string): Refusal {
  return { code: 'WRONG_TYPE', rule: `must be ${want}` }
}

function outside(want: string): Refusal {
  return { code: 'OUT_OF_RANGE', rule: `must be ${want}` }
}
