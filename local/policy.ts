import * as v from 'valibot'
import { type Conditions, holds, list } from './condition.ts'
import { glob, globArn } from './glob.ts'
import { AwsError, type Subject } from './service.ts'

/** An IAM policy document, as a template writes it after its intrinsic functions are resolved. */
export interface Policy {
  readonly Version?: string | undefined
  readonly Statement: readonly Statement[] | Statement
}

export interface Statement {
  readonly Sid?: string | undefined
  readonly Effect: 'Allow' | 'Deny'
  readonly Principal?: unknown
  readonly Action?: string | readonly string[] | undefined
  readonly NotAction?: string | readonly string[] | undefined
  readonly Resource?: string | readonly string[] | undefined
  readonly NotResource?: string | readonly string[] | undefined
  readonly Condition?: Conditions | undefined
}

const scalar = v.pipe(v.union([v.string(), v.number(), v.boolean()]), v.transform(String))
const texts = v.union([v.string(), v.array(v.string())])
const statement = v.object({
  Sid: v.optional(v.string()),
  Effect: v.picklist(['Allow', 'Deny']),
  Principal: v.optional(v.unknown()),
  Action: v.optional(texts),
  NotAction: v.optional(texts),
  Resource: v.optional(texts),
  NotResource: v.optional(texts),
  Condition: v.optional(
    v.record(v.string(), v.record(v.string(), v.union([scalar, v.array(scalar)]))),
  ),
})
const document = v.object({
  Version: v.optional(v.string()),
  Statement: v.union([v.array(statement), statement]),
})

/**
 * Reads a policy document, given as JSON text or as what a template holds.
 * @throws AwsError with `code` (IAM's MalformedPolicyDocument by default) when it is none.
 */
export function parsePolicy(source: unknown, code = 'MalformedPolicyDocument'): Policy {
  const parsed = v.safeParse(document, typeof source === 'string' ? json(source) : source)
  if (parsed.success) return parsed.output
  const [issue] = parsed.issues
  throw new AwsError(code, `Syntax errors in policy at ${v.getDotPath(issue) ?? 'the document'}`)
}

/** The verdict over a set of identity policies: an explicit deny wins, nothing said is `implicit`. */
export function evaluate(
  policies: readonly Policy[],
  action: string,
  subject: Subject,
): 'allow' | 'deny' | 'implicit' {
  const effects = policies
    .flatMap((policy) => statements(policy))
    .filter((item) => applies(item, action, subject))
    .map(({ Effect }) => Effect)
  if (effects.includes('Deny')) return 'deny'
  return effects.includes('Allow') ? 'allow' : 'implicit'
}

/** The verdict of a resource's own policy for `principal`, a caller's ARN; its `Resource` is the resource itself. */
export function consult(
  policy: Policy,
  action: string,
  subject: Subject,
  principal: string,
): 'allow' | 'deny' | 'implicit' {
  const own = statements(policy)
    .filter(({ Principal }) => names(Principal, principal))
    .map((item) => ({ ...item, Resource: '*', NotResource: undefined }))
  return evaluate([{ Statement: own }], action, subject)
}

function statements({ Statement }: Policy): readonly Statement[] {
  return 'Effect' in Statement ? [Statement] : Statement
}

function applies(item: Statement, action: string, subject: Subject): boolean {
  const { Action, NotAction, Resource, NotResource, Condition } = item
  const acts = (patterns: string | readonly string[]) =>
    list(patterns).some((pattern) => glob(pattern.toLowerCase(), action.toLowerCase()))
  const covers = (patterns: string | readonly string[]) =>
    list(patterns).some((pattern) => globArn(pattern, subject.arn))
  if (!(Action !== undefined ? acts(Action) : NotAction !== undefined && !acts(NotAction))) {
    return false
  }
  if (
    !(Resource !== undefined ? covers(Resource) : NotResource !== undefined && !covers(NotResource))
  ) {
    return false
  }
  return Condition === undefined || holds(Condition, subject)
}

/** `*`, `{ AWS: … }` with `*`, the account, a user, a role or one of its sessions. */
function names(principal: unknown, arn: string): boolean {
  if (principal === '*') return true
  const parsed = v.safeParse(v.object({ AWS: texts }), principal)
  if (!parsed.success) return false
  const account = arn.split(':')[4] ?? ''
  const role = arn.replace(/:sts:(.*):assumed-role\/([^/]+)\/.*$/, ':iam:$1:role/$2')
  const own = ['*', account, `arn:aws:iam::${account}:root`, arn, role]
  return list(parsed.output.AWS).some((name) => own.includes(name))
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // the schema then says what is wrong
  }
}
