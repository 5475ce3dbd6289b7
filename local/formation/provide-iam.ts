import * as v from 'valibot'
import type { Iam } from '../iam.ts'
import { isRecord, type Json, list, need, record, text } from '../json.ts'
import type { Policy } from '../policy.ts'
import { AwsError } from '../service.ts'
import type { Context, Made, Provider } from './provider.ts'

interface Known {
  readonly trust: Policy
  readonly inline: readonly Policy[]
  readonly managed: readonly string[]
  readonly tags: Readonly<Record<string, string>>
}

/**
 * AWS::IAM::Role, ::Policy and ::ManagedPolicy over the identities of the account. (The file names of providers
 * have two words because the service's own file has the one.)
 */
export function provideIam(iam: Iam): Readonly<Record<string, Provider>> {
  const roles = new Map<string, Known>()
  const attached = new Map<string, { roles: readonly string[]; document: Policy }>()
  const managed = new Map<string, Policy>(Object.entries(AWS_MANAGED))

  function publish(name: string): string {
    const role = roles.get(name)
    if (role === undefined) {
      throw new AwsError('NoSuchEntity', `The role with name ${name} cannot be found.`, 404)
    }
    const own = [...attached.values()].filter((policy) => policy.roles.includes(name))
    const policies = [
      ...role.inline,
      ...role.managed.flatMap((arn) => managed.get(arn) ?? []),
      ...own.map((policy) => policy.document),
    ]
    return iam.putRole({ name, trust: role.trust, policies, tags: role.tags }).arn
  }
  function putRole(name: string, properties: Json): Made {
    const arns = list(properties['ManagedPolicyArns']).map((arn) => text(arn, 'ManagedPolicyArns'))
    const foreign = arns.find((arn) => !managed.has(arn))
    if (foreign !== undefined) {
      throw new AwsError(
        'NoSuchEntity',
        `Policy ${foreign} does not exist or is not attachable.`,
        404,
      )
    }
    roles.set(name, {
      trust: policyOf(properties['AssumeRolePolicyDocument']),
      inline: list(properties['Policies']).map((policy) =>
        policyOf(record(policy)['PolicyDocument']),
      ),
      managed: arns,
      tags: Object.fromEntries(
        list(properties['Tags']).map((tag) => [
          need(record(tag), 'Key'),
          need(record(tag), 'Value'),
        ]),
      ),
    })
    return { id: name, attributes: { Arn: publish(name), RoleId: `AROA${name.toUpperCase()}` } }
  }
  function attach(id: string, properties: Json): Made {
    const names = list(properties['Roles']).map((name) => text(name, 'Roles'))
    const before = attached.get(id)?.roles ?? []
    attached.set(id, { roles: names, document: policyOf(properties['PolicyDocument']) })
    for (const name of new Set([...before.filter((role) => roles.has(role)), ...names])) {
      publish(name)
    }
    return { id, attributes: {} }
  }
  async function detach({ id }: Made) {
    const policy = attached.get(id)
    attached.delete(id)
    managed.delete(id)
    for (const name of policy?.roles ?? []) if (roles.has(name)) publish(name)
  }
  function putManaged(arn: string, properties: Json): Made {
    managed.set(arn, policyOf(properties['PolicyDocument']))
    for (const [name, role] of roles) if (role.managed.includes(arn)) publish(name)
    const { attributes } = attach(arn, properties)
    return { id: arn, attributes: { ...attributes, PolicyArn: arn } }
  }
  return {
    'AWS::IAM::Role': {
      immutable: ['RoleName', 'Path'],
      async create(properties, context) {
        const name = nameOf(properties, 'RoleName', context, 64)
        if (iam.role(name) !== undefined) {
          throw new AwsError('EntityAlreadyExists', `Role with name ${name} already exists.`, 409)
        }
        return putRole(name, properties)
      },
      update: async (properties, made) => putRole(made.id, properties),
      async delete({ id }) {
        roles.delete(id)
        iam.deleteRole(id)
      },
    },
    'AWS::IAM::Policy': {
      create: async (properties, context) => attach(context.name(), properties),
      update: async (properties, made) => attach(made.id, properties),
      delete: detach,
    },
    'AWS::IAM::ManagedPolicy': {
      immutable: ['ManagedPolicyName', 'Description', 'Path'],
      async create(properties, context) {
        const name = nameOf(properties, 'ManagedPolicyName', context, 128)
        return putManaged(`arn:aws:iam::${context.world.account}:policy/${name}`, properties)
      },
      update: async (properties, made) => putManaged(made.id, properties),
      delete: detach,
    },
  }
}

function nameOf(properties: Json, property: string, context: Context, limit: number): string {
  return properties[property] === undefined ? context.name(limit) : need(properties, property)
}

const words = v.pipe(
  v.union([v.string(), v.number(), v.boolean(), v.array(v.union([v.string(), v.number()]))]),
  v.transform((value) => (Array.isArray(value) ? value.map(String) : String(value))),
)
const statement = v.object({
  Sid: v.exactOptional(v.string()),
  Effect: v.picklist(['Allow', 'Deny']),
  Principal: v.exactOptional(v.unknown()),
  Action: v.exactOptional(words),
  NotAction: v.exactOptional(words),
  Resource: v.exactOptional(words),
  NotResource: v.exactOptional(words),
  Condition: v.exactOptional(v.record(v.string(), v.record(v.string(), words))),
})
const policy = v.object({
  Version: v.exactOptional(v.string()),
  Statement: v.union([v.array(statement), statement]),
})

function policyOf(value: unknown): Policy {
  const parsed = v.safeParse(policy, value)
  if (parsed.success) return parsed.output
  const where = isRecord(value) ? v.getDotPath(parsed.issues[0]) : undefined
  throw new AwsError(
    'MalformedPolicyDocument',
    `Syntax errors in policy.${where ? ` (${where})` : ''}`,
  )
}

const allow = (...Action: string[]): Policy => ({
  Version: '2012-10-17',
  Statement: { Effect: 'Allow', Action, Resource: '*' },
})

/** The few policies of AWS that a role of ours may name. */
const AWS_MANAGED: Readonly<Record<string, Policy>> = {
  'arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole': allow(
    'logs:CreateLogGroup',
    'logs:CreateLogStream',
    'logs:PutLogEvents',
  ),
  'arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole': allow(
    'logs:CreateLogGroup',
    'logs:CreateLogStream',
    'logs:PutLogEvents',
    'ec2:CreateNetworkInterface',
    'ec2:DescribeNetworkInterfaces',
    'ec2:DescribeSubnets',
    'ec2:DeleteNetworkInterface',
  ),
  'arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole': allow(
    'sqs:ReceiveMessage',
    'sqs:DeleteMessage',
    'sqs:GetQueueAttributes',
    'logs:CreateLogGroup',
    'logs:CreateLogStream',
    'logs:PutLogEvents',
  ),
  'arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy': allow(
    'ecr:GetAuthorizationToken',
    'ecr:BatchCheckLayerAvailability',
    'ecr:GetDownloadUrlForLayer',
    'ecr:BatchGetImage',
    'logs:CreateLogStream',
    'logs:PutLogEvents',
  ),
}
