import {
  CreateQueueCommand,
  type Message,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { queue } from '../../aws/sqs.ts'
import { parseNotice } from '../../events/notice.ts'
import { parseRollout } from '../../events/rollout.ts'
import { sqs } from '../../local/sqs/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { RelayError } from '../../pki/error.ts'
import type { Queue } from '../../ports/queue.ts'
import { client as configuration } from '../support/client.ts'

const PLACE = { region: 'us-east-1', account: '111122223333' }
const SECRET = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:mesh/color-AbCdEf'
const rollout = {
  service: 'mesh/color',
  secret: SECRET,
  version: '0a1b2c3d-4e5f-8a6b-ac7d-8e9f0a1b2c3d',
  since: 1_795_000_000_000,
}
let world: Ground
let client: SQSClient
let urls: { readonly work: string; readonly rollouts: string; readonly dead: string }
let ports: Queue

beforeEach(async () => {
  world = await open({}, (ground) => ({ services: [sqs(ground)] }))
  client = new SQSClient(configuration(world))
  const make = async (QueueName: string, Attributes?: Record<string, string>) => {
    const command = new CreateQueueCommand({ QueueName, ...(Attributes && { Attributes }) })
    return (await client.send(command)).QueueUrl ?? ''
  }
  urls = {
    work: await make('looks'),
    rollouts: await make('rollouts.fifo', { FifoQueue: 'true', DelaySeconds: '60' }),
    dead: await make('dead'),
  }
  ports = queue(client, urls)
})
afterEach(async () => {
  client.destroy()
  await world.close()
})

async function receive(QueueUrl: string): Promise<readonly Message[]> {
  const command = new ReceiveMessageCommand({
    QueueUrl,
    MaxNumberOfMessages: 10,
    MessageAttributeNames: ['All'],
  })
  return (await client.send(command)).Messages ?? []
}
const bodies = async (url: string) => (await receive(url)).map(({ Body = '' }) => Body)

test('a look comes when its delay is over, and says how often it has waited', async () => {
  await ports.look(SECRET, 10.2, 3)
  await world.clock.advance(10_000)
  expect(await bodies(urls.work)).toEqual([])
  await world.clock.advance(1_000)

  const [body = ''] = await bodies(urls.work)
  expect(parseNotice(body, PLACE)).toMatchObject({ secret: SECRET, waits: 3 })
})

test('a look is delayed by 15 minutes at most, which is what SQS takes, and says how much is left', async () => {
  await ports.look(SECRET, 86_400)
  await ports.look(SECRET, -1)
  expect(await bodies(urls.work)).toHaveLength(1)
  await world.clock.advance(900_000)

  const found = await bodies(urls.work)
  expect(found.length).toBeGreaterThan(0)
  expect(parseNotice(found[0] ?? '', PLACE)).toMatchObject({ secret: SECRET, rest: 85_500 })
})

test('many looks are queued ten a call, each with its delay, and all are counted as waiting', async () => {
  const all = Array.from({ length: 23 }, (_, at) => ({ secret: `${SECRET}${at}`, delay: at }))
  await ports.looks(all)
  expect(await ports.waiting()).toBe(23)
  await receive(urls.work) // taken and not done yet: they count too

  expect(await ports.waiting()).toBe(23)
  await ports.looks([])
  expect(await ports.waiting()).toBe(23)
})

test('a deployment that is asked for twice for one promotion is asked for once', async () => {
  await ports.roll(rollout)
  await ports.roll(rollout)
  await ports.roll({ ...rollout, service: 'mesh/gateway' })
  expect(await bodies(urls.rollouts)).toEqual([])
  await world.clock.advance(60_000)

  const found = (await bodies(urls.rollouts)).map(parseRollout)
  expect(found.map(({ service }) => service).sort()).toEqual(['mesh/color', 'mesh/gateway'])
  expect(found.find(({ service }) => service === 'mesh/color')).toEqual(rollout)
})

test('deployments of one service come one batch after the other, however long its name is', async () => {
  const service = `${'c'.repeat(255)}/${'s'.repeat(255)}`
  await ports.roll({ ...rollout, service, version: 'f'.repeat(64) })
  await world.clock.advance(60_000)
  expect(await bodies(urls.rollouts)).toHaveLength(1)
  await ports.roll({ ...rollout, service, since: rollout.since + 1 })
  await world.clock.advance(20_000)

  expect(await bodies(urls.rollouts)).toEqual([])
})

test('what is buried keeps its body, and has code and reason beside it', async () => {
  await ports.bury('body', new RelayError('EVENT_INVALID', 'x'.repeat(2_000)))
  const [message] = await receive(urls.dead)

  expect(message?.Body).toBe('body')
  expect(message?.MessageAttributes?.['code']?.StringValue).toBe('EVENT_INVALID')
  expect(message?.MessageAttributes?.['reason']?.StringValue).toHaveLength(1_000)
})
