import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  PurgeQueueCommand,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sqs } from '../../local/sqs/index.ts'
import { type Ground, open } from '../../local/world.ts'

const start = Date.parse('2026-11-21T06:00:00Z')
let world: Ground
let client: SQSClient

beforeEach(async () => {
  world = await open({ clock: { start } }, (ground) => ({ services: [sqs(ground)] }))
  client = connect('us-east-1')
})
afterEach(async () => {
  client.destroy()
  await world.close()
})

function connect(region: string): SQSClient {
  const { accessKeyId, secretAccessKey, sessionToken } = world.iam.administrator
  return new SQSClient({
    region,
    endpoint: world.url,
    credentials: { accessKeyId, secretAccessKey, sessionToken },
    maxAttempts: 1,
  })
}

async function create(QueueName: string, Attributes: Record<string, string> = {}): Promise<string> {
  const { QueueUrl = '' } = await client.send(new CreateQueueCommand({ QueueName, Attributes }))
  return QueueUrl
}

const send = (QueueUrl: string, MessageBody: string, more = {}) =>
  client.send(new SendMessageCommand({ QueueUrl, MessageBody, ...more }))

async function receive(QueueUrl: string, more = {}) {
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, ...more }),
  )
  return Messages
}

/** In-process, so that it is known to be waiting before the next line runs. */
const poll = (QueueUrl: string) =>
  world.call('sqs', 'ReceiveMessage', { QueueUrl }, { region: 'us-east-1' })

async function attributes(QueueUrl: string): Promise<Record<string, string | undefined>> {
  const { Attributes = {} } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['All'] }),
  )
  return Attributes
}

test('a queue is found by name, described and listed in its own region only', async () => {
  const url = await create('work', { VisibilityTimeout: '45', KmsMasterKeyId: 'alias/queue' })
  const west = connect('us-west-2')

  const named = await client.send(new GetQueueUrlCommand({ QueueName: 'work' }))
  const listed = await client.send(new ListQueuesCommand({ QueueNamePrefix: 'wo' }))
  const elsewhere = await west.send(new ListQueuesCommand({}))
  west.destroy()

  expect(named.QueueUrl).toBe(url)
  expect(url).toBe(`${world.url}/111122223333/work`)
  expect(listed.QueueUrls).toEqual([url])
  expect(elsewhere.QueueUrls).toBeUndefined()
  expect(await attributes(url)).toMatchObject({
    QueueArn: 'arn:aws:sqs:us-east-1:111122223333:work',
    VisibilityTimeout: '45',
    KmsMasterKeyId: 'alias/queue',
    SqsManagedSseEnabled: 'true',
    CreatedTimestamp: String(start / 1_000),
  })
})

test('creating a queue again gives the same one, unless an attribute differs', async () => {
  const url = await create('work', { DelaySeconds: '5' })

  expect(await create('work')).toBe(url)
  await expect(create('work', { DelaySeconds: '6' })).rejects.toMatchObject({
    name: 'QueueNameExists',
    Code: 'QueueAlreadyExists',
  })
})

test('a queue that is not there is QueueDoesNotExist under its new and its old code', async () => {
  const error: unknown = await client
    .send(new GetQueueUrlCommand({ QueueName: 'nowhere' }))
    .catch((thrown: unknown) => thrown)

  expect(error).toBeInstanceOf(QueueDoesNotExist)
  expect(error).toMatchObject({
    name: 'QueueDoesNotExist',
    Code: 'AWS.SimpleQueueService.NonExistentQueue',
    Type: 'Sender',
  })
})

test('unknown attributes and values out of range are refused', async () => {
  await expect(create('no spaces')).rejects.toMatchObject({ name: 'InvalidParameterValue' })
  await expect(create('work', { Colour: 'red' })).rejects.toMatchObject({
    name: 'InvalidAttributeName',
  })
  await expect(create('work', { VisibilityTimeout: '43201' })).rejects.toMatchObject({
    name: 'InvalidAttributeValue',
  })
  await expect(create('work', { RedrivePolicy: '{"maxReceiveCount":3}' })).rejects.toMatchObject({
    name: 'InvalidAttributeValue',
  })
})

test('a message comes back with what was sent, and its checksums satisfy the SDK', async () => {
  const url = await create('work')
  const MessageAttributes = {
    kind: { DataType: 'String', StringValue: 'über' },
    amount: { DataType: 'Number', StringValue: '3' },
    raw: { DataType: 'Binary', BinaryValue: new Uint8Array([1, 2, 255]) },
  }

  const sent = await send(url, 'grüße', { MessageAttributes })
  const [message] = await receive(url, {
    MessageAttributeNames: ['All'],
    MessageSystemAttributeNames: ['All'],
  })

  expect(message).toMatchObject({
    MessageId: sent.MessageId,
    Body: 'grüße',
    MessageAttributes,
    Attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: String(start),
      ApproximateFirstReceiveTimestamp: String(start),
    },
  })
  expect(message?.MD5OfMessageAttributes).toBe(sent.MD5OfMessageAttributes)
})

// The digest that botocore's tests and moto compute for this attribute.
test('the checksum of attributes is that of the developer guide', async () => {
  const url = await create('work')

  const sent = await send(url, 'derp', {
    MessageAttributes: { timestamp: { DataType: 'Number', StringValue: '1493147359900' } },
  })

  expect(sent.MD5OfMessageBody).toBe('58fd9edd83341c29f1aebba81c31e257')
  expect(sent.MD5OfMessageAttributes).toBe('235c5c510d26fb653d073faed50ae77c')
})

test('a received message is hidden for the visibility timeout, then comes back', async () => {
  const url = await create('work', { VisibilityTimeout: '30' })
  await send(url, 'one')
  await receive(url)

  expect(await receive(url)).toEqual([])
  expect(await attributes(url)).toMatchObject({
    ApproximateNumberOfMessages: '0',
    ApproximateNumberOfMessagesNotVisible: '1',
  })
  await world.clock.advance(30_000)
  const [again] = await receive(url, { AttributeNames: ['ApproximateReceiveCount'] })

  expect(again?.Attributes).toEqual({ ApproximateReceiveCount: '2' })
})

test('only the latest receipt handle deletes; an older one is accepted and does nothing', async () => {
  const url = await create('work', { VisibilityTimeout: '30' })
  await send(url, 'one')
  const [first] = await receive(url)
  await world.clock.advance(30_000)
  const [second] = await receive(url)

  await client.send(
    new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: first?.ReceiptHandle }),
  )
  const kept = await attributes(url)
  await client.send(
    new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: second?.ReceiptHandle }),
  )

  expect(kept['ApproximateNumberOfMessagesNotVisible']).toBe('1')
  expect((await attributes(url))['ApproximateNumberOfMessagesNotVisible']).toBe('0')
  await expect(
    client.send(new DeleteMessageCommand({ QueueUrl: url, ReceiptHandle: 'made up' })),
  ).rejects.toMatchObject({ name: 'ReceiptHandleIsInvalid' })
})

test('visibility can be changed to now or to later, but not by a stale handle', async () => {
  const url = await create('work')
  await send(url, 'one')
  const [first] = await receive(url)
  const change = (ReceiptHandle: string | undefined, VisibilityTimeout: number) =>
    client.send(
      new ChangeMessageVisibilityCommand({ QueueUrl: url, ReceiptHandle, VisibilityTimeout }),
    )

  await change(first?.ReceiptHandle, 0)
  const [second] = await receive(url)
  await change(second?.ReceiptHandle, 600)
  await world.clock.advance(599_000)

  expect(second?.Body).toBe('one')
  expect(await receive(url)).toEqual([])
  await expect(change(first?.ReceiptHandle, 10)).rejects.toMatchObject({
    name: 'InvalidParameterValue',
  })
  await world.clock.advance(1_000)
  expect(await receive(url)).toHaveLength(1)
})

test('a message received too often moves to the dead-letter queue with its id', async () => {
  const dead = await create('dead')
  const url = await create('work', {
    VisibilityTimeout: '10',
    RedrivePolicy: JSON.stringify({
      deadLetterTargetArn: 'arn:aws:sqs:us-east-1:111122223333:dead',
      maxReceiveCount: 2,
    }),
  })
  const sent = await send(url, 'poison')
  await receive(url)
  await world.clock.advance(10_000)
  expect(await receive(url)).toHaveLength(1)
  await world.clock.advance(10_000)

  expect(await receive(url)).toEqual([])
  const [buried] = await receive(dead, { AttributeNames: ['All'] })

  expect(buried).toMatchObject({
    MessageId: sent.MessageId,
    Body: 'poison',
    Attributes: { DeadLetterQueueSourceArn: 'arn:aws:sqs:us-east-1:111122223333:work' },
  })
})

test('delays come from the message, else from the queue, up to fifteen minutes', async () => {
  const url = await create('work', { DelaySeconds: '60' })
  await send(url, 'queue')
  await send(url, 'own', { DelaySeconds: 900 })
  await send(url, 'none', { DelaySeconds: 0 })

  expect((await receive(url)).map(({ Body }) => Body)).toEqual(['none'])
  expect((await attributes(url))['ApproximateNumberOfMessagesDelayed']).toBe('2')
  await world.clock.advance(60_000)
  expect((await receive(url)).map(({ Body }) => Body)).toContain('queue')
  await world.clock.advance(840_000)
  expect((await receive(url)).map(({ Body }) => Body)).toContain('own')
  await expect(send(url, 'late', { DelaySeconds: 901 })).rejects.toMatchObject({
    name: 'InvalidParameterValue',
  })
})

test('a long poll ends with the first message, or empty when its time is over', async () => {
  const url = await create('work', { ReceiveMessageWaitTimeSeconds: '20' })

  const woken = poll(url)
  await send(url, 'news')
  const empty = poll(url)
  await world.clock.advance(20_000)

  expect(await woken).toMatchObject({ Messages: [{ Body: 'news' }] })
  expect(await empty).toEqual({})
})

test('a long poll is woken by a message whose delay is over', async () => {
  const url = await create('work', { ReceiveMessageWaitTimeSeconds: '20' })
  await send(url, 'later', { DelaySeconds: 5 })
  const woken = poll(url)

  await world.clock.advance(5_000)

  expect(await woken).toMatchObject({ Messages: [{ Body: 'later' }] })
})

test('messages are forgotten after the retention period', async () => {
  const url = await create('work', { MessageRetentionPeriod: '3600' })
  await send(url, 'old')

  await world.clock.advance(3_599_000)
  expect((await attributes(url))['ApproximateNumberOfMessages']).toBe('1')
  await world.clock.advance(1_000)

  expect(await receive(url)).toEqual([])
})

test('a batch reports each entry apart and is refused as a whole when it is malformed', async () => {
  const url = await create('work')
  const batch = (ids: readonly string[]) =>
    client.send(
      new SendMessageBatchCommand({
        QueueUrl: url,
        Entries: ids.map((Id) => ({ Id, MessageBody: Id === 'bad' ? '\u0001' : Id })),
      }),
    )

  const sent = await batch(['a', 'bad', 'b'])
  const received = await receive(url)
  const deleted = await client.send(
    new DeleteMessageBatchCommand({
      QueueUrl: url,
      Entries: received.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle })),
    }),
  )

  expect(sent.Successful?.map(({ Id }) => Id)).toEqual(['a', 'b'])
  expect(sent.Failed).toMatchObject([
    { Id: 'bad', Code: 'InvalidMessageContents', SenderFault: true },
  ])
  expect(deleted.Successful).toHaveLength(2)
  await expect(batch([])).rejects.toMatchObject({ name: 'EmptyBatchRequest' })
  await expect(batch(['a', 'a'])).rejects.toMatchObject({ name: 'BatchEntryIdsNotDistinct' })
  await expect(batch([...'abcdefghijk'])).rejects.toMatchObject({
    name: 'TooManyEntriesInBatchRequest',
  })
})

test('settings change, messages are purged, and a deleted queue is gone', async () => {
  const url = await create('work')
  await send(url, 'one')

  await client.send(
    new SetQueueAttributesCommand({ QueueUrl: url, Attributes: { MaximumMessageSize: '1024' } }),
  )
  await expect(send(url, 'x'.repeat(1_025))).rejects.toMatchObject({
    name: 'InvalidParameterValue',
  })
  await client.send(new PurgeQueueCommand({ QueueUrl: url }))
  expect(await receive(url)).toEqual([])
  await client.send(new DeleteQueueCommand({ QueueUrl: url }))

  await expect(send(url, 'two')).rejects.toMatchObject({ name: 'QueueDoesNotExist' })
})

test('a role may only use the queues that its policy names', async () => {
  const url = await create('work')
  const other = await create('other')
  world.iam.putRole({
    name: 'sender',
    trust: { Statement: [] },
    policies: [
      {
        Statement: {
          Effect: 'Allow',
          Action: 'sqs:SendMessage',
          Resource: 'arn:aws:sqs:us-east-1:111122223333:work',
        },
      },
    ],
  })
  const credentials = world.iam.assume('sender', 'test')
  if (credentials === undefined) throw new TypeError('the role is there')
  const limited = new SQSClient({ region: 'us-east-1', endpoint: world.url, credentials })
  const by = (QueueUrl: string) =>
    limited.send(new SendMessageCommand({ QueueUrl, MessageBody: 'hello' }))

  await expect(by(url)).resolves.toMatchObject({ MessageId: expect.any(String) })
  await expect(by(other)).rejects.toMatchObject({ name: 'AccessDeniedException' })
  limited.destroy()
})
