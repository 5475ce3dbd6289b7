import { admit, type Received } from '../admission.ts'
import type { Iam } from '../iam.ts'
import { consult, parsePolicy } from '../policy.ts'
import { AwsError, type Caller, type World } from '../service.ts'
import { scope } from '../signature.ts'
import type { Fn } from './function.ts'

/** Both are needed since October 2025. */
const ACTIONS = ['lambda:InvokeFunctionUrl', 'lambda:InvokeFunction']
/** How old a signature may be, in milliseconds of the clock, and how far ahead. */
const SKEW = 300_000

export type AuthType = 'AWS_IAM' | 'NONE'

/**
 * Lets a visitor in to a function URL: a signature that is valid and fresh, and permission from the visitor's own
 * policies or from the function's; an explicit deny in either wins.
 * https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
 * @throws AwsError with status 403
 */
export function gate(world: World, iam: Iam) {
  const { account, clock } = world
  return (fn: Fn, auth: AuthType, received: Received, requestId: string): Caller | undefined => {
    const caller = auth === 'NONE' ? undefined : signer(fn, received, requestId)
    const statement = [...fn.policy.values()]
    const policy = parsePolicy({ Statement: statement })
    const subject = {
      arn: fn.arn,
      tags: Object.fromEntries(fn.tags),
      conditions: {
        'lambda:FunctionUrlAuthType': auth,
        'lambda:InvokedViaFunctionUrl': 'true',
        'aws:RequestedRegion': fn.region,
        ...(caller && {
          'aws:PrincipalAccount': account,
          'aws:PrincipalArn': caller.arn.replace(SESSION, ':iam:$1:role/$2'),
        }),
      },
    }
    for (const action of ACTIONS) {
      const verdicts = [
        consult(policy, action, subject, caller?.arn ?? ''),
        ...(caller ? [iam.judge(caller, action, () => subject)] : []),
      ]
      if (verdicts.includes('deny') || !verdicts.includes('allow')) throw forbidden(HELP)
    }
    return caller
  }

  function signer(fn: Fn, received: Received, requestId: string): Caller {
    const signed = scope(received.headers['authorization'])
    if (signed === undefined) throw forbidden(HELP)
    if (signed.service !== 'lambda' || signed.region !== fn.region) {
      throw forbidden(
        `Credential should be scoped to a valid region and correct service: 'lambda'.`,
      )
    }
    const wish = { scope: signed, operation: 'InvokeFunctionUrl' }
    const { caller } = admit(received, wish, requestId, { iam, account })
    checkAge(received.headers['x-amz-date'] ?? '')
    return caller
  }

  function checkAge(date: string) {
    const time = Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'))
    if (Math.abs(clock.now() - time) <= SKEW) return
    const now = new Date(clock.now()).toISOString().replace(/[-:]|\.\d+/g, '')
    throw forbidden(`Signature expired: ${date} is not within five minutes of ${now}`)
  }
}

const SESSION = /:sts:(.*):assumed-role\/([^/]+)\/.*$/
const HELP =
  'Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html'
const forbidden = (message: string) => new AwsError('AccessDeniedException', message, 403)
