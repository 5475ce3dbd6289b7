import { AwsError } from '../service.ts'
import { compileMatcher, type Matcher } from './matcher.ts'

/** Says whether an event (the whole envelope, parsed) is one that a rule waits for. */
export type Pattern = (event: unknown) => boolean

/** A node of a compiled pattern; `undefined` stands for a field that is not there. */
type Node = (value: unknown) => boolean

/**
 * Compiles an event pattern, strictly: what AWS would not accept is refused here too.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 * @throws AwsError InvalidEventPatternException.
 */
export function pattern(source: string): Pattern {
  if (source.length > 4_096) throw invalid('Event pattern is longer than 4096 characters')
  return compileObject(parse(source), 'pattern')
}

function parse(source: string): unknown {
  try {
    return JSON.parse(source)
  } catch {
    throw invalid('Filter is not valid JSON')
  }
}

function compileObject(source: unknown, path: string): Node {
  if (!isObject(source)) throw invalid(`'${path}' must be an object`)
  const entries = Object.entries(source)
  if (entries.length === 0) throw invalid('Empty objects are not allowed')
  const fields = entries.map(([key, value]): Node => {
    if (key === '$or') return alternatives(value, path)
    const field = Array.isArray(value)
      ? compileLeaf(value, key)
      : compileObject(value, `${path}.${key}`)
    return (event) => field(isObject(event) ? event[key] : undefined)
  })
  const matches: Node = (event) => fields.every((field) => field(event))
  return (event) => {
    // All fields must hold in the same element of an array of objects.
    if (Array.isArray(event) && event.length > 0) return event.some(matches)
    return matches(event)
  }
}

/** `$or`: at least two patterns, of which one has to match. */
function alternatives(source: unknown, path: string): Node {
  if (!Array.isArray(source) || source.length < 2) {
    throw invalid('"$or" must be an array of at least two objects')
  }
  const nodes = source.map((each) => compileObject(each, `${path}.$or`))
  return (event) => nodes.some((node) => node(event))
}

/** An array of values and matchers, of which one has to match; a field with several values matches by any of them. */
function compileLeaf(source: readonly unknown[], key: string): Node {
  if (source.length === 0) throw invalid(`Empty arrays are not allowed: '${key}'`)
  const matchers = source.map((each) => compileMatcher(each, invalid))
  return (value) => {
    const values = leaves(value)
    return matchers.some((matcher) => holds(matcher, values))
  }
}

function holds(matcher: Matcher, values: readonly unknown[]): boolean {
  if (matcher.kind === 'exists') return matcher.present === values.length > 0
  return values.some(matcher.test)
}

/** Objects are not leaves: `exists` does not see them, and nothing equals them. */
function leaves(value: unknown): readonly unknown[] {
  if (value === undefined || isObject(value)) return []
  return Array.isArray(value) ? value.flatMap(leaves) : [value]
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function invalid(reason: string): AwsError {
  return new AwsError(
    'InvalidEventPatternException',
    `Event pattern is not valid. Reason: ${reason}`,
  )
}
