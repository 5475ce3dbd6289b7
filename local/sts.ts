import * as v from 'valibot'
import { consult } from './policy.ts'
import { AwsError, operation, type Service } from './service.ts'
import { text } from './wire.ts'
import type { Ground } from './world.ts'

/**
 * AWS STS: who calls, and the credentials of a role for whom it trusts. They end with the role, not with time.
 * https://docs.aws.amazon.com/STS/latest/APIReference/
 */
export function sts(world: Ground): Service {
  const { account, clock, iam } = world
  return {
    name: 'sts',
    operations: {
      GetCallerIdentity: operation(v.object({}), (_input, { caller }) => ({
        Arn: caller.arn,
        UserId: caller.accessKeyId,
        Account: account,
      })),
      AssumeRole: operation(
        v.object({
          RoleArn: text(20, 2048),
          RoleSessionName: v.pipe(text(2, 64), v.regex(/^[\w+=,.@-]*$/)),
          DurationSeconds: v.optional(
            v.pipe(v.string(), v.transform(Number), v.minValue(900), v.maxValue(43_200)),
            '3600',
          ),
        }),
        ({ RoleArn, RoleSessionName, DurationSeconds }, { caller }) => {
          const role = iam.role(RoleArn)
          const subject = { arn: RoleArn }
          const trusted =
            role?.arn === RoleArn &&
            (caller.internal ||
              consult(role.trust, 'sts:AssumeRole', subject, caller.arn) === 'allow')
          const credentials = trusted ? iam.assume(RoleArn, RoleSessionName) : undefined
          const identity = iam.identify(credentials?.accessKeyId ?? '')
          if (credentials === undefined || identity === undefined) {
            throw new AwsError(
              'AccessDeniedException',
              `User: ${caller.arn} is not authorized to perform: sts:AssumeRole on resource: ${RoleArn}`,
              403,
            )
          }
          return {
            Credentials: {
              AccessKeyId: credentials.accessKeyId,
              SecretAccessKey: credentials.secretAccessKey,
              SessionToken: credentials.sessionToken,
              Expiration: new Date(clock.now() + DurationSeconds * 1000),
            },
            AssumedRoleUser: {
              AssumedRoleId: `${credentials.accessKeyId}:${RoleSessionName}`,
              Arn: identity.caller.arn,
            },
          }
        },
      ),
    },
    subject(_operation, input) {
      const arn = input['RoleArn']
      return { arn: typeof arn === 'string' ? arn : '*' }
    },
  }
}
