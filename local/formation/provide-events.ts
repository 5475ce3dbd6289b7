import {
  asIs,
  type Coerce,
  document,
  each,
  type Json,
  list,
  need,
  number,
  record,
  tagMap,
  take,
  text,
} from '../json.ts'
import type { Context, Made, Provider } from './provider.ts'

/** Properties that become text attributes of the queue. */
const ATTRIBUTES: Readonly<Record<string, Coerce>> = {
  ContentBasedDeduplication: text,
  DeduplicationScope: text,
  DelaySeconds: text,
  FifoQueue: text,
  FifoThroughputLimit: text,
  KmsDataKeyReusePeriodSeconds: text,
  KmsMasterKeyId: text,
  MaximumMessageSize: text,
  MessageRetentionPeriod: text,
  ReceiveMessageWaitTimeSeconds: text,
  RedriveAllowPolicy: document,
  RedrivePolicy: document,
  SqsManagedSseEnabled: text,
  VisibilityTimeout: text,
}

const DEFAULTS: Readonly<Record<string, string>> = {
  DelaySeconds: '0',
  MaximumMessageSize: '1048576',
  MessageRetentionPeriod: '345600',
  ReceiveMessageWaitTimeSeconds: '0',
  RedrivePolicy: '',
  VisibilityTimeout: '30',
}

/** A standard queue knows no attributes of FIFO queues: what a template says is false of it is not said. */
function attributesOf(properties: Json): Json {
  const taken = take(properties, ATTRIBUTES)
  if (taken['FifoQueue'] === 'true') return taken
  const onlyFifo = ['FifoQueue', 'ContentBasedDeduplication']
  return Object.fromEntries(
    Object.entries(taken).filter(([name, value]) => value !== 'false' || !onlyFifo.includes(name)),
  )
}

const queue: Provider = {
  immutable: ['QueueName', 'FifoQueue'],
  async create(properties, context) {
    const suffix = String(properties['FifoQueue']) === 'true' ? '.fifo' : ''
    const QueueName = properties['QueueName'] ?? context.name(75) + suffix
    const QueueUrl = need(
      await context.call('sqs', 'CreateQueue', {
        QueueName,
        Attributes: attributesOf(properties),
        tags: tagMap(properties['Tags']),
      }),
      'QueueUrl',
    )
    const AttributeNames = ['QueueArn']
    const answer = await context.call('sqs', 'GetQueueAttributes', { QueueUrl, AttributeNames })
    const Arn = need(record(answer['Attributes']), 'QueueArn')
    return { id: QueueUrl, attributes: { Arn, QueueName, QueueUrl } }
  },
  async update(properties, made, old, context) {
    const left = Object.keys(old).filter((name) => properties[name] === undefined)
    const back = left.flatMap((name) => (name in DEFAULTS ? [[name, DEFAULTS[name]]] : []))
    const Attributes = { ...Object.fromEntries(back), ...attributesOf(properties) }
    await context.call('sqs', 'SetQueueAttributes', { QueueUrl: made.id, Attributes })
    return made
  },
  async delete({ id }, _, context) {
    await context.call('sqs', 'DeleteQueue', { QueueUrl: id })
  },
}

async function putQueuePolicy(queues: unknown, Policy: string, context: Context) {
  for (const QueueUrl of list(queues)) {
    await context.call('sqs', 'SetQueueAttributes', { QueueUrl, Attributes: { Policy } })
  }
}

const queuePolicy: Provider = {
  async create(properties, context) {
    const policy = JSON.stringify(properties['PolicyDocument'])
    await putQueuePolicy(properties['Queues'], policy, context)
    return { id: context.name(), attributes: {} }
  },
  async update(properties, made, old, context) {
    const kept = list(properties['Queues'])
    const left = list(old['Queues']).filter((url) => !kept.includes(url))
    await putQueuePolicy(left, '', context)
    await putQueuePolicy(kept, JSON.stringify(properties['PolicyDocument']), context)
    return made
  },
  async delete(_, properties, context) {
    await putQueuePolicy(properties['Queues'], '', context)
  },
}

const RULE: Readonly<Record<string, Coerce>> = {
  Description: text,
  EventBusName: text,
  EventPattern: document,
  RoleArn: text,
  ScheduleExpression: text,
  State: text,
}

const TARGET: Readonly<Record<string, Coerce>> = {
  Arn: text,
  DeadLetterConfig: asIs,
  EcsParameters: asIs,
  Id: text,
  Input: text,
  InputPath: text,
  InputTransformer: asIs,
  RetryPolicy: (value) =>
    take(record(value), { MaximumEventAgeInSeconds: number, MaximumRetryAttempts: number }),
  RoleArn: text,
  SqsParameters: asIs,
}

async function putRule(Name: string, properties: Json, context: Context): Promise<Made> {
  const rule = await context.call('events', 'PutRule', { Name, ...take(properties, RULE) })
  const made = { id: Name, attributes: { Arn: need(rule, 'RuleArn') } }
  context.began(made)
  const Targets = take(properties, { Targets: each(TARGET) })['Targets']
  if (Targets === undefined) return made
  await context.call('events', 'PutTargets', { Rule: Name, ...bus(properties), Targets })
  return made
}

function bus(properties: Json): Json {
  return take(properties, { EventBusName: text })
}

const ids = (targets: unknown) => list(targets).map((target) => record(target)['Id'])

const rule: Provider = {
  immutable: ['Name', 'EventBusName'],
  create: (properties, context) =>
    putRule(text(properties['Name'] ?? context.name(64), 'Name'), properties, context),
  async update(properties, made, old, context) {
    const kept = ids(properties['Targets'])
    const Ids = ids(old['Targets']).filter((id) => !kept.includes(id))
    if (Ids.length > 0) {
      await context.call('events', 'RemoveTargets', { Rule: made.id, ...bus(properties), Ids })
    }
    return putRule(made.id, properties, context)
  },
  async delete({ id }, properties, context) {
    const Ids = ids(properties['Targets'])
    if (Ids.length > 0) {
      await context.call('events', 'RemoveTargets', { Rule: id, ...bus(properties), Ids })
    }
    await context.call('events', 'DeleteRule', { Name: id, ...bus(properties) })
  },
}

async function retain(name: string, properties: Json, context: Context) {
  const { RetentionInDays: retentionInDays } = take(properties, { RetentionInDays: number })
  if (retentionInDays === undefined) return
  await context.call('logs', 'PutRetentionPolicy', { logGroupName: name, retentionInDays })
}

const logGroup: Provider = {
  immutable: ['LogGroupName', 'LogGroupClass'],
  async create(properties, context) {
    const name = text(properties['LogGroupName'] ?? context.name(), 'LogGroupName')
    await context.call('logs', 'CreateLogGroup', { logGroupName: name })
    const { region, world } = context
    const Arn = `arn:aws:logs:${region}:${world.account}:log-group:${name}:*`
    const made = { id: name, attributes: { Arn } }
    context.began(made)
    await retain(name, properties, context)
    return made
  },
  async update(properties, made, _, context) {
    await retain(made.id, properties, context)
    return made
  },
  async delete({ id }, _, context) {
    await context.call('logs', 'DeleteLogGroup', { logGroupName: id })
  },
}

/** Queues, rules and log groups. */
export const provideEvents: Readonly<Record<string, Provider>> = {
  'AWS::SQS::Queue': queue,
  'AWS::SQS::QueuePolicy': queuePolicy,
  'AWS::Events::Rule': rule,
  'AWS::Logs::LogGroup': logGroup,
}
