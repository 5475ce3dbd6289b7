import {
  GetFunctionCommand,
  InvokeCommand,
  LambdaClient,
  ListFunctionsCommand,
} from '@aws-sdk/client-lambda'
import { build } from 'esbuild'
import { strToU8, zipSync } from 'fflate'
import * as v from 'valibot'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { events } from '../../local/events/index.ts'
import { lambda } from '../../local/lambda/index.ts'
import type { LogLine } from '../../local/service.ts'
import { sqs } from '../../local/sqs/index.ts'
import { type Ground, open } from '../../local/world.ts'

const start = Date.parse('2026-11-21T06:00:00Z')
const region = 'us-east-1'
const MINUTE = 60_000
const arn = (service: string, rest: string) => `arn:aws:${service}:${region}:111122223333:${rest}`
const trust = {
  Statement: {
    Effect: 'Allow' as const,
    Principal: { Service: 'lambda.amazonaws.com' },
    Action: 'sts:AssumeRole',
  },
}

let world: Ground
let client: LambdaClient
let lines: LogLine[]
let notes: string[]

beforeEach(async () => {
  lines = []
  notes = []
  world = await open({ clock: { start }, note: (line) => notes.push(line) }, (ground) => {
    const bus = events(ground)
    return {
      services: [sqs(ground), lambda(ground, { iam: ground.iam }), bus.service],
      emit: bus.emit,
      log: (line) => lines.push(line),
    }
  })
  world.iam.putRole({
    name: 'runner',
    trust,
    policies: [{ Statement: { Effect: 'Allow', Action: 'sqs:*', Resource: '*' } }],
  })
  const { accessKeyId, secretAccessKey, sessionToken } = world.iam.administrator
  const credentials = { accessKeyId, secretAccessKey, sessionToken }
  client = new LambdaClient({ region, endpoint: world.url, credentials, maxAttempts: 1 })
})
afterEach(async () => {
  client.destroy()
  await world.close()
  expect(notes).toEqual([])
})

const call = (operation: string, input: Record<string, unknown>, service = 'lambda') =>
  world.call(service, operation, input, { region })

function zip(files: Readonly<Record<string, string>>): string {
  const entries = Object.entries(files).map(([name, text]) => [name, strToU8(text)] as const)
  return Buffer.from(zipSync(Object.fromEntries(entries))).toString('base64')
}

/** A function whose code is one ES module that exports `handler`, unless `files` say otherwise. */
async function create(name: string, code: string | Record<string, string>, more = {}) {
  const files = typeof code === 'string' ? { 'index.mjs': code } : code
  await call('CreateFunction', {
    FunctionName: name,
    Runtime: 'nodejs24.x',
    Role: 'arn:aws:iam::111122223333:role/runner',
    Handler: 'index.handler',
    Code: { ZipFile: zip(files) },
    ...more,
  })
}

async function invoke(FunctionName: string, event?: unknown, more = {}) {
  const sent = event === undefined ? {} : { Payload: JSON.stringify(event) }
  const answer = await client.send(new InvokeCommand({ FunctionName, ...sent, ...more }))
  const text = answer.Payload?.transformToString() ?? ''
  const payload: unknown = text === '' ? undefined : JSON.parse(text)
  return { ...answer, payload }
}

const later = (FunctionName: string, event: unknown) =>
  invoke(FunctionName, event, { InvocationType: 'Event' })
const printed = () => lines.map(({ message }) => message)

async function queue(QueueName: string, Attributes = {}): Promise<string> {
  const answer = await call('CreateQueue', { QueueName, Attributes }, 'sqs')
  return v.parse(v.object({ QueueUrl: v.string() }), answer).QueueUrl
}

const fetched = v.object({
  Messages: v.optional(
    v.array(
      v.object({
        MessageId: v.string(),
        Body: v.string(),
        MessageAttributes: v.optional(v.unknown()),
      }),
    ),
    [],
  ),
})
async function messages(QueueUrl: string) {
  const input = { QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ['All'] }
  return v.parse(fetched, await call('ReceiveMessage', input, 'sqs')).Messages
}

describe('a function', () => {
  test('answers over the wire, and is found and listed there', async () => {
    await create('hello', 'export const handler = async (event) => ({ got: event })', {
      Tags: { team: 'edge' },
    })

    const answer = await invoke('hello', { a: 'ü' })
    const found = await client.send(
      new GetFunctionCommand({ FunctionName: arn('lambda', 'function:hello') }),
    )
    const listed = await client.send(new ListFunctionsCommand({}))

    expect(answer).toMatchObject({
      StatusCode: 200,
      ExecutedVersion: '$LATEST',
      payload: { got: { a: 'ü' } },
    })
    expect(answer.FunctionError).toBeUndefined()
    expect(found).toMatchObject({
      Configuration: { FunctionArn: arn('lambda', 'function:hello'), Timeout: 3, State: 'Active' },
      Tags: { team: 'edge' },
    })
    expect(listed.Functions?.map(({ FunctionName }) => FunctionName)).toEqual(['hello'])
  })

  test('gets an empty event when nothing is sent, and answers null for nothing', async () => {
    await create('echo', 'export const handler = async (event) => event.none')

    expect((await invoke('echo')).payload).toBeNull()
  })

  test.each([
    ['.cjs', { 'functions/x.cjs': 'exports.handler = async () => typeof require' }, 'function'],
    [
      '.js as CommonJS',
      { 'functions/x.js': 'exports.handler = async () => typeof require' },
      'function',
    ],
    [
      '.mjs',
      { 'functions/x.mjs': 'export const handler = async () => typeof require' },
      'undefined',
    ],
    [
      '.js as a module where package.json says so',
      {
        'functions/x.js': 'export const handler = async () => typeof require',
        'package.json': '{"type":"module"}',
      },
      'undefined',
    ],
  ])('is found in a folder as %s', async (_title, files, expected) => {
    await create('x', files, { Handler: 'functions/x.handler' })

    expect((await invoke('x')).payload).toBe(expected)
  })

  test('runs as a CommonJS bundle of a middy handler', async () => {
    const source = `
      import middy from '@middy/core'
      export const handler = middy()
        .before((request) => { request.event.seen = true })
        .onError((request) => { request.response = { caught: request.error.message } })
        .handler(async (event) => {
          if (event.fail) throw new Error('no')
          return event
        })`
    const { outputFiles } = await build({
      stdin: { contents: source, resolveDir: process.cwd() },
      bundle: true,
      write: false,
      platform: 'node',
      format: 'cjs',
    })
    await create('bundled', { 'index.cjs': outputFiles[0]?.text ?? '' })

    expect((await invoke('bundled', { a: 1 })).payload).toEqual({ a: 1, seen: true })
    expect((await invoke('bundled', { fail: true })).payload).toEqual({ caught: 'no' })
  })

  test('has the environment that Lambda gives and nothing of this process', async () => {
    process.env['SHOULD_NOT_LEAK'] = 'yes'
    const code = 'export const handler = async () => ({ ...process.env })'
    await create('env', code, { Environment: { Variables: { MINE: '1' } }, MemorySize: 256 })

    const answer = await invoke('env')
    delete process.env['SHOULD_NOT_LEAK']
    const { payload: env } = v.parse(
      v.object({ payload: v.record(v.string(), v.string()) }),
      answer,
    )

    expect(env).toMatchObject({
      MINE: '1',
      AWS_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_LAMBDA_FUNCTION_NAME: 'env',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/env',
      AWS_LAMBDA_LOG_STREAM_NAME: expect.stringMatching(/^2026\/11\/21\/\[\$LATEST\][0-9a-f]{32}$/),
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
      AWS_ENDPOINT_URL: world.url,
      _HANDLER: 'index.handler',
      _X_AMZN_TRACE_ID: expect.stringMatching(
        /^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/,
      ),
      TZ: ':UTC',
    })
    expect(env['SHOULD_NOT_LEAK']).toBeUndefined()
    expect(world.iam.identify(env['AWS_ACCESS_KEY_ID'] ?? '')?.caller.arn).toBe(
      'arn:aws:sts::111122223333:assumed-role/runner/env',
    )
  })

  test('sees the local time, and counts its remaining time in real time', async () => {
    await create(
      'clock',
      `export const handler = async (_event, context) => {
        const before = context.getRemainingTimeInMillis()
        await new Promise((resolve) => setTimeout(resolve, 60))
        const { getRemainingTimeInMillis, ...rest } = context
        return { now: Date.now(), spent: before - getRemainingTimeInMillis(), before, ...rest }
      }`,
      { Timeout: 10 },
    )
    await world.clock.advance(86_400_000)

    const { payload } = await invoke('clock')

    expect(payload).toMatchObject({
      now: start + 86_400_000,
      functionName: 'clock',
      functionVersion: '$LATEST',
      memoryLimitInMB: '128',
      invokedFunctionArn: arn('lambda', 'function:clock'),
      logGroupName: '/aws/lambda/clock',
      awsRequestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    const { spent, before } = v.parse(v.object({ spent: v.number(), before: v.number() }), payload)
    expect(spent).toBeGreaterThanOrEqual(55)
    expect(before).toBeGreaterThan(9_000)
    expect(before).toBeLessThanOrEqual(10_000)
  })

  test('keeps its environment warm from one invocation to the next', async () => {
    await create(
      'warm',
      `let count = 0
      export const handler = async () => ({ pid: process.pid, count: ++count })`,
    )

    const first = await invoke('warm')
    const second = await invoke('warm')

    expect(first.payload).toMatchObject({ count: 1 })
    expect(second.payload).toEqual({ ...Object(first.payload), count: 2 })
  })

  test('gets one process for each invocation that runs at the same time', async () => {
    await create(
      'wide',
      `export const handler = async () => {
        await new Promise((resolve) => setTimeout(resolve, 300))
        return process.pid
      }`,
    )

    const answers = await Promise.all([invoke('wide'), invoke('wide'), invoke('wide')])

    expect(new Set(answers.map(({ payload }) => payload)).size).toBe(3)
  })

  test('is throttled beyond its reserved concurrency', async () => {
    await create('narrow', 'export const handler = async () => 1')
    await call('PutFunctionConcurrency', {
      FunctionName: 'narrow',
      ReservedConcurrentExecutions: 1,
    })

    const answers = await Promise.allSettled([invoke('narrow'), invoke('narrow')])

    expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(answers.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: { name: 'TooManyRequestsException', message: 'Rate Exceeded.' },
    })
  })

  test('runs its new code and its new settings after an update', async () => {
    await create('changing', 'export const handler = async () => ["old", process.env.MODE]')
    await invoke('changing')

    const ZipFile = zip({
      'index.mjs': 'export const handler = async () => ["new", process.env.MODE]',
    })
    await call('UpdateFunctionCode', { FunctionName: 'changing', ZipFile })
    await call('UpdateFunctionConfiguration', {
      FunctionName: 'changing',
      Environment: { Variables: { MODE: 'b' } },
    })

    expect((await invoke('changing')).payload).toEqual(['new', 'b'])
  })

  test('keeps a published version as it was', async () => {
    await create('released', 'export const handler = async () => "old"')
    const version = await call('PublishVersion', { FunctionName: 'released' })
    const ZipFile = zip({ 'index.mjs': 'export const handler = async () => "new"' })
    await call('UpdateFunctionCode', { FunctionName: 'released', ZipFile })

    const old = await invoke('released', {}, { Qualifier: '1' })

    expect(version).toMatchObject({
      Version: '1',
      FunctionArn: arn('lambda', 'function:released:1'),
    })
    expect(old).toMatchObject({ ExecutedVersion: '1', payload: 'old' })
    expect((await invoke('released')).payload).toBe('new')
    await expect(invoke('released', {}, { Qualifier: '2' })).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
  })

  test('is gone after it is deleted', async () => {
    await create('gone', 'export const handler = async () => 1')
    await call('DeleteFunction', { FunctionName: 'gone' })

    await expect(invoke('gone')).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      message: `Function not found: ${arn('lambda', 'function:gone')}`,
    })
  })

  test('leaves no process behind when the world closes', async () => {
    await create('idle', 'export const handler = async () => process.pid')
    await create(
      'busy',
      `export const handler = async () => {
        console.log('pid', process.pid)
        await new Promise((resolve) => setTimeout(resolve, 60_000))
      }`,
      { Timeout: 60 },
    )
    const idle = Number((await invoke('idle')).payload)
    const running = invoke('busy').catch(() => undefined)
    while (!printed().some((line) => line.includes('pid'))) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    const busy = Number(
      /pid (\d+)/.exec(printed().find((line) => line.includes('pid ')) ?? '')?.[1],
    )
    expect([alive(idle), alive(busy)]).toEqual([true, true])

    await world.close()
    await running

    expect([alive(idle), alive(busy)]).toEqual([false, false])
  })
})

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false // there is no such process
  }
}

describe('a failure', () => {
  test('of the handler is answered with its name, message and trace', async () => {
    await create(
      'throws',
      `export const handler = async () => { throw Object.assign(new TypeError('bad thing'), { code: 'X' }) }`,
    )

    const { FunctionError, StatusCode, payload } = await invoke('throws')

    expect({ FunctionError, StatusCode }).toEqual({ FunctionError: 'Unhandled', StatusCode: 200 })
    expect(payload).toEqual({
      errorType: 'TypeError',
      errorMessage: 'bad thing',
      trace: expect.arrayContaining(['TypeError: bad thing']),
    })
    expect(printed().find((line) => line.includes('Invoke Error'))).toContain('"code":"X"')
    expect((await invoke('throws')).FunctionError).toBe('Unhandled')
  })

  test('by timeout kills the process and says after how long', async () => {
    await create(
      'slow',
      'export const handler = (event) => event.hang ? new Promise((r) => setTimeout(r, 9e4)) : 1',
      {
        Timeout: 1,
      },
    )

    const { FunctionError, payload } = await invoke('slow', { hang: true })

    expect(FunctionError).toBe('Unhandled')
    expect(payload).toMatchObject({
      errorType: 'Sandbox.Timedout',
      errorMessage: expect.stringMatching(
        /^RequestId: \S+ Error: Task timed out after 1\.00 seconds$/,
      ),
    })
    expect((await invoke('slow', {})).payload).toBe(1)
  })

  test.each([
    ['exits', 'process.exit(3)', 'Runtime.ExitError', /Runtime exited with error: exit status 3$/],
    [
      'leaves',
      'process.exit(0)',
      'Runtime.ExitError',
      /Runtime exited without providing a reason$/,
    ],
    ['is killed', 'process.kill(process.pid, "SIGKILL")', 'Runtime.ExitError', /signal: killed$/],
    [
      'throws elsewhere',
      'setTimeout(() => { throw new RangeError("later") })',
      'Runtime.ExitError',
      /exit status 1$/,
    ],
    [
      'rejects elsewhere',
      'Promise.reject(new Error("lost"))',
      'Runtime.ExitError',
      /exit status 1$/,
    ],
  ])(
    'of a process that %s is answered, and the next one is fresh',
    async (_title, act, type, text) => {
      const code = `export const handler = async (event) => {
      if (!event.act) return 'fine'
      ${act}
      await new Promise((resolve) => setTimeout(resolve, 5_000))
    }`
      await create('crash', code, { Timeout: 10 })

      const { FunctionError, payload } = await invoke('crash', { act: true })

      expect(FunctionError).toBe('Unhandled')
      expect(payload).toMatchObject({ errorType: type, errorMessage: expect.stringMatching(text) })
      expect((await invoke('crash', {})).payload).toBe('fine')
    },
  )

  test.each([
    ['throws', { 'index.mjs': 'throw new Error("no start")' }, 'Error', /^no start$/],
    [
      'is no JavaScript',
      { 'index.mjs': 'export const = 1' },
      'Runtime.UserCodeSyntaxError',
      /SyntaxError/,
    ],
    [
      'lacks a dependency',
      { 'index.cjs': 'require("left-pad")' },
      'Runtime.ImportModuleError',
      /left-pad/,
    ],
    [
      'is not there',
      { 'other.mjs': '' },
      'Runtime.ImportModuleError',
      /Cannot find module 'index'/,
    ],
    [
      'exports no handler',
      { 'index.mjs': '' },
      'Runtime.HandlerNotFound',
      /^index\.handler is undefined or not exported$/,
    ],
    [
      'takes a callback',
      { 'index.cjs': 'exports.handler = (a, b, c) => c()' },
      'Runtime.CallbackHandlerDeprecated',
      /callback/,
    ],
  ])(
    'of a module that %s is answered',
    async (_title, files: Record<string, string>, type, text) => {
      await create('broken', files)

      const { FunctionError, payload } = await invoke('broken')

      expect(FunctionError).toBe('Unhandled')
      expect(payload).toMatchObject({ errorType: type, errorMessage: expect.stringMatching(text) })
    },
  )
})

test('a log holds START, what was printed, END and REPORT, in order and under the request', async () => {
  await create(
    'talk',
    `console.log('init')
    export const handler = async () => {
      console.error('two\\nlines %d', 1)
      process.stdout.write('raw\\n')
    }`,
  )

  const answer = await invoke('talk', {}, { LogType: 'Tail' })

  const id = answer.$metadata.requestId
  const own = printed().filter((line) => !/INIT_START|init$/.test(line))
  expect(own).toEqual([
    `START RequestId: ${id} Version: $LATEST`,
    `2026-11-21T06:00:00.000Z\t${id}\tERROR\ttwo\rlines 1`,
    'raw',
    `END RequestId: ${id}`,
    expect.stringMatching(new RegExp(`^REPORT RequestId: ${id}\tDuration: .*Init Duration: `)),
  ])
  expect(lines[0]).toMatchObject({ region, group: '/aws/lambda/talk', time: start })
  expect(Buffer.from(answer.LogResult ?? '', 'base64').toString()).toContain('\nraw\n')
})

describe('a request is refused', () => {
  const code = 'export const handler = async () => 1'
  test.each([
    [
      'an unknown role',
      { Role: 'arn:aws:iam::111122223333:role/nobody' },
      /cannot be assumed by Lambda/,
    ],
    [
      'a role that does not trust Lambda',
      { Role: 'arn:aws:iam::111122223333:role/other' },
      /cannot be assumed/,
    ],
    [
      'a reserved variable',
      { Environment: { Variables: { AWS_REGION: 'x' } } },
      /reserved keys.*AWS_REGION/,
    ],
    ['variables over 4 KB', { Environment: { Variables: { BIG: 'x'.repeat(4_096) } } }, /4KB/],
    ['another runtime', { Runtime: 'python3.13' }, /Runtime/],
    ['a timeout over 15 minutes', { Timeout: 901 }, /Timeout/],
    ['code that is no zip file', { Code: { ZipFile: 'bm8=' } }, /Could not unzip/],
    ['code that is nowhere', { Code: { S3Bucket: 'b', S3Key: '/nowhere.zip' } }, /NoSuchKey/],
    [
      'a file outside of the package',
      { Code: { ZipFile: zip({ '../../x.mjs': code }) } },
      /Could not unzip/,
    ],
  ])('for %s', async (_title, more, text) => {
    world.iam.putRole({ name: 'other', trust: { Statement: [] }, policies: [] })

    await expect(create('bad', code, more)).rejects.toMatchObject({
      code: 'InvalidParameterValueException',
      message: expect.stringMatching(text),
    })
  })

  test('for a second function of the same name', async () => {
    await create('one', code)

    await expect(create('one', code)).rejects.toMatchObject({
      code: 'ResourceConflictException',
      message: 'Function already exist: one',
    })
  })

  test('for a payload that is no JSON or too large', async () => {
    await create('strict', code)
    const send = (Payload: string, InvocationType?: 'Event') =>
      client.send(new InvokeCommand({ FunctionName: 'strict', Payload, InvocationType }))

    await expect(send('{')).rejects.toMatchObject({ name: 'InvalidRequestContentException' })
    await expect(send(JSON.stringify('x'.repeat(1_048_576)), 'Event')).rejects.toMatchObject({
      name: 'RequestTooLargeException',
    })
  })

  test('for a caller whose policy does not allow the function', async () => {
    await create('one', code)
    await create('two', code)
    const Resource = arn('lambda', 'function:one')
    world.iam.putRole({
      name: 'caller',
      trust,
      policies: [{ Statement: { Effect: 'Allow', Action: 'lambda:InvokeFunction', Resource } }],
    })
    const credentials = world.iam.assume('caller', 'test')
    if (credentials === undefined) throw new TypeError('the role is there')
    const limited = new LambdaClient({ region, endpoint: world.url, credentials })

    await expect(limited.send(new InvokeCommand({ FunctionName: 'one' }))).resolves.toMatchObject({
      StatusCode: 200,
    })
    await expect(limited.send(new InvokeCommand({ FunctionName: 'two' }))).rejects.toMatchObject({
      name: 'AccessDeniedException',
    })
    limited.destroy()
  })
})

test('permissions make up the policy of a function', async () => {
  await create('open', 'export const handler = async () => 1')
  const SourceArn = arn('events', 'rule/r')
  const grant = {
    FunctionName: 'open',
    StatementId: 'events',
    Action: 'lambda:InvokeFunction',
    Principal: 'events.amazonaws.com',
    SourceArn,
  }

  await call('AddPermission', grant)
  const { Policy } = v.parse(
    v.object({ Policy: v.string() }),
    await call('GetPolicy', { FunctionName: 'open' }),
  )

  expect(JSON.parse(Policy)).toMatchObject({
    Statement: [
      {
        Sid: 'events',
        Effect: 'Allow',
        Principal: { Service: 'events.amazonaws.com' },
        Action: 'lambda:InvokeFunction',
        Resource: arn('lambda', 'function:open'),
        Condition: { ArnLike: { 'AWS:SourceArn': SourceArn } },
      },
    ],
  })
  await expect(call('AddPermission', grant)).rejects.toMatchObject({
    code: 'ResourceConflictException',
  })
  await call('RemovePermission', { FunctionName: 'open', StatementId: 'events' })
  await expect(call('GetPolicy', { FunctionName: 'open' })).rejects.toMatchObject({
    code: 'ResourceNotFoundException',
  })
})

test('an event goes through a rule, a queue and two functions before time moves on', async () => {
  const allow = (Action: string, Resource: string) =>
    JSON.stringify({
      Statement: {
        Effect: 'Allow',
        Principal: { Service: 'events.amazonaws.com' },
        Action,
        Resource,
      },
    })
  await queue('inbox', { Policy: allow('sqs:SendMessage', arn('sqs', 'inbox')) })
  await queue('outbox')
  const OnSuccess = { Destination: arn('sqs', 'outbox') }
  const code =
    'export const handler = async (event) => console.log("at", Date.now(), Object.keys(event)[0])'
  await create('queued', code)
  await create('direct', code)
  await call('CreateEventSourceMapping', {
    FunctionName: 'queued',
    EventSourceArn: arn('sqs', 'inbox'),
  })
  await call('CreateEventSourceMapping', {
    FunctionName: 'queued',
    EventSourceArn: arn('sqs', 'outbox'),
  })
  await call('PutFunctionEventInvokeConfig', {
    FunctionName: 'direct',
    DestinationConfig: { OnSuccess },
  })
  await call('AddPermission', {
    FunctionName: 'direct',
    StatementId: 'events',
    Action: 'lambda:InvokeFunction',
    Principal: 'events.amazonaws.com',
    SourceArn: arn('events', 'rule/tick'),
  })
  const Targets = [
    { Id: 'queue', Arn: arn('sqs', 'inbox') },
    { Id: 'function', Arn: arn('lambda', 'function:direct') },
  ]
  await call('PutRule', { Name: 'tick', ScheduleExpression: 'rate(1 hour)' }, 'events')
  await call('PutTargets', { Rule: 'tick', Targets }, 'events')

  await world.clock.advance(60 * MINUTE)

  const due = start + 60 * MINUTE
  const seen = printed().flatMap((line) => /at \d+ \w+$/.exec(line)?.[0] ?? [])
  expect(seen.sort()).toEqual([`at ${due} Records`, `at ${due} Records`, `at ${due} version`])
})

describe('an asynchronous invocation', () => {
  const flaky = `export const handler = async (event, context) => {
    console.log('tried', context.awsRequestId)
    if (event.fail) throw new Error('always')
    return 'done'
  }`
  const tries = () => printed().filter((line) => line.includes('tried'))

  test('is accepted at once and runs by itself', async () => {
    await create('worker', flaky)

    const { StatusCode, payload } = await later('worker', {})
    await world.clock.advance(0)

    expect({ StatusCode, payload }).toEqual({ StatusCode: 202, payload: undefined })
    expect(tries()).toHaveLength(1)
  })

  test('is tried again after one and after two minutes, under one id, then told of', async () => {
    await create('worker', flaky)
    const failed = await queue('failed')
    await call('PutFunctionEventInvokeConfig', {
      FunctionName: 'worker',
      DestinationConfig: { OnFailure: { Destination: arn('sqs', 'failed') } },
    })
    const counts: number[] = []

    const { $metadata } = await later('worker', { fail: true })
    for (const step of [0, MINUTE - 1, 1, 2 * MINUTE - 1, 1]) {
      await world.clock.advance(step)
      counts.push(tries().length)
    }
    await world.clock.advance(60 * MINUTE)

    expect(counts).toEqual([1, 1, 2, 2, 3])
    expect(tries().every((line) => line.includes($metadata.requestId ?? '?'))).toBe(true)
    expect(tries()).toHaveLength(3)
    const [told] = await messages(failed)
    expect(JSON.parse(told?.Body ?? '')).toMatchObject({
      version: '1.0',
      requestContext: {
        requestId: $metadata.requestId,
        functionArn: arn('lambda', 'function:worker:$LATEST'),
        condition: 'RetriesExhausted',
        approximateInvokeCount: 3,
      },
      requestPayload: { fail: true },
      responseContext: { statusCode: 200, executedVersion: '$LATEST', functionError: 'Unhandled' },
      responsePayload: { errorType: 'Error', errorMessage: 'always' },
    })
  })

  test('is given up when no retries are wanted, or it would be too old', async () => {
    await create('worker', flaky)
    const failed = await queue('failed')
    const limit = (limits: object) =>
      call('PutFunctionEventInvokeConfig', {
        FunctionName: 'worker',
        DestinationConfig: { OnFailure: { Destination: arn('sqs', 'failed') } },
        ...limits,
      })
    const conditions = async () =>
      (await messages(failed)).map(({ Body }) => JSON.parse(Body).requestContext.condition)

    await limit({ MaximumRetryAttempts: 0 })
    await later('worker', { fail: true })
    await world.clock.advance(0)
    expect(await conditions()).toEqual(['RetriesExhausted'])

    await limit({ MaximumEventAgeInSeconds: 90 })
    await later('worker', { fail: true })
    await world.clock.advance(MINUTE)

    expect(await conditions()).toContain('EventAgeExceeded')
    expect(tries()).toHaveLength(3)
  })

  test('that failed for good leaves its event in the dead-letter queue', async () => {
    const dead = await queue('dead')
    await create('worker', flaky, { DeadLetterConfig: { TargetArn: arn('sqs', 'dead') } })
    await call('PutFunctionEventInvokeConfig', { FunctionName: 'worker', MaximumRetryAttempts: 0 })

    const { $metadata } = await later('worker', { fail: true })
    await world.clock.advance(0)

    const [buried] = await messages(dead)
    expect(buried).toMatchObject({
      Body: '{"fail":true}',
      MessageAttributes: {
        RequestID: { StringValue: $metadata.requestId },
        ErrorCode: { StringValue: '200' },
        ErrorMessage: { StringValue: 'always' },
      },
    })
  })
})

describe('a queue that feeds a function', () => {
  const consumer = `export const handler = async ({ Records }) => {
    for (const each of Records) console.log('handled', each.body, each.attributes.ApproximateReceiveCount)
    if (Records.some((each) => each.body === 'throw')) throw new Error('batch')
    const bad = Records.filter((each) => each.body.startsWith('bad'))
    return { batchItemFailures: bad.map((each) => ({ itemIdentifier: each.messageId })) }
  }`
  const handled = () => printed().flatMap((line) => /handled (.*)$/.exec(line)?.[1] ?? [])
  const send = (QueueUrl: string, MessageBody: string) =>
    call('SendMessage', { QueueUrl, MessageBody }, 'sqs')
  const map = (more = {}) =>
    call('CreateEventSourceMapping', {
      FunctionName: 'consumer',
      EventSourceArn: arn('sqs', 'work'),
      ...more,
    })
  const left = async (QueueUrl: string) => {
    const AttributeNames = ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible']
    const answer = await call('GetQueueAttributes', { QueueUrl, AttributeNames }, 'sqs')
    const { Attributes } = v.parse(
      v.object({ Attributes: v.record(v.string(), v.string()) }),
      answer,
    )
    return Object.values(Attributes).reduce((sum, count) => sum + Number(count), 0)
  }

  test('hands messages over in the shape that AWS documents and deletes them', async () => {
    const url = await queue('work')
    await create(
      'consumer',
      'export const handler = async (event) => console.log(JSON.stringify(event))',
    )
    await map()

    await call(
      'SendMessage',
      {
        QueueUrl: url,
        MessageBody: 'one',
        MessageAttributes: { kind: { DataType: 'String', StringValue: 'x' } },
      },
      'sqs',
    )
    await world.clock.advance(0)

    const event = printed().find((line) => line.includes('Records')) ?? ''
    expect(JSON.parse(event.slice(event.indexOf('{')))).toEqual({
      Records: [
        {
          messageId: expect.any(String),
          receiptHandle: expect.any(String),
          body: 'one',
          attributes: {
            ApproximateReceiveCount: '1',
            ApproximateFirstReceiveTimestamp: String(start),
            SenderId: expect.any(String),
            SentTimestamp: String(start),
          },
          messageAttributes: {
            kind: {
              stringValue: 'x',
              stringListValues: [],
              binaryListValues: [],
              dataType: 'String',
            },
          },
          md5OfBody: 'f97c5d29941bfb1b2fdab0874906ab82',
          eventSource: 'aws:sqs',
          eventSourceARN: arn('sqs', 'work'),
          awsRegion: region,
        },
      ],
    })
    expect(await left(url)).toBe(0)
  })

  test('gets back only what failed when the function reports items', async () => {
    const url = await queue('work', { VisibilityTimeout: '60' })
    await create('consumer', consumer)
    for (const body of ['good', 'bad']) await send(url, body)
    await map({ FunctionResponseTypes: ['ReportBatchItemFailures'] })

    await world.clock.advance(0)
    expect(await left(url)).toBe(1)
    await world.clock.advance(MINUTE)

    expect(handled()).toEqual(['good 1', 'bad 1', 'bad 2'])
  })

  test('loses nothing without that report, whatever the function returns', async () => {
    const url = await queue('work')
    await create('consumer', consumer)
    for (const body of ['good', 'bad']) await send(url, body)
    await map()

    await world.clock.advance(0)

    expect(await left(url)).toBe(0)
  })

  test('gets a whole batch back when the function throws, and in the end buries it', async () => {
    const dead = await queue('dead')
    const url = await queue('work', {
      VisibilityTimeout: '60',
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: arn('sqs', 'dead'),
        maxReceiveCount: 2,
      }),
    })
    await create('consumer', consumer)
    for (const body of ['good', 'throw']) await send(url, body)
    await map({ FunctionResponseTypes: ['ReportBatchItemFailures'] })

    await world.clock.advance(10 * MINUTE)

    expect(handled()).toEqual(['good 1', 'throw 1', 'good 2', 'throw 2'])
    expect((await messages(dead)).map(({ Body }) => Body)).toEqual(['good', 'throw'])
    expect(await left(url)).toBe(0)
  })

  test('understands every form of report as AWS does', async () => {
    const url = await queue('work')
    const forms: readonly [string, number][] = [
      ['null', 0],
      ['({})', 0],
      ['({ batchItemFailures: [] })', 0],
      ['({ batchItemFailures: null })', 0],
      ['({ batchItemFailures: [{ itemIdentifier: "x" }] })', 2],
      ['({ batchItemFailures: [{ itemIdentifier: "" }] })', 2],
      ['({ batchItemFailures: [{ itemIdentifier: null }] })', 2],
      ['({ batchItemFailures: [{ id: Records[0].messageId }] })', 2],
      ['"fine"', 2],
    ]
    await create('consumer', 'export const handler = async ({ Records }) => eval(Records[0].body)')
    const { UUID } = await map({ FunctionResponseTypes: ['ReportBatchItemFailures'] })

    const kept: [string, number][] = []
    for (const [form] of forms) {
      await call('UpdateEventSourceMapping', { UUID, Enabled: false })
      await world.clock.advance(20_000)
      for (let copies = 0; copies < 2; copies++) await send(url, form)
      await call('UpdateEventSourceMapping', { UUID, Enabled: true })
      await world.clock.advance(0)
      kept.push([form, await left(url)])
      await call('PurgeQueue', { QueueUrl: url }, 'sqs')
    }

    expect(kept).toEqual(forms)
  })

  test('waits for a fuller batch as long as its window is', async () => {
    const url = await queue('work', { VisibilityTimeout: '300' })
    const count =
      'export const handler = async ({ Records }) => console.log("handled", Records.length)'
    await create('consumer', count)
    await map({ BatchSize: 20, MaximumBatchingWindowInSeconds: 30 })

    for (let index = 0; index < 12; index++) await send(url, String(index))
    await world.clock.advance(29_000)
    expect(handled()).toEqual([])
    await world.clock.advance(1_000)

    expect(handled()).toEqual(['12'])
  })

  test('keeps to its maximum concurrency', async () => {
    const url = await queue('work')
    await create(
      'consumer',
      `export const handler = async () => {
        console.log('handled', 'in')
        await new Promise((resolve) => setTimeout(resolve, 100))
        console.log('handled', 'out')
      }`,
    )
    for (let index = 0; index < 6; index++) await send(url, String(index))
    await map({ BatchSize: 1, ScalingConfig: { MaximumConcurrency: 2 } })

    await world.clock.advance(0)

    let most = 0
    let now = 0
    for (const step of handled()) {
      now += step === 'in' ? 1 : -1
      most = Math.max(most, now)
    }
    expect(handled()).toHaveLength(12)
    expect(most).toBe(2)
  })

  test('is left alone while its mapping is disabled or after it is deleted', async () => {
    const url = await queue('work')
    await create('consumer', consumer)
    const { UUID } = await map({ Enabled: false })
    await send(url, 'one')
    await world.clock.advance(MINUTE)
    expect(handled()).toEqual([])

    await call('UpdateEventSourceMapping', { UUID, Enabled: true })
    await world.clock.advance(0)
    expect(handled()).toEqual(['one 1'])

    await call('DeleteEventSourceMapping', { UUID })
    await send(url, 'two')
    await world.clock.advance(MINUTE)

    expect(handled()).toEqual(['one 1'])
    expect(await left(url)).toBe(1)
    await expect(call('GetEventSourceMapping', { UUID })).rejects.toMatchObject({
      code: 'ResourceNotFoundException',
    })
  })

  test('must be there, be readable by the role and hide messages long enough', async () => {
    await create('consumer', consumer, { Timeout: 31 })
    await expect(map()).rejects.toThrow('The specified queue does not exist.')
    await queue('work')
    await expect(map()).rejects.toThrow(
      'Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds',
    )
    world.iam.putRole({ name: 'runner', trust, policies: [] })
    await expect(map()).rejects.toThrow('does not have permissions to call ReceiveMessage on SQS')
    await expect(map({ BatchSize: 11 })).rejects.toMatchObject({
      code: 'InvalidParameterValueException',
    })
  })

  test('feeds a function by one mapping only, which is listed', async () => {
    await queue('work')
    await create('consumer', consumer)
    const made = await map()

    expect(await call('ListEventSourceMappings', { FunctionName: 'consumer' })).toEqual({
      EventSourceMappings: [made],
    })
    await expect(map()).rejects.toMatchObject({ code: 'ResourceConflictException' })
  })
})
