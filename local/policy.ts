import type { Subject } from './service.ts'

/** An IAM policy document, as a template writes it after its intrinsic functions are resolved. */
export interface Policy {
  readonly Version?: string
  readonly Statement: readonly Statement[] | Statement
}

export interface Statement {
  readonly Sid?: string
  readonly Effect: 'Allow' | 'Deny'
  readonly Principal?: unknown
  readonly Action?: string | readonly string[]
  readonly NotAction?: string | readonly string[]
  readonly Resource?: string | readonly string[]
  readonly NotResource?: string | readonly string[]
  readonly Condition?: Readonly<
    Record<string, Readonly<Record<string, string | readonly string[]>>>
  >
}

/** The verdict over a set of identity policies: an explicit deny wins, nothing said is `implicit`. */
export function evaluate(
  policies: readonly Policy[],
  action: string,
  subject: Subject,
): 'allow' | 'deny' | 'implicit' {
  throw new TypeError(
    `policy evaluation is not there yet: ${policies.length} ${action} ${subject.arn}`,
  )
}
