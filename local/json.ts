import { isRecord } from '../pki/json.ts'
import { AwsError } from './service.ts'

export { isRecord }

/** A JSON object of which only that is known. */
export type Json = Readonly<Record<string, unknown>>

/** The object, or an empty one. */
export function record(value: unknown): Json {
  return isRecord(value) ? value : {}
}

/** The array, or an empty one. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** Turns one member of a template into what an API wants; templates may write `"30"` for 30 and `true` for `"true"`. */
export type Coerce = (value: unknown, name: string) => unknown

export const text = (value: unknown, name: string): string => {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw wrong(name, 'String')
}

export const number: Coerce = (value, name) => {
  const result = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof result === 'number' && Number.isFinite(result)) return result
  throw wrong(name, 'Integer')
}

export const flag: Coerce = (value, name) => {
  if (typeof value === 'boolean') return value
  if (value === 'true') return true
  if (value === 'false') return false
  throw wrong(name, 'Boolean')
}

/** A policy or pattern that an API wants as JSON text. */
export const document: Coerce = (value) =>
  typeof value === 'string' ? value : JSON.stringify(value)

export const asIs: Coerce = (value) => value

export const texts: Coerce = (value, name) => {
  if (!Array.isArray(value)) throw wrong(name, 'JSONArray')
  return value.map((item) => text(item, name))
}

/** Every value of an object as text: environment variables, labels. */
export const textMap: Coerce = (value, name) => {
  if (!isRecord(value)) throw wrong(name, 'JSONObject')
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, text(item, name)]))
}

/** A nested object with its own shape. */
export const shaped =
  (shape: Readonly<Record<string, Coerce>>): Coerce =>
  (value, name) => {
    if (!isRecord(value)) throw wrong(name, 'JSONObject')
    return take(value, shape)
  }

/** A list of such objects. */
export const each =
  (shape: Readonly<Record<string, Coerce>>): Coerce =>
  (value, name) => {
    if (!Array.isArray(value)) throw wrong(name, 'JSONArray')
    return value.map((item) => shaped(shape)(item, name))
  }

/** The members that `shape` names and `properties` has, coerced. */
export function take(properties: Json, shape: Readonly<Record<string, Coerce>>) {
  const taken: Record<string, unknown> = {}
  for (const [name, coerce] of Object.entries(shape)) {
    const value = properties[name]
    if (value !== undefined) taken[name] = coerce(value, name)
  }
  return taken
}

/** A text member that must be there, of properties or of an API's answer. */
export function need(properties: Json, name: string): string {
  const value = properties[name]
  if (value === undefined) {
    throw new AwsError(
      'InvalidRequest',
      `Model validation failed (#: required key [${name}] not found)`,
    )
  }
  return text(value, name)
}

/** Tags of a template (`[{ Key, Value }]`) as a map. */
export function tagMap(value: unknown): Record<string, string> {
  return Object.fromEntries(
    list(value).map((tag) => [need(record(tag), 'Key'), text(record(tag)['Value'] ?? '', 'Value')]),
  )
}

function wrong(name: string, type: string): AwsError {
  return new AwsError(
    'InvalidRequest',
    `Properties validation failed for property ${name}: expected type: ${type}`,
  )
}
