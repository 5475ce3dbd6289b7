import * as v from 'valibot'
import type { Role } from './iam.ts'
import { AwsError, operation, type Service } from './service.ts'
import { text } from './wire.ts'
import type { Ground } from './world.ts'

const named = v.object({ RoleName: v.pipe(text(1, 64), v.regex(/^[\w+=,.@-]+$/)) })

/**
 * AWS IAM, as far as somebody asks about a role. Roles come from templates, and are the same in every region.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/
 */
export function roles({ iam, account }: Ground): Service {
  const find = (name: string): Role => {
    const role = iam.role(name)
    if (role !== undefined) return role
    throw new AwsError('NoSuchEntity', `The role with name ${name} cannot be found.`, 404)
  }
  const tagsOf = ({ tags = {} }: Role) =>
    Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
  return {
    name: 'iam',
    operations: {
      GetRole: operation(named, ({ RoleName }) => {
        const role = find(RoleName)
        const { name, arn, trust } = role
        return {
          Role: {
            ...{ Path: '/', RoleName: name, RoleId: `AROA${name.toUpperCase()}`, Arn: arn },
            AssumeRolePolicyDocument: encodeURIComponent(JSON.stringify(trust)),
            Tags: tagsOf(role),
          },
        }
      }),
      ListRoleTags: operation(named, ({ RoleName }) => ({
        Tags: tagsOf(find(RoleName)),
        IsTruncated: false,
      })),
    },
    subject(_operation, input) {
      const name = String(input['RoleName'])
      const { arn = `arn:aws:iam::${account}:role/${name}`, tags = {} } = iam.role(name) ?? {}
      return { arn, tags }
    },
  }
}
