import { randomUUID } from 'node:crypto'
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Local, start } from '../../local/index.ts'
import { client as configuration } from '../support/client.ts'
import { ASSUMED, lambda } from '../support/echo.ts'

const MINUTE = 60_000
let aws: Local
let client: SQSClient

beforeEach(async () => {
  aws = await start({ clock: { start: Date.parse('2026-11-21T06:00:00Z') } })
  client = new SQSClient(configuration(aws))
})
afterEach(async () => {
  client.destroy()
  await aws.close()
})

async function create(QueueName: string, Attributes: Record<string, string> = {}) {
  const all = { FifoQueue: 'true', ...Attributes }
  const { QueueUrl = '' } = await client.send(
    new CreateQueueCommand({ QueueName, Attributes: all }),
  )
  return QueueUrl
}
/** One message to group `g` under an id of its own, unless `more` says otherwise. */
const send = (QueueUrl: string, MessageBody: string, more = {}) =>
  client.send(
    new SendMessageCommand({
      QueueUrl,
      MessageBody,
      MessageGroupId: 'g',
      MessageDeduplicationId: randomUUID(),
      ...more,
    }),
  )
async function receive(QueueUrl: string, MaxNumberOfMessages = 10) {
  const input = { QueueUrl, MaxNumberOfMessages, AttributeNames: ['All' as const] }
  const { Messages = [] } = await client.send(new ReceiveMessageCommand(input))
  return Messages
}
const bodies = async (url: string, most?: number) =>
  (await receive(url, most)).map(({ Body }) => Body)
const remove = (QueueUrl: string, ReceiptHandle: string | undefined) =>
  client.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
const refused = (name: string, text = '') =>
  expect.objectContaining({ name, message: expect.stringContaining(text) })

describe('a FIFO queue', () => {
  test('is named and made as one, and says so', async () => {
    const url = await create('work.fifo', { ContentBasedDeduplication: 'true', DelaySeconds: '5' })

    const { Attributes } = await client.send(
      new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }),
    )

    expect(Attributes).toMatchObject({
      FifoQueue: 'true',
      ContentBasedDeduplication: 'true',
      DeduplicationScope: 'queue',
      FifoThroughputLimit: 'perQueue',
      DelaySeconds: '5',
      QueueArn: 'arn:aws:sqs:us-east-1:111122223333:work.fifo',
    })
    await expect(create('work')).rejects.toEqual(refused('InvalidParameterValue', '.fifo suffix'))
    await expect(create('a.fifo', { FifoQueue: 'false' })).rejects.toEqual(
      refused('InvalidParameterValue'),
    )
    await expect(create('standard', { FifoQueue: 'false' })).rejects.toEqual(
      refused('InvalidAttributeName', 'Unknown Attribute FifoQueue.'),
    )
    await expect(create('a.fifo', { FifoThroughputLimit: 'perMessageGroupId' })).rejects.toEqual(
      refused('InvalidAttributeValue'),
    )
  })

  test('takes no message without a group, without an id, or with a delay of its own', async () => {
    const url = await create('work.fifo')

    await expect(send(url, 'a', { MessageGroupId: undefined })).rejects.toEqual(
      refused('MissingParameter', 'MessageGroupId'),
    )
    await expect(send(url, 'a', { MessageDeduplicationId: undefined })).rejects.toEqual(
      refused('InvalidParameterValue', 'ContentBasedDeduplication'),
    )
    await expect(send(url, 'a', { DelaySeconds: 5 })).rejects.toEqual(
      refused('InvalidParameterValue', 'Value 5 for parameter DelaySeconds is invalid.'),
    )
    await expect(send(url, 'a', { MessageGroupId: 'two words' })).rejects.toEqual(
      refused('InvalidParameterValue', 'MessageGroupId'),
    )
    expect(await bodies(url)).toEqual([])
  })

  test('numbers messages and shows their group, id and number', async () => {
    const url = await create('work.fifo')

    const first = await send(url, 'a', { MessageDeduplicationId: 'one' })
    const second = await send(url, 'b')
    const [shown] = await receive(url)

    expect(shown?.Attributes).toMatchObject({
      MessageGroupId: 'g',
      MessageDeduplicationId: 'one',
      SequenceNumber: first.SequenceNumber,
    })
    expect(first.SequenceNumber).toMatch(/^\d{20}$/)
    expect(BigInt(second.SequenceNumber ?? 0)).toBeGreaterThan(BigInt(first.SequenceNumber ?? 0))
  })

  test('answers a repetition within five minutes as the first time, though it was consumed', async () => {
    const url = await create('work.fifo', { ContentBasedDeduplication: 'true' })
    const again = () => send(url, 'same', { MessageDeduplicationId: undefined })
    const first = await again()
    const [message] = await receive(url)
    await remove(url, message?.ReceiptHandle)

    await aws.clock.advance(5 * MINUTE - 1)
    const repeated = await again()
    expect(await bodies(url)).toEqual([])
    await aws.clock.advance(1)
    const fresh = await again()

    expect(repeated).toMatchObject({
      MessageId: first.MessageId,
      SequenceNumber: first.SequenceNumber,
    })
    expect(fresh.MessageId).not.toBe(first.MessageId)
    expect(await bodies(url)).toEqual(['same'])
  })

  test('deduplicates in the whole queue, or in each group where it is told to', async () => {
    const wide = await create('wide.fifo')
    const narrow = await create('narrow.fifo', { DeduplicationScope: 'messageGroup' })
    const to = (url: string, MessageGroupId: string) =>
      send(url, MessageGroupId, { MessageGroupId, MessageDeduplicationId: 'id' })

    for (const url of [wide, narrow]) for (const group of ['g', 'h', 'h']) await to(url, group)

    expect(await bodies(wide)).toEqual(['g'])
    expect(await bodies(narrow)).toEqual(['g', 'h'])
  })

  test('gives nothing of a group while a message of it is in flight', async () => {
    const url = await create('work.fifo')
    for (const body of ['1', '2', '3']) await send(url, body)
    await send(url, 'other', { MessageGroupId: 'h' })

    const [first] = await receive(url, 1)
    const meanwhile = await bodies(url)
    await remove(url, first?.ReceiptHandle)

    expect(first?.Body).toBe('1')
    expect(meanwhile).toEqual(['other'])
    expect(await bodies(url)).toEqual(['2', '3'])
  })

  test('fills a batch with one group before it begins the next', async () => {
    const url = await create('work.fifo')
    const Entries = ['g1', 'h1', 'g2', 'h2'].map((Id) => ({
      Id,
      MessageBody: Id,
      MessageGroupId: Id.slice(0, 1),
      MessageDeduplicationId: Id,
    }))
    const sent = await client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries }))

    expect(sent.Successful?.map(({ SequenceNumber }) => typeof SequenceNumber)).toEqual(
      Array.from({ length: 4 }, () => 'string'),
    )
    expect(await bodies(url, 3)).toEqual(['g1', 'g2', 'h1'])
    expect(await bodies(url)).toEqual([])
  })

  test('gives back in the same order what became visible again', async () => {
    const url = await create('work.fifo', { VisibilityTimeout: '30' })
    for (const body of ['1', '2', '3']) await send(url, body)
    const [first] = await receive(url)

    await client.send(
      new ChangeMessageVisibilityCommand({
        QueueUrl: url,
        ReceiptHandle: first?.ReceiptHandle,
        VisibilityTimeout: 0,
      }),
    )
    expect(await bodies(url)).toEqual([])
    await aws.clock.advance(30_000)

    expect(await bodies(url)).toEqual(['1', '2', '3'])
  })

  test('refuses to delete by a handle whose time is over', async () => {
    const url = await create('work.fifo', { VisibilityTimeout: '30' })
    await send(url, '1')
    const [message] = await receive(url)
    await aws.clock.advance(30_000)

    await expect(remove(url, message?.ReceiptHandle)).rejects.toEqual(
      refused('InvalidParameterValue', 'The receipt handle has expired.'),
    )
    expect(await bodies(url)).toEqual(['1'])
  })

  test('delays every message alike when the queue says so', async () => {
    const url = await create('work.fifo', { DelaySeconds: '60' })
    await send(url, '1')
    await aws.clock.advance(30_000)
    await send(url, '2')

    await aws.clock.advance(30_000)
    const early = await bodies(url)
    await aws.clock.advance(30_000)
    const late = await bodies(url)

    expect([early, late]).toEqual([[], ['1', '2']])
  })

  test('wakes a long poll when the message that shut its group is deleted', async () => {
    const url = await create('work.fifo')
    for (const body of ['1', '2']) await send(url, body)
    const [first] = await receive(url, 1)
    const waiting = aws.call(
      'sqs',
      'ReceiveMessage',
      { QueueUrl: url, WaitTimeSeconds: 20 },
      { region: 'us-east-1' },
    )

    await remove(url, first?.ReceiptHandle)

    expect(await waiting).toMatchObject({ Messages: [{ Body: '2' }] })
  })

  test('has dead letters in a FIFO queue only, where they keep their group', async () => {
    const dead = await create('dead.fifo')
    const policy = (name: string) =>
      JSON.stringify({
        deadLetterTargetArn: `arn:aws:sqs:us-east-1:111122223333:${name}`,
        maxReceiveCount: 1,
      })
    const url = await create('work.fifo', {
      VisibilityTimeout: '30',
      RedrivePolicy: policy('dead.fifo'),
    })
    await send(url, 'poison')
    await send(url, 'fine')
    await receive(url, 1)
    await aws.clock.advance(30_000)

    expect(await bodies(url)).toEqual(['fine'])
    expect(await receive(dead)).toMatchObject([
      { Body: 'poison', Attributes: { MessageGroupId: 'g' } },
    ])
    await expect(
      client.send(
        new SetQueueAttributesCommand({
          QueueUrl: url,
          Attributes: { RedrivePolicy: policy('dead') },
        }),
      ),
    ).rejects.toEqual(refused('InvalidParameterValue', 'must be same type of queue'))
  })
})

/** A function that stops at `bad` until it has come twice, and names that and all that follows. */
const CONSUMER = `exports.handler = async ({ Records }) => {
  const failed = []
  for (const { body, messageId, attributes } of Records) {
    const { MessageGroupId, SequenceNumber, MessageDeduplicationId, ApproximateReceiveCount } = attributes
    const bad = body === 'bad' && ApproximateReceiveCount === '1'
    if (bad || failed.length > 0) failed.push({ itemIdentifier: messageId })
    else console.log('handled', MessageGroupId, body, MessageDeduplicationId.length, SequenceNumber.length)
  }
  return { batchItemFailures: failed }
}`
const TEMPLATE = JSON.stringify({
  Resources: {
    Work: {
      Type: 'AWS::SQS::Queue',
      Properties: {
        FifoQueue: true,
        ContentBasedDeduplication: true,
        DeduplicationScope: 'messageGroup',
        FifoThroughputLimit: 'perMessageGroupId',
        VisibilityTimeout: 60,
        RedrivePolicy: {
          deadLetterTargetArn: { 'Fn::GetAtt': ['Dead', 'Arn'] },
          maxReceiveCount: 5,
        },
      },
    },
    Dead: { Type: 'AWS::SQS::Queue', Properties: { FifoQueue: true } },
    Plain: { Type: 'AWS::SQS::Queue', Properties: { FifoQueue: false } },
    Role: {
      Type: 'AWS::IAM::Role',
      Properties: {
        AssumeRolePolicyDocument: ASSUMED,
        Policies: [
          {
            PolicyName: 'all',
            PolicyDocument: { Statement: { Effect: 'Allow', Action: '*', Resource: '*' } },
          },
        ],
      },
    },
    Consumer: lambda('consumer', CONSUMER),
    Mapping: {
      Type: 'AWS::Lambda::EventSourceMapping',
      Properties: {
        EventSourceArn: { 'Fn::GetAtt': ['Work', 'Arn'] },
        FunctionName: { Ref: 'Consumer' },
        BatchSize: 10,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
      },
    },
    Policy: {
      Type: 'AWS::SQS::QueuePolicy',
      Properties: {
        Queues: [{ Ref: 'Work' }],
        PolicyDocument: {
          Statement: {
            Effect: 'Allow',
            Principal: { Service: 'events.amazonaws.com' },
            Action: 'sqs:SendMessage',
            Resource: '*',
          },
        },
      },
    },
    Rule: {
      Type: 'AWS::Events::Rule',
      Properties: {
        EventPattern: { source: ['test'] },
        Targets: [
          {
            Id: 'work',
            Arn: { 'Fn::GetAtt': ['Work', 'Arn'] },
            InputPath: '$.detail.body',
            SqsParameters: { MessageGroupId: 'events' },
          },
        ],
      },
    },
  },
  Outputs: {
    Url: { Value: { Ref: 'Work' } },
    Dead: { Value: { Ref: 'Dead' } },
    Arn: { Value: { 'Fn::GetAtt': ['Work', 'Arn'] } },
    Name: { Value: { 'Fn::GetAtt': ['Work', 'QueueName'] } },
  },
})

describe('from a template', () => {
  const handled = () =>
    aws
      .lines({ region: 'us-east-1', group: '/aws/lambda/consumer' })
      .map(({ message }) => /handled (.*)$/.exec(message)?.[1])
      .filter((line) => line !== undefined)

  test('a function gets each group in order, and again from its first failure on', async () => {
    const outputs = await aws.deploy({ name: 'fifo', template: TEMPLATE })
    const Entries = ['a', 'bad', 'c'].map((Id) => ({
      Id,
      MessageBody: Id,
      MessageGroupId: 'g',
    }))
    await client.send(new SendMessageBatchCommand({ QueueUrl: outputs['Url'], Entries }))

    await aws.clock.advance(0)
    const first = handled()
    await send(outputs['Url'] ?? '', 'other', { MessageGroupId: 'h' })
    await aws.clock.advance(0)
    const second = handled().slice(first.length)
    await aws.clock.advance(MINUTE)

    expect(outputs['Name']).toMatch(/^fifo-Work-\w+\.fifo$/)
    expect(first).toEqual(['g a 64 20'])
    expect(second).toEqual(['h other 36 20'])
    expect(handled().slice(2)).toEqual(['g bad 64 20', 'g c 64 20'])
  })

  test('an event reaches the group that its target names', async () => {
    await aws.deploy({ name: 'fifo', template: TEMPLATE })

    aws.emit('us-east-1', {
      source: 'test',
      detailType: 'Test',
      resources: [],
      detail: { body: 'x' },
    })
    await aws.clock.advance(0)

    expect(handled()).toEqual(['events "x" 64 20'])
  })

  test('a mapping of a FIFO queue has no window and no batch over ten', async () => {
    const window = TEMPLATE.replace('"BatchSize":10', '"MaximumBatchingWindowInSeconds":5')
    const large = TEMPLATE.replace(
      '"BatchSize":10',
      '"BatchSize":11,"MaximumBatchingWindowInSeconds":1',
    )

    for (const [name, template] of Object.entries({ window, large })) {
      await expect(aws.deploy({ name, template })).rejects.toThrow('FIFO queues')
    }
  })
})
