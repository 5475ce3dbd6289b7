import {
  CloudWatchLogsClient,
  CreateLogGroupCommand,
  DeleteLogGroupCommand,
  DescribeLogGroupsCommand,
  DescribeLogStreamsCommand,
  FilterLogEventsCommand,
  GetLogEventsCommand,
  PutRetentionPolicyCommand,
} from '@aws-sdk/client-cloudwatch-logs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { matcher } from '../../local/logs/filter.ts'
import { type Logs, logs } from '../../local/logs/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { client } from '../support/client.ts'

const DAY = 86_400_000
const logGroupName = '/aws/lambda/reconcile'
let world: Ground
let kept: Logs
let sdk: CloudWatchLogsClient

beforeEach(async () => {
  world = await open({}, (ground) => {
    kept = logs(ground)
    return { services: [kept.service], log: kept.log }
  })
  sdk = new CloudWatchLogsClient(client(world))
})
afterEach(async () => {
  sdk.destroy()
  await world.close()
})
const write = (message: string, stream = 's', region = 'us-east-1') =>
  world.log(region, logGroupName, stream, message)
const filter = async (more: object) => {
  const found = await sdk.send(new FilterLogEventsCommand({ logGroupName, ...more }))
  return found.events?.map(({ message }) => message)
}

test('a line appears in its group and stream at the time of the clock, in its region only', async () => {
  write('one')
  await world.clock.advance(500)
  write('two')
  write('west', 's', 'us-west-2')

  const { events } = await sdk.send(new GetLogEventsCommand({ logGroupName, logStreamName: 's' }))

  const now = world.clock.now()
  expect(events).toMatchObject([
    { message: 'one', timestamp: now - 500 },
    { message: 'two', timestamp: now },
  ])
  expect(kept.lines({ region: 'us-west-2' }).map(({ message }) => message)).toEqual(['west'])
  expect(kept.lines().map(({ message }) => message)).toEqual(['one', 'two', 'west'])
})

test('pages go forward and back, and a token that leads nowhere new is its own successor', async () => {
  for (const word of ['a', 'b', 'c', 'd', 'e']) write(word)
  const get = async (more: object) => {
    const stream = { logGroupName, logStreamName: 's', limit: 2 }
    const answer = await sdk.send(new GetLogEventsCommand({ ...stream, ...more }))
    const { events = [], nextForwardToken: forward, nextBackwardToken: back } = answer
    return { words: events.map(({ message }) => message).join(''), forward, back }
  }

  const newest = await get({})
  const before = await get({ nextToken: newest.back })
  const first = await get({ startFromHead: true })
  const second = await get({ nextToken: first.forward })
  const third = await get({ nextToken: second.forward })
  const end = await get({ nextToken: third.forward })

  expect([newest.words, before.words]).toEqual(['de', 'bc'])
  expect([first.words, second.words, third.words, end.words]).toEqual(['ab', 'cd', 'e', ''])
  expect(end.forward).toBe(third.forward)
  write('f')
  expect((await get({ nextToken: end.forward })).words).toBe('f')
})

test('events of all streams are filtered in the order of time, in pages', async () => {
  write('ERROR one', 'x')
  await world.clock.advance(1)
  write('fine', 'y')
  await world.clock.advance(1)
  write('ERROR two', 'y')

  expect(await filter({ filterPattern: 'ERROR' })).toEqual(['ERROR one', 'ERROR two'])
  expect(await filter({ logStreamNames: ['y'] })).toEqual(['fine', 'ERROR two'])
  expect(await filter({ logStreamNamePrefix: 'x' })).toEqual(['ERROR one'])
  expect(await filter({ startTime: world.clock.now() })).toEqual(['ERROR two'])
  expect(await filter({ endTime: world.clock.now() })).toEqual(['ERROR one', 'fine'])
  const page = await sdk.send(new FilterLogEventsCommand({ logGroupName, limit: 2 }))
  expect(await filter({ limit: 2, nextToken: page.nextToken })).toEqual(['ERROR two'])
})

test('a group is made once, described, and deleted with its lines, which we alone still see', async () => {
  await sdk.send(new CreateLogGroupCommand({ logGroupName }))
  await expect(sdk.send(new CreateLogGroupCommand({ logGroupName }))).rejects.toMatchObject({
    name: 'ResourceAlreadyExistsException',
  })
  write('one', 'first')
  write('two', 'second')

  const groups = await sdk.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: '/aws/' }))
  const streams = await sdk.send(new DescribeLogStreamsCommand({ logGroupName, limit: 1 }))

  expect(groups.logGroups).toMatchObject([{ logGroupName, creationTime: world.clock.now() }])
  expect(streams.logStreams).toMatchObject([
    { logStreamName: 'first', lastEventTimestamp: world.clock.now() },
  ])
  expect(streams.nextToken).toBeDefined()
  await sdk.send(new DeleteLogGroupCommand({ logGroupName }))
  expect(kept.lines().map(({ message }) => message)).toEqual(['one', 'two'])
  await expect(filter({})).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
})

test('lines older than the retention are gone, and only certain retentions exist', async () => {
  write('old')
  const retain = (retentionInDays: number) =>
    sdk.send(new PutRetentionPolicyCommand({ logGroupName, retentionInDays }))
  await retain(7)
  await expect(retain(8)).rejects.toMatchObject({ name: 'InvalidParameterException' })
  await world.clock.advance(8 * DAY)
  write('new')

  expect(await filter({})).toEqual(['new'])
  expect(kept.lines().map(({ message }) => message)).toEqual(['new'])
})

describe('patterns', () => {
  const line = JSON.stringify({ level: 'ERROR', at: { n: 3 }, code: 'EVENT_INVALID', ok: true })
  test.each([
    ['', true],
    ['ERROR', true],
    ['error', false],
    ['ERROR EVENT_INVALID', true],
    ['ERROR nothing', false],
    ['?nothing ?ERROR', true],
    ['ERROR -EVENT_INVALID', false],
    ['"\\"level\\":\\"ERROR\\""', true],
    ['{ $.level = "ERROR" }', true],
    ['{ $.level = ERROR && $.at.n = 3 }', true],
    ['{ $.code = "EVENT_*" }', true],
    ['{ $.level != "ERROR" }', false],
    ['{ $.ok = true && $.none = "x" }', false],
    ['{ $.constructor = "*" }', false],
  ])('%s: %s', (pattern, expected) => {
    expect(matcher(pattern)(line)).toBe(expected)
  })

  test('a JSON pattern does not match a line that is not JSON, and a broken one is refused', () => {
    expect(matcher('{ $.a = "b" }')('plain')).toBe(false)
    expect(() => matcher('{ nonsense }')).toThrow(
      expect.objectContaining({ code: 'InvalidParameterException' }),
    )
  })
})
