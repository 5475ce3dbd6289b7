import type { Iam } from './iam.ts'
import { AwsError, type Call, type Service, type Subject } from './service.ts'

/** One finished request: what CloudTrail and the tests are told. `input` is as it came: CloudTrail picks from it. */
export interface Seen {
  readonly call: Call
  readonly status: number
  /** The exception's name when it failed. */
  readonly error?: string
  readonly message?: string
  /** ARN of what it was about, where there is one. */
  readonly resource?: string
  readonly input: Readonly<Record<string, unknown>>
}

/** Carries a request out: asks IAM, runs the operation, records how it went. @throws AwsError as the operation does. */
export type Dispatch = (
  service: Service,
  call: Call,
  input: Readonly<Record<string, unknown>>,
  unrecorded?: boolean,
) => Promise<Record<string, unknown>>

export function dispatcher(
  account: string,
  iam: Pick<Iam, 'judge'>,
  seen: (seen: Seen) => void,
): Dispatch {
  return async (service, call, input, unrecorded = false) => {
    const operation = service.operations[call.operation]
    if (operation === undefined) throw new AwsError('UnknownOperationException', '')
    const subject = service.subject?.(call.operation, input, call) ?? ANYTHING
    const resource = subject.arn === '*' ? undefined : { resource: subject.arn }
    try {
      authorise(iam, account, call, subject)
      const output = await operation.run(input, call)
      if (!unrecorded) seen({ call, status: 200, input, ...resource })
      return output
    } catch (error) {
      if (!unrecorded) seen({ call, ...failure(error), input, ...resource })
      throw error
    }
  }
}

const ANYTHING: Subject = { arn: '*' }

function failure(error: unknown): Pick<Seen, 'status' | 'error' | 'message'> {
  if (!(error instanceof AwsError)) return { status: 500 }
  return { status: error.status, error: error.code, message: error.message }
}

/** @throws AwsError AccessDeniedException */
function authorise(iam: Pick<Iam, 'judge'>, account: string, call: Call, named: Subject): void {
  const { caller, service, operation, region } = call
  if (caller.internal || FREE.has(`${service}:${operation}`)) return
  const action = `${PREFIXES[service] ?? service}:${ACTIONS[operation] ?? operation}`
  const subject = () => ({
    ...named,
    conditions: {
      'aws:RequestedRegion': region,
      'aws:PrincipalArn': caller.arn.replace(SESSION, ':iam:$1:role/$2'),
      'aws:PrincipalAccount': account,
      'aws:ResourceAccount': account,
      ...named.conditions,
    },
  })
  const verdict = iam.judge(caller, action, subject)
  if (verdict === 'allow') return
  const why =
    verdict === 'deny'
      ? 'with an explicit deny in an identity-based policy'
      : `because no identity-based policy allows the ${action} action`
  throw new AwsError(
    'AccessDeniedException',
    `User: ${caller.arn} is not authorized to perform: ${action} on resource: ${named.arn} ${why}`,
  )
}

/** What anybody with credentials may do. */
const FREE = new Set(['sts:GetCallerIdentity'])
/** An assumed role's session, from which its role is told. */
const SESSION = /:sts:(.*):assumed-role\/([^/]+)\/.*$/
/** SigV4 names that differ from the prefix of IAM actions. */
const PREFIXES: Readonly<Record<string, string>> = { tagging: 'tag' }
const ACTIONS: Readonly<Record<string, string>> = {
  HeadBucket: 'ListBucket',
  HeadObject: 'GetObject',
  Invoke: 'InvokeFunction',
  ListObjectsV2: 'ListBucket',
  SendMessageBatch: 'SendMessage',
  DeleteMessageBatch: 'DeleteMessage',
  ChangeMessageVisibilityBatch: 'ChangeMessageVisibility',
}
