import { isList, isObject, type Json, type JsonObject } from '../../envoy/json.ts'

/** A place in a JSON value: `listeners[0].name`. */
type Path = string

/** A copy of `value` with something else, or nothing (`undefined`), at a path. */
export function mutant(value: Json, path: Path, instead: Json | undefined): Json {
  const [first, ...rest] = steps(path)
  if (first === undefined) return instead ?? null
  return replace(value, first, rest, instead)
}

/** A copy of `value` in which a member has another name. */
export function renamed(value: Json, path: Path, name: string): Json {
  const all = steps(path)
  const content = all.reduce<Json | undefined>((found, step) => inside(found, step), value)
  if (content === undefined) throw new TypeError(`nothing at ${path}`)
  const parent = path.replace(/\.?[^.]+$/, '')
  return mutant(mutant(value, path, undefined), parent === '' ? name : `${parent}.${name}`, content)
}

function steps(path: Path): (string | number)[] {
  return [...path.matchAll(/\[(\d+)\]|\["([^"]+)"\]|([^.[\]]+)/g)].map(
    ([, index, quoted, name = '']) => (index === undefined ? (quoted ?? name) : Number(index)),
  )
}

function replace(
  value: Json,
  step: string | number,
  rest: readonly (string | number)[],
  instead: Json | undefined,
): Json {
  const [next, ...more] = rest
  const old = inside(value, step)
  const fresh = next === undefined ? instead : replace(old ?? {}, next, more, instead)
  if (isList(value)) {
    const items = [...value]
    items.splice(Number(step), 1, ...(fresh === undefined ? [] : [fresh]))
    return items
  }
  if (!isObject(value)) throw new TypeError(`no member ${step} here`)
  const members: Record<string, Json> = {}
  for (const [name, one] of Object.entries(value)) if (name !== step) members[name] = one
  if (fresh !== undefined) members[String(step)] = fresh
  return members
}

function inside(value: Json | undefined, step: string | number): Json | undefined {
  if (isList(value)) return value[Number(step)]
  return isObject(value) ? new Map(Object.entries(value)).get(String(step)) : undefined
}

/** Anything that has a JSON form, as JSON. */
export function jsonOf(value: object): JsonObject {
  const parsed: Json = JSON.parse(JSON.stringify(value))
  if (isObject(parsed)) return parsed
  throw new TypeError('no object')
}
