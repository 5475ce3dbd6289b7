import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from '@aws-sdk/client-eventbridge'
import * as v from 'valibot'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { bus } from '../../aws/bus.ts'
import sample from '../../events/news.json' with { type: 'json' }
import { parseNews } from '../../events/news.ts'
import { events } from '../../local/events/index.ts'
import { sqs } from '../../local/sqs/index.ts'
import { type Ground, open } from '../../local/world.ts'
import type { News } from '../../ports/bus.ts'
import { client, role } from '../support/client.ts'

const REGION = 'us-east-1'
const about = {
  secret: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:mesh/color-AbCdEf',
  source: 'arn:aws:acm:us-east-1:111122223333:certificate/61f50cd4-45b9-4259-b049-d0a53682fa4b',
  version: '3f0a1c9b-e4c2-5d70-a1b2-c3d4e5f60718',
}
const previous = '29b7e6d5-c4b3-5a29-80f1-e2d3c4b5a697'
const services = ['mesh/color-gateway', 'mesh/color-teller']
const reason = 'the deployment of mesh/color-teller failed'
const notAfter = Date.parse('2028-01-21T18:43:48Z')
const NEWS: readonly News[] = [
  { kind: 'Promoted', ...about, previous },
  { kind: 'Deployed', ...about, services },
  { kind: 'RolledBack', ...about, previous, reason, services },
  { kind: 'Rejected', ...about, reason: 'CHAIN_BROKEN' },
  { kind: 'ExpiryNear', ...about, notAfter, days: 6 },
]

let world: Ground
const clients: EventBridgeClient[] = []
beforeAll(async () => {
  world = await open({}, (ground) => {
    const bridge = events(ground)
    return { services: [bridge.service, sqs(ground)], emit: bridge.emit }
  })
  const Policy = JSON.stringify({
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Service: 'events.amazonaws.com' },
        Action: 'sqs:SendMessage',
        Resource: '*',
      },
    ],
  })
  await world.call(
    'sqs',
    'CreateQueue',
    { QueueName: 'chat', Attributes: { Policy } },
    { region: REGION },
  )
  const EventPattern = JSON.stringify({ source: ['certrelay'] })
  await bridge().send(new PutRuleCommand({ Name: 'chat', EventPattern }))
  const Arn = `arn:aws:sqs:${REGION}:111122223333:chat`
  await bridge().send(new PutTargetsCommand({ Rule: 'chat', Targets: [{ Id: 'chat', Arn }] }))
})
beforeEach(() => world.faults.clear())
afterAll(async () => {
  for (const one of clients) one.destroy()
  await world.close()
})

function bridge(...identity: Parameters<typeof role>[2][]): EventBridgeClient {
  const as = identity.length === 0 ? undefined : role(world, 'teller', ...identity)
  const made = new EventBridgeClient(client(world, REGION, as))
  clients.push(made)
  return made
}

async function heard(): Promise<unknown[]> {
  await world.clock.advance(0)
  const QueueUrl = `${world.url}/111122223333/chat`
  const input = { QueueUrl, MaxNumberOfMessages: 10 }
  const { Messages = [] } = await world.call('sqs', 'ReceiveMessage', input, { region: REGION })
  await world.call('sqs', 'PurgeQueue', { QueueUrl }, { region: REGION })
  return v
    .parse(v.array(v.object({ Body: v.string() })), Messages)
    .map(({ Body }) => JSON.parse(Body))
}

test.each(NEWS)(
  '$kind reaches a listener as the sample says, and the schema reads it',
  async (news) => {
    await bus(bridge()).tell(news)

    const [event] = await heard()
    const example = sample.find((one) => one['detail-type'] === news.kind)
    const { id, time } = parseNews(event)
    expect(parseNews(event)).toEqual(event)
    expect(event).toEqual({ ...example, id, time })
  },
)

test.each(['certrelay:db', 'certrelay:db/server'])(
  'an event about a certificate of %s is one that the schema reads, and names ARNs alone as resources',
  async (source) => {
    await bus(bridge()).tell({ kind: 'Promoted', ...about, source, previous })

    const [event] = await heard()
    expect(parseNews(event)).toEqual(event)
    expect(parseNews(event).resources).toEqual([about.secret])
  },
)

test('a first version has nothing previous', async () => {
  await bus(bridge()).tell({ kind: 'Promoted', ...about })

  const [event] = await heard()
  expect(parseNews(event).detail).toEqual({ format: 1, ...about })
})

test('an entry that EventBridge did not take is told again later, although the call succeeded', async () => {
  const full = bridge()
  full.middlewareStack.add(
    () => async () => ({
      response: {},
      output: { $metadata: {}, FailedEntryCount: 1, Entries: [{ ErrorCode: 'InternalFailure' }] },
    }),
    { step: 'initialize' },
  )

  await expect(bus(full).tell({ kind: 'Promoted', ...about })).rejects.toThrow(
    expect.objectContaining({
      code: 'SERVICE_UNAVAILABLE',
      message: expect.stringMatching(/ is Promoted: InternalFailure/),
    }),
  )
})

test('a throttle is unavailable, a missing permission is for an operator', async () => {
  const mute = bridge({ Effect: 'Allow', Action: 'events:ListRules', Resource: '*' })
  await expect(bus(mute).tell({ kind: 'Promoted', ...about })).rejects.toThrow(
    expect.objectContaining({ code: 'ACCESS_REFUSED' }),
  )

  world.faults.add({ service: 'events', operation: 'PutEvents' }, { kind: 'throttle' })
  await expect(bus(bridge()).tell({ kind: 'Promoted', ...about })).rejects.toThrow(
    expect.objectContaining({ code: 'SERVICE_UNAVAILABLE' }),
  )
})
