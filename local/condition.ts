import { glob, globArn } from './glob.ts'
import { AwsError, type Subject } from './service.ts'

/** The `Condition` block of a statement: operator, key, value or values. */
export type Conditions = Readonly<
  Record<string, Readonly<Record<string, string | readonly string[]>>>
>

type Test = (wanted: string, given: string) => boolean

const TESTS: Readonly<Record<string, Test>> = {
  stringequals: (wanted, given) => wanted === given,
  stringequalsignorecase: (wanted, given) => wanted.toLowerCase() === given.toLowerCase(),
  stringlike: glob,
  arnequals: globArn,
  arnlike: globArn,
  bool: (wanted, given) => wanted.toLowerCase() === given.toLowerCase(),
}
const NEGATED: Readonly<Record<string, string>> = {
  stringnotequals: 'stringequals',
  stringnotequalsignorecase: 'stringequalsignorecase',
  stringnotlike: 'stringlike',
  arnnotequals: 'arnequals',
  arnnotlike: 'arnlike',
}

/**
 * True when every operator and key of the block holds.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 * @throws AwsError MalformedPolicyDocument for an operator that is not imitated.
 */
export function holds(conditions: Conditions, subject: Subject): boolean {
  const given = context(subject)
  return Object.entries(conditions).every(([operator, keys]) =>
    Object.entries(keys).every(([key, wanted]) =>
      holdsOne(operator, list(wanted), given.get(key.toLowerCase())),
    ),
  )
}

function holdsOne(
  operator: string,
  wanted: readonly string[],
  given: readonly string[] | undefined,
): boolean {
  const match = /^(?:(ForAnyValue|ForAllValues):)?(.*?)(IfExists)?$/i.exec(operator)
  const [, set = '', name = '', optional] = match ?? []
  const base = name.toLowerCase()
  if (base === 'null') return wanted.some((value) => (value === 'true') === (given === undefined))
  const negated = NEGATED[base]
  const test = TESTS[negated ?? base]
  if (test === undefined) {
    throw new AwsError('MalformedPolicyDocument', `condition operator ${operator} is not imitated`)
  }
  const one = (value: string) =>
    wanted.some((pattern) => test(pattern, value)) === (negated === undefined)
  if (set.toLowerCase() === 'forallvalues') return (given ?? []).every(one)
  if (given === undefined) {
    if (optional !== undefined) return true
    return negated !== undefined && set === ''
  }
  if (set === '' && negated !== undefined) return given.every(one)
  return given.some(one)
}

/** All keys of a request in lower case; `SERVICE:ResourceTag/…` beside `aws:ResourceTag/…`. */
function context(subject: Subject): ReadonlyMap<string, readonly string[]> {
  const keys = new Map<string, readonly string[]>()
  const service = subject.arn.split(':')[2] ?? ''
  for (const [tag, value] of Object.entries(subject.tags ?? {})) {
    keys.set(`aws:resourcetag/${tag}`.toLowerCase(), [value])
    keys.set(`${service}:resourcetag/${tag}`.toLowerCase(), [value])
  }
  for (const [key, value] of Object.entries(subject.conditions ?? {})) {
    keys.set(key.toLowerCase(), list(value))
  }
  return keys
}

export function list(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value
}
