import { isList, isObject, type Json, type JsonObject } from './json.ts'
import { type Refusal, scalar, wellKnown } from './scalars.ts'
import { type FieldShape, named, type Rules, type Shape, shape, VERSION } from './schema.ts'

/** A mistake in a bootstrap. Values are never quoted: a user's bootstrap may hold secrets of its own. */
export interface Mistake {
  readonly code: Refusal['code'] | 'UNKNOWN_FIELD' | 'UNKNOWN_TYPE' | 'BAD_ENUM' | 'TWO_OF_ONE'
  /** Like `static_resources.listeners[0].name`. */
  readonly path: string
  /** What was wanted. */
  readonly rule: string
}

type Message = Extract<Shape, { kind: 'message' }>

const NONE: Rules = { required: false, bounds: [], without: [], items: undefined }

/**
 * Everything in a bootstrap that Envoy's own API refuses: unknown fields, wrong types, unknown enum values, missing and
 * out-of-range ones, two fields that exclude each other. Envoy says only the first of them, and no path.
 */
export function mistakes(bootstrap: Json): Mistake[] {
  const root = named('envoy.config.bootstrap.v3.Bootstrap')
  if (root === undefined) throw new TypeError('the schema has no bootstrap')
  return value(root, bootstrap, '', NONE)
}

function value(type: Shape, given: Json, path: string, rules: Rules): Mistake[] {
  if (type.kind === 'enum') return enumeration(type.values, given, path, rules)
  if (type.name === 'google.protobuf.Any') return any(given, path)
  const found = wellKnown(type.name, given, rules)
  if (found !== false) return found === undefined ? [] : [{ ...found, path: path || '.' }]
  if (!isObject(given)) {
    return [{ code: 'WRONG_TYPE', path: path || '.', rule: 'must be an object' }]
  }
  return message(type, given, path)
}

function message(type: Message, given: JsonObject, path: string): Mistake[] {
  const found: Mistake[] = []
  const present = new Map<FieldShape, Json>()
  for (const [key, content] of Object.entries(given)) {
    const field = type.fields.get(key)
    const at = join(path, key)
    if (field === undefined) found.push(unknown(type, key, at))
    else if (content !== null) {
      present.set(field, content)
      found.push(...fieldOf(field, content, at))
    }
  }
  return [...found, ...groups(type, present, path), ...absent(type, present, path)]
}

function fieldOf(field: FieldShape, given: Json, path: string): Mistake[] {
  const one = (item: Json, at: string, rules: Rules): Mistake[] => {
    if (typeof field.type === 'number') return value(shape(field.type), item, at, rules)
    const refused = scalar(field.type, item, rules)
    return refused === undefined ? [] : [{ ...refused, path: at }]
  }
  if (!field.repeated) return one(given, path, field.rules)
  const entry = mapEntry(field)
  if (entry !== undefined) return map(field, entry, given, path)
  if (!isList(given)) return [{ code: 'WRONG_TYPE', path, rule: 'must be a list' }]
  if (field.rules.required && given.length === 0) {
    return [{ code: 'MISSING', path, rule: 'must have an item' }]
  }
  return given.flatMap((item, index) => one(item, `${path}[${index}]`, field.rules.items ?? NONE))
}

/** A map is a list of entries in the schema and an object in JSON. */
function mapEntry({ type, name }: FieldShape): Message | undefined {
  if (typeof type !== 'number') return undefined
  const entry = shape(type)
  const camel = name.replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())
  return entry.kind === 'message' && entry.name.endsWith(`.${camel}Entry`) ? entry : undefined
}

function map(field: FieldShape, entry: Message, given: Json, path: string): Mistake[] {
  if (!isObject(given)) return [{ code: 'WRONG_TYPE', path, rule: 'must be an object' }]
  const content = entry.fields.get('value')
  if (content === undefined) throw new TypeError(`no value in ${entry.name}`)
  if (field.rules.required && Object.keys(given).length === 0) {
    return [{ code: 'MISSING', path, rule: 'must have a member' }]
  }
  return Object.entries(given).flatMap(([key, one]) => fieldOf(content, one, join(path, key)))
}

function any(given: Json, path: string): Mistake[] {
  if (!isObject(given)) return [{ code: 'WRONG_TYPE', path, rule: 'must be an object' }]
  const { '@type': url, ...rest } = given
  if (url === undefined)
    return [{ code: 'MISSING', path: join(path, '@type'), rule: 'must be there' }]
  const type = typeof url === 'string' ? named(url.replace(/^.*\//, '')) : undefined
  if (type === undefined) {
    const rule = `must be a type of Envoy ${VERSION}`
    return [{ code: 'UNKNOWN_TYPE', path: join(path, '@type'), rule }]
  }
  const alone = type.name === 'google.protobuf.Any' || wellKnown(type.name, null, NONE) !== false
  return value(type, alone ? (rest['value'] ?? null) : rest, path, NONE)
}

function enumeration(
  values: ReadonlyMap<string, number>,
  given: Json,
  path: string,
  { without }: Rules,
): Mistake[] {
  // Envoy takes names in any case, and `round_robin` is common
  const byName = (name: string) =>
    [...values].find(([one]) => one.toUpperCase() === name.toUpperCase())?.[1]
  const number = typeof given === 'string' ? byName(given) : given
  const known = typeof number === 'number' && [...values.values()].includes(number)
  if (known && !without.includes(number)) return []
  const allowed = [...values].filter(([, one]) => !without.includes(one)).map(([name]) => name)
  const rule =
    allowed.length > 12 ? `must be a value like ${allowed[0]}` : `must be ${allowed.join(', ')}`
  return [{ code: 'BAD_ENUM', path, rule }]
}

function groups(type: Message, present: ReadonlyMap<FieldShape, Json>, path: string): Mistake[] {
  const found: Mistake[] = []
  const chosen = new Map<number, string>()
  for (const { group, name } of present.keys()) {
    if (group === undefined) continue
    const other = chosen.get(group)
    if (other !== undefined) {
      found.push({ code: 'TWO_OF_ONE', path: join(path, name), rule: `excludes ${other}` })
    }
    chosen.set(group, name)
  }
  for (const group of type.demanded) {
    if (chosen.has(group)) continue
    const names = [...type.fields.values()].filter((one) => one.group === group)
    const rule = `must have one of ${names.map(({ name }) => name).join(', ')}`
    found.push({ code: 'MISSING', path: path || '.', rule })
  }
  return found
}

/** Fields with a rule that their default breaks; fields of a group are looked at only when they are there. */
function absent(type: Message, present: ReadonlyMap<FieldShape, Json>, path: string): Mistake[] {
  return [...type.fields.values()]
    .filter((field) => !present.has(field) && field.group === undefined && demanded(field))
    .map(({ name }) => ({ code: 'MISSING', path: join(path, name), rule: 'must be there' }))
}

function demanded({ type, repeated, rules }: FieldShape): boolean {
  if (rules.required) return true
  if (repeated) return false
  const isEnum = typeof type === 'number' && shape(type).kind === 'enum'
  if (isEnum) return rules.without.includes(0)
  return typeof type === 'string' && 'iuIUf'.includes(type) && scalar(type, 0, rules) !== undefined
}

/** `statPrefix` is one too: Envoy takes both spellings, and of two the last one without a word. */
function unknown({ fields, name }: Message, key: string, path: string): Mistake {
  const close = [...fields.keys()].find((one) => distance(one, snake(key)) <= 2)
  const short = name.replace(/^.*\./, '')
  const rule = `is no field of ${short}${close === undefined ? '' : `; is ${close} meant?`}`
  return { code: 'UNKNOWN_FIELD', path, rule }
}

function snake(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function join(path: string, key: string): string {
  if (!/^[\w@-]+$/.test(key)) return `${path}[${JSON.stringify(key)}]`
  return path === '' ? key : `${path}.${key}`
}

/** How many letters differ (Levenshtein). */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (const [line, letter] of [...one].entries()) {
    const next = [line + 1]
    for (const [column, against] of [...other].entries()) {
      const replaced = (row[column] ?? 0) + (letter === against ? 0 : 1)
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
