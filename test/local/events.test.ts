import {
  DeleteRuleCommand,
  DescribeRuleCommand,
  DisableRuleCommand,
  EnableRuleCommand,
  EventBridgeClient,
  ListRulesCommand,
  ListTargetsByRuleCommand,
  PutEventsCommand,
  PutRuleCommand,
  PutTargetsCommand,
  RemoveTargetsCommand,
  type Target,
} from '@aws-sdk/client-eventbridge'
import * as v from 'valibot'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { events } from '../../local/events/index.ts'
import { AwsError, type Service } from '../../local/service.ts'
import { sqs } from '../../local/sqs/index.ts'
import { type Ground, open } from '../../local/world.ts'

const start = Date.parse('2026-11-21T06:51:08.250Z')
const region = 'us-east-1'
const HOUR = 3_600_000
const available = {
  source: 'aws.acm',
  detailType: 'ACM Certificate Available',
  resources: ['arn:aws:acm:us-east-1:111122223333:certificate/1'],
  detail: { Action: 'RENEWAL', DaysToExpiry: 395 },
}
const acm = JSON.stringify({ source: ['aws.acm'] })
const received = v.object({
  Body: v.string(),
  MessageAttributes: v.optional(v.record(v.string(), v.object({ StringValue: v.string() })), {}),
})

let world: Ground
let client: EventBridgeClient
let emit: (event: typeof available) => void
let invoked: unknown[]

/** Stands in for Lambda: one function that EventBridge may invoke, and one that it may not. */
const lambda: Service = {
  name: 'lambda',
  operations: {
    GetFunctionConfiguration: { run: async () => ({}) },
    GetPolicy: {
      async run(input) {
        const { FunctionName } = v.parse(v.object({ FunctionName: v.string() }), input)
        if (FunctionName !== 'open') throw new AwsError('ResourceNotFoundException', '', 404)
        return { Policy: policy('lambda:InvokeFunction', arn('lambda', 'function:open')) }
      },
    },
    Invoke: {
      async run(input) {
        invoked.push(input)
        return { StatusCode: 202 }
      },
    },
  },
}

beforeEach(async () => {
  invoked = []
  world = await open({ clock: { start } }, (ground) => {
    const bridge = events(ground)
    emit = (event) => bridge.emit(region, event)
    return { services: [bridge.service, sqs(ground), lambda], emit: bridge.emit }
  })
  const { accessKeyId, secretAccessKey, sessionToken } = world.iam.administrator
  client = new EventBridgeClient({
    region,
    endpoint: world.url,
    credentials: { accessKeyId, secretAccessKey, sessionToken },
    maxAttempts: 1,
  })
  await queue('inbox')
  await queue('dead')
})
afterEach(async () => {
  client.destroy()
  await world.close()
})

const arn = (service: string, rest: string) => `arn:aws:${service}:${region}:111122223333:${rest}`

function policy(Action: string, Resource: string): string {
  const Principal = { Service: 'events.amazonaws.com' }
  const Condition = { ArnLike: { 'aws:SourceArn': arn('events', 'rule/*') } }
  return JSON.stringify({
    Statement: [{ Effect: 'Allow', Principal, Action, Resource, Condition }],
  })
}

async function queue(QueueName: string, Policy = policy('sqs:SendMessage', arn('sqs', QueueName))) {
  await world.call('sqs', 'CreateQueue', { QueueName, Attributes: { Policy } }, { region })
}

async function rule(Name: string, matching: object, ...targets: Partial<Target>[]) {
  await client.send(new PutRuleCommand({ Name, ...matching }))
  if (targets.length > 0) await aim(Name, ...targets)
}

async function aim(Rule: string, ...targets: Partial<Target>[]) {
  const Targets = targets.map((target, index) => ({
    Id: String(index),
    Arn: arn('sqs', 'inbox'),
    ...target,
  }))
  await client.send(new PutTargetsCommand({ Rule, Targets }))
}

/** Takes everything out of a queue after all deliveries of this instant have ended. */
async function messages(name = 'inbox') {
  await world.clock.advance(0)
  const QueueUrl = `${world.url}/111122223333/${name}`
  const input = { QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] }
  const { Messages = [] } = await world.call('sqs', 'ReceiveMessage', input, { region })
  await world.call('sqs', 'PurgeQueue', { QueueUrl }, { region })
  return v.parse(v.array(received), Messages)
}
const bodies = async (name?: string) => (await messages(name)).map(({ Body }) => Body)

test('an event of an AWS service reaches a queue in the envelope that AWS documents', async () => {
  await rule('renewals', { EventPattern: acm }, {})

  emit(available)

  const [body = ''] = await bodies()
  expect(JSON.parse(body)).toEqual({
    version: '0',
    id: expect.stringMatching(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    ),
    'detail-type': 'ACM Certificate Available',
    source: 'aws.acm',
    account: '111122223333',
    time: '2026-11-21T06:51:08Z',
    region,
    resources: available.resources,
    detail: available.detail,
  })
})

test('an event that no rule waits for, or in another region, reaches nobody', async () => {
  await rule('renewals', { EventPattern: acm }, {})

  emit({ ...available, source: 'aws.ecs' })
  world.emit('us-west-2', available)

  expect(await bodies()).toEqual([])
})

test('a disabled rule is silent until it is enabled', async () => {
  await rule('renewals', { EventPattern: acm, State: 'DISABLED' }, {})
  emit(available)
  expect(await bodies()).toEqual([])

  await client.send(new EnableRuleCommand({ Name: 'renewals' }))
  emit(available)
  expect(await bodies()).toHaveLength(1)

  await client.send(new DisableRuleCommand({ Name: 'renewals' }))
  emit(available)
  expect(await bodies()).toEqual([])
})

test('PutEvents publishes what is good and refuses the rest entry by entry', async () => {
  await rule('own', { EventPattern: '{"source":["certrelay"]}' }, {})
  const good = { Source: 'certrelay', DetailType: 'Checked', Detail: '{"ok":true}' }

  const answer = await client.send(
    new PutEventsCommand({
      Entries: [
        { ...good, Time: new Date('2026-01-02T03:04:05Z'), Resources: ['arn:x'] },
        { ...good, Source: 'aws.acm' },
        { ...good, Detail: 'no JSON' },
        { Source: 'certrelay', Detail: '{}' },
      ],
    }),
  )

  const [body = '', ...more] = await bodies()
  expect(JSON.parse(body)).toMatchObject({
    id: answer.Entries?.[0]?.EventId,
    time: '2026-01-02T03:04:05Z',
    resources: ['arn:x'],
    detail: { ok: true },
  })
  expect(more).toEqual([])
  expect(answer.FailedEntryCount).toBe(3)
  expect(answer.Entries?.slice(1)).toEqual([
    {
      ErrorCode: 'NotAuthorizedForSourceException',
      ErrorMessage: 'Not authorized for the source.',
    },
    { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' },
    {
      ErrorCode: 'InvalidArgument',
      ErrorMessage: 'Parameter DetailType is not valid. Reason: DetailType is a required argument.',
    },
  ])
})

test('PutEvents takes at most ten entries and 256 KB', async () => {
  const put = (count: number, size: number) =>
    client.send(
      new PutEventsCommand({
        Entries: Array.from({ length: count }, () => ({
          Source: 'a',
          DetailType: 'b',
          Detail: JSON.stringify({ filler: 'x'.repeat(size) }),
        })),
      }),
    )

  await expect(put(11, 1)).rejects.toMatchObject({ name: 'ValidationException' })
  await expect(put(2, 131_072)).rejects.toMatchObject({
    name: 'ValidationException',
    message: 'Total size of the entries in the request is over the limit.',
  })
  await expect(put(1, 262_000)).resolves.toMatchObject({ FailedEntryCount: 0 })
})

test('rules and targets are described, listed page by page and deleted', async () => {
  await rule('a', { EventPattern: acm, Description: 'first' }, {}, { Input: '{}' })
  await rule('b', { ScheduleExpression: 'rate(1 day)' })

  const first = await client.send(new ListRulesCommand({ Limit: 1 }))
  const second = await client.send(new ListRulesCommand({ Limit: 1, NextToken: first.NextToken }))
  const targets = await client.send(new ListTargetsByRuleCommand({ Rule: 'a' }))

  expect(first.Rules).toEqual([
    {
      Name: 'a',
      Arn: arn('events', 'rule/a'),
      Description: 'first',
      EventBusName: 'default',
      EventPattern: acm,
      State: 'ENABLED',
    },
  ])
  expect(second.Rules).toMatchObject([{ Name: 'b', ScheduleExpression: 'rate(1 day)' }])
  expect(second.NextToken).toBeUndefined()
  expect(targets.Targets).toMatchObject([{ Id: '0' }, { Id: '1', Input: '{}' }])

  const remove = () => client.send(new DeleteRuleCommand({ Name: 'a' }))
  await expect(remove()).rejects.toMatchObject({
    message: "Rule can't be deleted since it has targets.",
  })
  await client.send(new RemoveTargetsCommand({ Rule: 'a', Ids: ['0', '1'] }))
  await remove()
  await expect(client.send(new DescribeRuleCommand({ Name: 'a' }))).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
    message: 'Rule a does not exist on EventBus default.',
  })
})

test('bad rules and bad targets are refused', async () => {
  const put = (matching: object) => client.send(new PutRuleCommand({ Name: 'a', ...matching }))
  await expect(put({})).rejects.toMatchObject({ name: 'ValidationException' })
  await expect(put({ EventPattern: '{"source":"a"}' })).rejects.toMatchObject({
    name: 'InvalidEventPatternException',
  })
  await expect(put({ ScheduleExpression: 'rate(1 days)' })).rejects.toMatchObject({
    message: 'Parameter ScheduleExpression is not valid.',
  })
  await expect(put({ EventPattern: acm, EventBusName: 'other' })).rejects.toMatchObject({
    name: 'ResourceNotFoundException',
  })

  await put({ EventPattern: acm })
  await expect(aim('a', { Arn: 'arn:aws:sns:us-east-1:111122223333:t' })).rejects.toThrow(
    'not valid',
  )
  await expect(aim('a', { Input: '{}', InputPath: '$' })).rejects.toThrow('Only one of Input')
  await expect(aim('a', { InputTransformer: { InputTemplate: '<x>' } })).rejects.toThrow('<x>')
  await expect(aim('a', {}, {}, {}, {}, {}, {})).rejects.toMatchObject({
    name: 'LimitExceededException',
  })
})

test('targets get the event, a constant, a part of it or a template', async () => {
  await rule(
    'renewals',
    { EventPattern: acm },
    { Input: '{"fixed":1}' },
    { InputPath: '$.detail.Action' },
    {
      InputTransformer: {
        InputPathsMap: { arn: '$.resources[0]', days: '$.detail.DaysToExpiry', none: '$.detail.x' },
        InputTemplate:
          '{"arn":<arn>,"days":<days>,"text":"<days> days <none>left","rule":"<aws.events.rule-name>"}',
      },
    },
    { InputTransformer: { InputPathsMap: { a: '$.detail' }, InputTemplate: '"got <a>"' } },
  )

  emit(available)

  expect(await bodies()).toEqual([
    '{"fixed":1}',
    '"RENEWAL"',
    JSON.stringify({
      arn: available.resources[0],
      days: 395,
      text: '395 days left',
      rule: 'renewals',
    }),
    String.raw`"got {\"Action\":\"RENEWAL\",\"DaysToExpiry\":395}"`,
  ])
})

test('a function is invoked asynchronously, if its policy lets EventBridge', async () => {
  const to = (name: string) => ({
    Arn: arn('lambda', `function:${name}`),
    Input: '{"a":1}',
    DeadLetterConfig: { Arn: arn('sqs', 'dead') },
  })
  await rule('renewals', { EventPattern: acm }, to('open'), to('closed'))

  emit(available)

  const [refused] = await messages('dead')
  expect(invoked).toEqual([
    {
      FunctionName: 'open',
      InvocationType: 'Event',
      Payload: Buffer.from('{"a":1}').toString('base64'),
    },
  ])
  expect(refused?.MessageAttributes).toMatchObject({
    TARGET_ARN: { StringValue: arn('lambda', 'function:closed') },
    ERROR_CODE: { StringValue: 'NO_PERMISSIONS' },
    RETRY_ATTEMPTS: { StringValue: '0' },
  })
})

test('a queue whose policy does not name EventBridge gets nothing', async () => {
  await queue('private', '')
  await rule('renewals', { EventPattern: acm }, { Arn: arn('sqs', 'private') }, {})

  emit(available)

  expect(await bodies('private')).toEqual([])
  expect(await bodies()).toHaveLength(1)
})

test('a failed delivery is tried again by the clock, with growing gaps', async () => {
  await rule('renewals', { EventPattern: acm }, {})
  world.faults.add({ service: 'events:deliver', times: 3 }, { kind: 'error' })

  emit(available)
  await world.clock.advance(6_999)
  expect(await bodies()).toEqual([])
  await world.clock.advance(1)

  expect(await bodies()).toHaveLength(1)
})

test('what stays undeliverable goes to the dead-letter queue and says why', async () => {
  const DeadLetterConfig = { Arn: arn('sqs', 'dead') }
  await rule(
    'renewals',
    { EventPattern: acm },
    { DeadLetterConfig, RetryPolicy: { MaximumRetryAttempts: 2 } },
    { DeadLetterConfig, RetryPolicy: { MaximumEventAgeInSeconds: 60 } },
    { DeadLetterConfig, Arn: arn('sqs', 'nowhere') },
  )
  const mend = world.faults.add({ service: 'events:deliver' }, { kind: 'throttle' })

  emit(available)
  await world.clock.advance(HOUR)
  mend()

  const exhausted = (await messages('dead')).map(({ MessageAttributes: notes }) => [
    notes['EXHAUSTED_RETRY_CONDITION']?.StringValue,
    notes['RETRY_ATTEMPTS']?.StringValue,
  ])
  expect(exhausted).toEqual([
    ['MaximumRetryAttempts', '2'],
    ['MaximumEventAgeInSeconds', '5'],
  ])
})

test('an event for a queue that is gone is not tried again', async () => {
  await rule(
    'renewals',
    { EventPattern: acm },
    { Arn: arn('sqs', 'gone'), DeadLetterConfig: { Arn: arn('sqs', 'dead') } },
  )

  emit(available)

  const [buried] = await messages('dead')
  expect(buried?.MessageAttributes).toMatchObject({
    RULE_ARN: { StringValue: arn('events', 'rule/renewals') },
    ERROR_CODE: { StringValue: 'NO_RESOURCE' },
    RETRY_ATTEMPTS: { StringValue: '0' },
  })
  expect(JSON.parse(buried?.Body ?? '')).toMatchObject({ detail: available.detail })
})

test('faults lose an event, deliver it twice, or say that a delivered one failed', async () => {
  await rule('renewals', { EventPattern: acm }, {})
  const where = { service: 'events:deliver', operation: available.detailType, times: 1 }

  world.faults.add(where, { kind: 'drop' })
  emit(available)
  expect(await bodies()).toEqual([])

  world.faults.add(where, { kind: 'duplicate' })
  emit(available)
  const twice = await bodies()
  expect(twice).toHaveLength(2)
  expect(twice[0]).toBe(twice[1])

  world.faults.add(where, { kind: 'lost' })
  emit(available)
  await world.clock.advance(1_000)
  expect(await bodies()).toHaveLength(2)
})

test('an event that is late is overtaken by the next one', async () => {
  await rule('renewals', { EventPattern: acm }, { InputPath: '$.detail' })
  const where = { service: 'events:deliver', times: 1 }
  world.faults.add(where, { kind: 'latency', ms: 5_000 })

  emit({ ...available, detail: { Action: 'ISSUANCE', DaysToExpiry: 1 } })
  emit({ ...available, detail: { Action: 'RENEWAL', DaysToExpiry: 1 } })
  const first = await bodies()
  await world.clock.advance(5_000)

  expect(first).toEqual(['{"Action":"RENEWAL","DaysToExpiry":1}'])
  expect(await bodies()).toEqual(['{"Action":"ISSUANCE","DaysToExpiry":1}'])
})

test('a schedule fires at each tick as a scheduled event', async () => {
  await rule('sweep', { ScheduleExpression: 'rate(1 hour)' }, {})

  await world.clock.advance(HOUR - 1)
  expect(await bodies()).toEqual([])
  await world.clock.advance(1)
  const [body = ''] = await bodies()
  await world.clock.advance(HOUR)

  expect(JSON.parse(body)).toMatchObject({
    source: 'aws.events',
    'detail-type': 'Scheduled Event',
    time: '2026-11-21T07:51:08Z',
    resources: [arn('events', 'rule/sweep')],
    detail: {},
  })
  expect(await bodies()).toHaveLength(1)
})

test('a jump over many ticks fires once, at its end, and the rhythm goes on from there', async () => {
  await rule('sweep', { ScheduleExpression: 'cron(0 * * * ? *)' }, { InputPath: '$.time' })

  await world.clock.advance(48 * HOUR)
  const jumped = await bodies()
  await world.clock.advance(HOUR)

  expect(jumped).toEqual(['"2026-11-23T06:51:08Z"'])
  expect(await bodies()).toEqual(['"2026-11-23T07:00:00Z"'])
})

test('a schedule stops when its rule is disabled or deleted', async () => {
  await rule('off', { ScheduleExpression: 'rate(1 hour)' }, {})
  await rule('gone', { ScheduleExpression: 'rate(1 hour)' })

  await client.send(new DisableRuleCommand({ Name: 'off' }))
  await client.send(new DeleteRuleCommand({ Name: 'gone' }))
  await world.clock.advance(24 * HOUR)

  expect(await bodies()).toEqual([])
})
