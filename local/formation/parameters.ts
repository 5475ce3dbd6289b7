import { type Json, list } from '../json.ts'
import { invalid, type Template } from './template.ts'

/** Values of a stack's parameters; a list type has a list. */
export type Values = ReadonlyMap<string, string | readonly string[]>

/**
 * Checks the given values against their declarations and fills in defaults.
 * `previous` are the values that `UsePreviousValue` means.
 * @throws AwsError `ValidationError` with CloudFormation's words.
 */
export function assign(
  template: Template,
  given: ReadonlyMap<string, string | undefined>,
  previous: Values = new Map(),
): Values {
  const declared = Object.keys(template.parameters)
  const foreign = [...given.keys()].filter((name) => !declared.includes(name))
  if (foreign.length > 0) {
    throw invalid(`Parameters: [${foreign.join(', ')}] do not exist in the template`)
  }
  const raw = Object.entries(template.parameters).map(([name, declaration]) => {
    const before = previous.get(name)
    const old = typeof before === 'object' ? before.join(',') : before
    const fallback = declaration['Default']
    const value = given.has(name) ? (given.get(name) ?? old) : undefined
    return {
      name,
      declaration,
      value: value ?? (fallback === undefined ? undefined : String(fallback)),
    }
  })
  const missing = raw.filter(({ value }) => value === undefined).map(({ name }) => name)
  if (missing.length > 0) throw invalid(`Parameters: [${missing.join(', ')}] must have values`)
  return new Map(
    raw.map(({ name, declaration, value = '' }) => [name, check(name, declaration, value)]),
  )
}

/** What DescribeStacks shows: NoEcho values are masked. */
export function shown(template: Template, values: Values) {
  return [...values].map(([name, value]) => ({
    ParameterKey: name,
    ParameterValue: secret(template, name)
      ? '****'
      : typeof value === 'string'
        ? value
        : value.join(','),
  }))
}

/** True for a NoEcho parameter. */
export function secret(template: Template, name: string): boolean {
  return String(template.parameters[name]?.['NoEcho']) === 'true'
}

function check(name: string, declaration: Json, value: string): string | readonly string[] {
  const type = String(declaration['Type'])
  if (type.startsWith('AWS::SSM::')) {
    throw invalid('Parameters from SSM are not imitated; see local/README.md, LIMITATIONS')
  }
  if (!/^(String|Number|CommaDelimitedList|List<.+>|AWS::.+)$/.test(type)) {
    throw invalid(`Template format error: Unrecognized parameter type: ${type}`)
  }
  const several = type === 'CommaDelimitedList' || type.startsWith('List<')
  const items = several ? value.split(',').map((item) => item.trim()) : [value]
  const numeric = type === 'Number' || type === 'List<Number>'
  for (const item of items) checkItem(name, declaration, item, numeric)
  if (!several) return value
  return value === '' ? [] : items
}

function checkItem(name: string, declaration: Json, value: string, numeric: boolean) {
  if (numeric && (value.trim() === '' || !Number.isFinite(Number(value)))) {
    throw invalid(
      `Parameter validation failed: parameter value ${value} for parameter name ${name} is not a number`,
    )
  }
  const allowed = declaration['AllowedValues']
  if (allowed !== undefined && !list(allowed).map(String).includes(value)) {
    throw invalid(`Parameter '${name}' must be one of AllowedValues`)
  }
  const description = declaration['ConstraintDescription']
  const fail = (rule: string) =>
    invalid(`Parameter ${name} failed to satisfy constraint: ${description ?? rule}`)
  const pattern = declaration['AllowedPattern']
  if (pattern !== undefined && !new RegExp(`^(?:${String(pattern)})$`).test(value)) {
    throw invalid(
      description === undefined
        ? `Parameter '${name}' must match pattern ${String(pattern)}`
        : `Parameter '${name}' must match pattern ${String(pattern)}. ${String(description)}`,
    )
  }
  const bounds: [string, number, (size: number, bound: number) => boolean][] = [
    ['MinLength', value.length, (size, bound) => size >= bound],
    ['MaxLength', value.length, (size, bound) => size <= bound],
    ['MinValue', Number(value), (size, bound) => size >= bound],
    ['MaxValue', Number(value), (size, bound) => size <= bound],
  ]
  for (const [rule, size, holds] of bounds) {
    const bound = declaration[rule]
    if (bound !== undefined && !holds(size, Number(bound))) {
      throw fail(`${rule} ${String(bound)}`)
    }
  }
}
