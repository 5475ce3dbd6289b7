import type { Context as LambdaContext } from 'aws-lambda'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import sample from '../../events/batch.json' with { type: 'json' }
import { parseBatch } from '../../events/batch.ts'
import { parseNotice } from '../../events/notice.ts'
import request from '../../events/request.json' with { type: 'json' }
import { parseRequest } from '../../events/request.ts'
import { batch } from '../../middleware/batch.ts'
import { custom } from '../../middleware/custom.ts'
import type { Edge, Visit } from '../../middleware/edge.ts'
import { serve } from '../../middleware/serve.ts'
import { tick } from '../../middleware/tick.ts'
import { RelayError } from '../../pki/error.ts'
import type { Wired } from '../../ports/index.ts'
import type { Keyhole } from '../../ports/keys.ts'
import { leaks, PASSPHRASE } from '../support/canary.ts'
import { fakes, type World } from '../support/fakes.ts'
import { type Mailbox, mailbox } from '../support/mailbox.ts'

let world: World
let box: Mailbox
beforeEach(async () => {
  world = await fakes()
  box = await mailbox()
})
afterEach(() => box.close())

const hole: Keyhole = {
  region: 'us-east-1',
  key: 'arn:aws:kms:us-east-1:111122223333:key/1',
  encrypt: async (bytes) => ({ bytes, key: hole.key, requestId: 'r' }),
  decrypt: async (bytes) => ({ bytes, key: hole.key, requestId: 'r' }),
}
function wired(over: Partial<Wired> = {}): Wired {
  const { keys: _, ...ports } = world.ports
  return { ...ports, keyholes: [], again: async () => undefined, ...over }
}
const context = (remaining = 57_000): LambdaContext => ({
  awsRequestId: 'r-1',
  functionName: 'certrelay-test',
  functionVersion: '1',
  invokedFunctionArn: 'arn',
  memoryLimitInMB: '512',
  logGroupName: 'g',
  logStreamName: 's',
  callbackWaitsForEmptyEventLoop: false,
  getRemainingTimeInMillis: () => remaining,
  done: () => undefined,
  fail: () => undefined,
  succeed: () => undefined,
})
const begin = () => undefined
const edge = <R>(run: (event: string, visit: Visit) => Promise<R>): Edge<string, R> => ({
  parse(event) {
    if (typeof event !== 'string')
      throw new RelayError('EVENT_INVALID', 'no text', { cause: new Error(PASSPHRASE) })
    return event.toUpperCase()
  },
  run,
})
const call = <R>(
  one: Edge<string, R>,
  event: unknown = 'hello',
  connect: () => Wired = wired,
  remaining?: number,
): Promise<R> =>
  invoke(serve(one, { begin, log: world.ports.log, connect }), event, context(remaining))

/** As Lambda calls it: with whatever event there is, and without what the middlewares add. */
function invoke<R>(
  handler: (event: never, context: never) => Promise<R>,
  ...input: readonly [unknown, LambdaContext]
): Promise<R> {
  return Reflect.apply(handler, undefined, input)
}

test('a handler gets the parsed event, the ports and its remaining time', async () => {
  const answer = await call(
    edge(async (event, { ports, remaining }) => [event, ports.org, remaining()]),
  )

  expect(answer).toEqual(['HELLO', 'example', 57_000])
})

test('the log of a handler is bound to its invocation', async () => {
  await call(edge(async (_, { ports }) => ports.log.info('x')))

  expect(world.lines).toContainEqual({
    level: 'info',
    event: 'x',
    fields: { trace: 'r-1', request: 'r-1', function: 'certrelay-test' },
  })
})

test('keys are there when they are configured, and their audit lines are bound too', async () => {
  const { keys: none } = await call(edge(async (_, { ports }) => ({ keys: ports.keys })))
  await call(
    edge(async (_, { ports }) => {
      await ports.keys?.seal(ports.passphrase(), {
        org: 'o',
        purpose: 'passphrase',
        secret: 's',
        version: 'v',
      })
    }),
    'x',
    () => wired({ keyholes: [hole] }),
  )

  expect(none).toBeUndefined()
  expect(world.lines).toContainEqual(
    expect.objectContaining({
      level: 'audit',
      fields: expect.objectContaining({ action: 'seal', trace: 'r-1' }),
    }),
  )
})

test('a handler never sees the keyholes', async () => {
  const names = await call(
    edge(async (_, { ports }) => Object.keys(ports)),
    'x',
    () => wired({ keyholes: [hole] }),
  )

  expect(names).not.toContain('keyholes')
})

describe('a failure leaves without its cause', () => {
  const connectBadly = (): Wired => {
    throw new RelayError('CONFIG_INVALID', 'set CERTRELAY_ORG', { cause: new Error(PASSPHRASE) })
  }
  test.each<[string, Edge<string, unknown>, unknown, () => Wired, string]>([
    ['of the event', edge(async () => 0), 7, () => wired(), 'EVENT_INVALID'],
    ['of the configuration', edge(async () => 0), 'x', connectBadly, 'CONFIG_INVALID'],
    [
      'of the workflow',
      edge(async () => {
        throw new RelayError('ACCESS_REFUSED', 'denied', { cause: new Error(PASSPHRASE) })
      }),
      'x',
      () => wired(),
      'ACCESS_REFUSED',
    ],
    [
      'that we do not know',
      edge(async () => {
        throw new TypeError(PASSPHRASE)
      }),
      'x',
      () => wired(),
      'SERVICE_UNAVAILABLE',
    ],
  ])('%s', async (_, one, event, connect, code) => {
    const failure = await call(one, event, connect).catch((error: unknown) => error)

    expect(failure).toMatchObject({ name: 'RelayError', code })
    expect(leaks([failure, world.lines])).toEqual([])
    expect(world.lines.filter(({ event: name }) => name === 'failed')).toHaveLength(1)
  })
})

test('the end of the invocation comes before Lambda kills it', async () => {
  const failure = await call(
    edge(() => new Promise(() => undefined)),
    'x',
    wired,
    1_550,
  ).catch((error: unknown) => error)

  expect(failure).toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
    message: expect.stringContaining('time of this invocation is up'),
  })
})

test('a batch whose time is up brings back what is not finished, and what is finished never again', async () => {
  const [record] = sample.Records
  const secret = (name: string) => `arn:aws:secretsmanager:us-east-1:111122223333:secret:${name}`
  const message = (name: string) => ({
    ...record,
    messageId: name,
    body: JSON.stringify({ certrelay: 'look', secret: secret(name) }),
  })
  const slow = batch(parseBatch, parseNotice, async (_, notice) => {
    if ('secret' in notice && notice.secret === secret('slow')) await new Promise(() => undefined)
  })
  const handler = serve(slow, { begin, log: world.ports.log, connect: wired })
  const event = { Records: ['a', 'slow', 'b'].map(message) }

  expect(await invoke(handler, event, context(2_050))).toEqual({
    batchItemFailures: [{ itemIdentifier: 'slow' }],
  })
  expect(world.lines).toContainEqual({
    level: 'error',
    event: 'comes-again',
    fields: expect.objectContaining({ messageId: 'slow', code: 'SERVICE_UNAVAILABLE', tries: 1 }),
  })
  expect(world.lines.map((line) => line.event)).not.toContain('failed')
})

test('what fails after the time was up is not buried: the message comes again', async () => {
  const [record] = sample.Records
  let fail: () => void = () => undefined
  const late = batch(parseBatch, parseNotice, async () => {
    await new Promise((_, reject) => {
      fail = () => reject(new RelayError('ACCESS_REFUSED', 'denied'))
    })
  })
  const handler = serve(late, { begin, log: world.ports.log, connect: wired })
  const answer = await invoke(handler, { Records: [record] }, context(2_050))
  fail()
  await new Promise(setImmediate)

  expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: record?.messageId }] })
  expect(world.buried).toEqual([])
})

test('a custom resource that is killed by its time-out has answered', async () => {
  const resource = {
    make: () => new Promise<never>(() => undefined),
    remove: async () => undefined,
  }
  const one = custom(parseRequest, (properties) => properties, resource)
  const again = () => new Promise<never>(() => undefined)
  const handler = serve(one, { begin, log: world.ports.log, connect: () => wired({ again }) })
  const answer = await invoke(handler, { ...request, ResponseURL: box.url }, context(1_550))

  expect(answer).toEqual({ status: 'FAILED' })
  expect(box.letters).toHaveLength(1)
})

test('a tick runs its workflow with the ports', async () => {
  const ticked = tick(
    (event) => event,
    async ({ org }) => org,
  )

  expect(
    await invoke(serve(ticked, { begin, log: world.ports.log, connect: wired }), {}, context()),
  ).toBe('example')
})
