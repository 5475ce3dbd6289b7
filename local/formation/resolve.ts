import { isDeepStrictEqual } from 'node:util'
import { isRecord, type Json } from '../json.ts'
import { invalid, pathOf } from './template.ts'

/** What the functions of a template look things up in. */
export interface Scope {
  /** Value of a parameter, a pseudo parameter or a resource; `ABSENT` for AWS::NoValue. */
  ref(name: string): unknown
  attribute(logicalId: string, name: string): unknown
  condition(name: string): boolean
  mapping(map: string, top: string, second: string): unknown
  imported(name: string): string
  readonly zones: readonly string[]
}

/** AWS::NoValue: the member or item that has it disappears. */
export const ABSENT = Symbol('AWS::NoValue')

/**
 * Replaces every function in `value` by its result.
 * @throws AwsError `ValidationError` for a function that is unknown or wrongly used.
 */
export function resolve(value: unknown, scope: Scope): unknown {
  if (typeof value === 'string') return plain(value)
  if (Array.isArray(value)) {
    return value.map((item) => resolve(item, scope)).filter((item) => item !== ABSENT)
  }
  if (!isRecord(value)) return value
  const call = functionOf(value)
  if (call !== undefined) {
    const run = FUNCTIONS[call.name]
    if (run === undefined) throw invalid(`Template error: ${call.name} is not supported`)
    return run(call.argument, scope)
  }
  const members = Object.entries(value).map(([key, item]): [string, unknown] => [
    key,
    resolve(item, scope),
  ])
  return Object.fromEntries(members.filter(([, item]) => item !== ABSENT))
}

/** The function that an object calls, if it calls one. */
export function functionOf(value: Json): { name: string; argument: unknown } | undefined {
  const [only, ...more] = Object.entries(value)
  if (only === undefined || more.length > 0) return undefined
  const [name, argument] = only
  return name === 'Ref' ||
    name.startsWith('Fn::') ||
    (name === 'Condition' && typeof argument === 'string')
    ? { name, argument }
    : undefined
}

/** Names between `${` and `}` of an Fn::Sub text, the literal `${!…}` left out. */
export function placeholders(text: string): string[] {
  return [...text.matchAll(PLACEHOLDER)]
    .map(([, name = '']) => name.trim())
    .filter((name) => !name.startsWith('!'))
}

const PLACEHOLDER = /\$\{([^}]*)\}/g

type Run = (argument: unknown, scope: Scope) => unknown

const FUNCTIONS: Readonly<Record<string, Run>> = {
  Ref: (argument, scope) => scope.ref(word(argument, 'Ref')),
  Condition: (argument, scope) => scope.condition(word(argument, 'Condition')),
  'Fn::GetAtt': (argument, scope) => {
    const [id, name] = Array.isArray(argument) ? argument : pathOf(word(argument, 'Fn::GetAtt'))
    return scope.attribute(word(id, 'Fn::GetAtt'), word(resolve(name, scope), 'Fn::GetAtt'))
  },
  'Fn::Sub': (argument, scope) => {
    const [text, given] = Array.isArray(argument) ? argument : [argument, {}]
    const values = isRecord(given) ? given : {}
    return word(text, 'Fn::Sub').replace(PLACEHOLDER, (_, inner: string) => {
      const name = inner.trim()
      if (name.startsWith('!')) return `\${${name.slice(1)}}`
      if (values[name] !== undefined) return word(resolve(values[name], scope), 'Fn::Sub')
      const found = name.includes('.') ? scope.attribute(...pathOf(name)) : scope.ref(name)
      return word(found, 'Fn::Sub')
    })
  },
  'Fn::Join': (argument, scope) => {
    const [separator, items] = pair(argument, 'Fn::Join')
    const parts = many(resolve(items, scope), 'Fn::Join')
    return parts.map((part) => word(part, 'Fn::Join')).join(word(separator, 'Fn::Join'))
  },
  'Fn::Split': (argument, scope) => {
    const [separator, text] = pair(argument, 'Fn::Split')
    return word(resolve(text, scope), 'Fn::Split').split(word(separator, 'Fn::Split'))
  },
  'Fn::Select': (argument, scope) => {
    const [index, items] = pair(argument, 'Fn::Select')
    const found = many(resolve(items, scope), 'Fn::Select')[Number(resolve(index, scope))]
    if (found === undefined) {
      throw invalid('Template error: Fn::Select cannot select nonexistent value at index')
    }
    return found
  },
  'Fn::FindInMap': (argument, scope) => {
    const [map, top, second] = many(argument, 'Fn::FindInMap').map((part) =>
      word(resolve(part, scope), 'Fn::FindInMap'),
    )
    return scope.mapping(map ?? '', top ?? '', second ?? '')
  },
  'Fn::If': (argument, scope) => {
    const [condition, yes, no] = many(argument, 'Fn::If')
    return resolve(scope.condition(word(condition, 'Fn::If')) ? yes : no, scope)
  },
  'Fn::ImportValue': (argument, scope) =>
    scope.imported(word(resolve(argument, scope), 'Fn::ImportValue')),
  'Fn::Base64': (argument, scope) =>
    Buffer.from(word(resolve(argument, scope), 'Fn::Base64')).toString('base64'),
  'Fn::GetAZs': (_argument, scope) => scope.zones,
  'Fn::Equals': (argument, scope) => {
    const [left, right] = pair(argument, 'Fn::Equals').map((side) => comparable(side, scope))
    return isDeepStrictEqual(left, right)
  },
  'Fn::Not': (argument, scope) => !truth(many(argument, 'Fn::Not')[0], scope),
  'Fn::And': (argument, scope) => many(argument, 'Fn::And').every((item) => truth(item, scope)),
  'Fn::Or': (argument, scope) => many(argument, 'Fn::Or').some((item) => truth(item, scope)),
}

/** `true` and `"true"` are equal in a condition. */
function comparable(side: unknown, scope: Scope): unknown {
  const value = resolve(side, scope)
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : value
}

function truth(value: unknown, scope: Scope): boolean {
  return resolve(value, scope) === true
}

function plain(text: string): string {
  if (text.includes('{{resolve:')) {
    throw invalid('Dynamic references are not imitated; see local/README.md, LIMITATIONS')
  }
  return text
}

function word(value: unknown, name: string): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw invalid(`Template error: every ${name} object must have a String where it needs one`)
}

function many(value: unknown, name: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw invalid(`Template error: ${name} requires a list argument`)
}

function pair(value: unknown, name: string): [unknown, unknown] {
  const [first, second, ...more] = many(value, name)
  if (second === undefined || more.length > 0) {
    throw invalid(`Template error: every ${name} object requires two parameters`)
  }
  return [first, second]
}
