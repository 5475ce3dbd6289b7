import { BlockList, isIPv4, isIPv6 } from 'node:net'

/** One element of a pattern's array. `exists` looks at the field, everything else at one of its values. */
export type Matcher =
  | { readonly kind: 'exists'; readonly present: boolean }
  | { readonly kind: 'value'; readonly test: (value: unknown) => boolean }

type Refuse = (reason: string) => Error
type Test = (value: unknown) => boolean

/** Compiles a literal or `{ name: argument }`; throws what `refuse` makes of a mistake. */
export function compileMatcher(source: unknown, refuse: Refuse): Matcher {
  if (isScalar(source)) return { kind: 'value', test: (value) => value === source }
  const [name, argument] = single(source, refuse)
  if (name === 'exists') {
    if (typeof argument !== 'boolean') throw refuse('match type exists must be true or false')
    return { kind: 'exists', present: argument }
  }
  if (name === 'numeric') return { kind: 'value', test: numeric(argument, refuse) }
  if (name === 'cidr') return { kind: 'value', test: cidr(argument, refuse) }
  if (name === 'anything-but') return { kind: 'value', test: anythingBut(argument, refuse) }
  return { kind: 'value', test: textual(name, argument, refuse) }
}

/** The matchers that look at text: prefix, suffix, equals-ignore-case, wildcard. */
function textual(name: string, argument: unknown, refuse: Refuse): Test {
  if ((name === 'prefix' || name === 'suffix') && isNested(argument)) {
    const [inner, text] = single(argument, refuse)
    if (inner !== 'equals-ignore-case') throw refuse(`Unrecognized match type ${inner}`)
    const part = string(text, name, refuse).toLowerCase()
    return onText((value) => ends(name, value.toLowerCase(), part))
  }
  switch (name) {
    case 'prefix':
    case 'suffix': {
      const part = string(argument, name, refuse)
      return onText((value) => ends(name, value, part))
    }
    case 'equals-ignore-case': {
      const wanted = string(argument, name, refuse).toLowerCase()
      return onText((value) => value.toLowerCase() === wanted)
    }
    case 'wildcard': {
      const expression = wildcard(string(argument, name, refuse), refuse)
      return onText((value) => expression.test(value))
    }
    default:
      throw refuse(`Unrecognized match type ${name}`)
  }
}

/** A value, a list of texts or of numbers, or one textual matcher with a text or a list of texts. */
function anythingBut(argument: unknown, refuse: Refuse): Test {
  if (isNested(argument)) {
    const [name, inner] = single(argument, refuse)
    const tests = list(inner, refuse).map((each) => textual(name, each, refuse))
    return (value) => isScalar(value) && !tests.some((test) => test(value))
  }
  const values = list(argument, refuse)
  if (!values.every((each) => isScalar(each) && each !== null && typeof each !== 'boolean')) {
    throw refuse('Inside anything-but list, only text or numbers are supported')
  }
  if (new Set(values.map((each) => typeof each)).size > 1) {
    throw refuse(
      'Inside anything-but list, either all values are number or string, mixed type is not supported',
    )
  }
  return (value) => !values.some((each) => each === value)
}

/** `["=", n]` or a lower bound, an upper bound, or both in that order. */
function numeric(argument: unknown, refuse: Refuse): Test {
  if (!Array.isArray(argument) || (argument.length !== 2 && argument.length !== 4)) {
    throw refuse('Value of numeric must be an array of one or two comparisons')
  }
  const bounds = [argument.slice(0, 2), argument.slice(2)]
    .filter((pair) => pair.length === 2)
    .map(([operator, bound]) => comparison(operator, bound, refuse))
  const [first, second] = bounds
  if (first !== undefined && second !== undefined) {
    if (!first.operator.startsWith('>') || !second.operator.startsWith('<')) {
      throw refuse('Bad numeric range operator')
    }
    if (first.bound >= second.bound) throw refuse('Bottom must be less than top')
  }
  return (value) => typeof value === 'number' && bounds.every(({ holds }) => holds(value))
}

function comparison(operator: unknown, bound: unknown, refuse: Refuse) {
  if (typeof bound !== 'number' || Math.abs(bound) > 5e9) {
    throw refuse('Value of numeric must be a number between -5.0e9 and +5.0e9')
  }
  switch (operator) {
    case '=':
      return { operator, bound, holds: (value: number) => value === bound }
    case '<':
      return { operator, bound, holds: (value: number) => value < bound }
    case '<=':
      return { operator, bound, holds: (value: number) => value <= bound }
    case '>':
      return { operator, bound, holds: (value: number) => value > bound }
    case '>=':
      return { operator, bound, holds: (value: number) => value >= bound }
    default:
      throw refuse(`Unrecognized numeric range operator: ${String(operator)}`)
  }
}

function cidr(argument: unknown, refuse: Refuse): Test {
  const [address = '', bits = ''] = string(argument, 'cidr', refuse).split('/')
  const family = isIPv4(address) ? 'ipv4' : 'ipv6'
  const most = family === 'ipv4' ? 32 : 128
  if ((!isIPv4(address) && !isIPv6(address)) || !/^\d+$/.test(bits) || Number(bits) > most) {
    throw refuse('Malformed CIDR, one "/" required')
  }
  const block = new BlockList()
  block.addSubnet(address, Number(bits), family)
  return onText((value) =>
    family === 'ipv4'
      ? isIPv4(value) && block.check(value, 'ipv4')
      : isIPv6(value) && block.check(value, 'ipv6'),
  )
}

/** `*` stands for any text, `\*` for itself; two stars in a row are refused. */
function wildcard(text: string, refuse: Refuse): RegExp {
  const parts = text.match(/\\[*\\]|\\|\*+|[^*\\]+/g) ?? []
  const source = parts.map((part) => {
    if (part === '*') return '.*'
    if (part.startsWith('*')) throw refuse('Consecutive wildcard characters are not allowed')
    if (part === '\\') throw refuse('Invalid escape character in wildcard pattern')
    return literal(part.startsWith('\\') ? part.slice(1) : part)
  })
  return new RegExp(`^${source.join('')}$`, 's')
}

function string(argument: unknown, name: string, refuse: Refuse): string {
  if (typeof argument === 'string' && argument !== '') return argument
  throw refuse(`${name} match pattern must be a non-empty string`)
}

function list(argument: unknown, refuse: Refuse): readonly unknown[] {
  if (!Array.isArray(argument)) return [argument]
  if (argument.length === 0) throw refuse('Empty arrays are not allowed')
  return argument
}

function single(source: unknown, refuse: Refuse): [string, unknown] {
  const [entry, ...more] = isNested(source) ? Object.entries(source) : []
  if (entry === undefined || more.length > 0) {
    throw refuse('Match value must be String, number, true, false, null, or an object with one key')
  }
  return entry
}

const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
const ends = (name: string, value: string, part: string) =>
  name === 'prefix' ? value.startsWith(part) : value.endsWith(part)
const onText =
  (test: (value: string) => boolean): Test =>
  (value) =>
    typeof value === 'string' && test(value)
const isNested = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const isScalar = (value: unknown): value is string | number | boolean | null =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value)
