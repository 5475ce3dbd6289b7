import * as v from 'valibot'
import { evaluate, parsePolicy } from '../policy.ts'
import type { Subject } from '../service.ts'

const service = v.object({ Service: v.union([v.string(), v.array(v.string())]) })

/**
 * True when a resource's own policy (JSON text) lets an AWS service act on it: what EventBridge needs to reach a
 * queue or a function. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
 */
export function permits(
  policy: string | undefined,
  principal: string,
  action: string,
  subject: Subject,
): boolean {
  if (policy === undefined) return false
  const { Statement } = parsePolicy(policy)
  const statements = 'Effect' in Statement ? [Statement] : Statement
  const own = statements.filter(({ Principal }) => names(Principal, principal))
  return evaluate([{ Statement: own }], action, subject) === 'allow'
}

/** True when a trust policy lets an AWS service take on the role. */
export function trusts(policy: Parameters<typeof evaluate>[0][number], principal: string): boolean {
  return permits(JSON.stringify(withResource(policy)), principal, 'sts:AssumeRole', { arn: '*' })
}

/** Trust policies have no Resource, which every other policy must have. */
function withResource({ Statement }: Parameters<typeof evaluate>[0][number]) {
  const statements = 'Effect' in Statement ? [Statement] : Statement
  return { Statement: statements.map((each) => ({ ...each, Resource: '*' })) }
}

function names(principal: unknown, wanted: string): boolean {
  if (principal === '*') return true
  const parsed = v.safeParse(service, principal)
  return parsed.success && [parsed.output.Service].flat().includes(wanted)
}
