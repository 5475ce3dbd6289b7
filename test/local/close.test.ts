import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { strToU8, zipSync } from 'fflate'
import { afterEach, expect, test } from 'vitest'
import { type Local, start } from '../../local/index.ts'
import { client } from '../support/client.ts'
import { images } from '../support/fargate.ts'

const HANDLER = 'export const handler = (ms) => new Promise((done) => setTimeout(done, ms))'
const DEAF = `process.on('SIGTERM', () => {}); console.log('up')
require('node:child_process').spawn('sleep', ['1000']); setInterval(() => {}, 1000)`
const RUNNER = 'arn:aws:iam::111122223333:role/runner'
const URL = (aws: Local, name: string) => `${aws.url}/111122223333/${name}`
const idle: (() => void)[] = []
afterEach(() => {
  for (const end of idle.splice(0)) end()
})

/** Processes that this one (or another) has started, and that have not ended. */
function children(of = process.pid): readonly string[] {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return numbers.filter((pid) => {
    try {
      const [, state, parent] =
        /\) (\S) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? []
      return Number(parent) === of && state !== 'Z'
    } catch {
      return false // it ended while we looked
    }
  })
}

/** A function behind a queue, a service of deaf tasks, a stack, long polls, jumps and calls that hang. */
async function busy(aws: Local): Promise<readonly Promise<unknown>[]> {
  const call = (service: string, operation: string, input: Readonly<Record<string, unknown>>) =>
    aws.call(service, operation, input, { region: 'us-east-1' })
  const anything = { Effect: 'Allow' as const, Action: '*', Resource: '*' }
  const trust = {
    ...{ Effect: 'Allow' as const, Action: 'sts:AssumeRole' },
    Principal: { Service: 'lambda.amazonaws.com' },
  }
  aws.iam.putRole({
    name: 'runner',
    trust: { Statement: trust },
    policies: [{ Statement: anything }],
  })
  const ZipFile = Buffer.from(zipSync({ 'index.mjs': strToU8(HANDLER) })).toString('base64')
  const code = { Runtime: 'nodejs24.x', Handler: 'index.handler', Code: { ZipFile }, Timeout: 20 }
  await call('lambda', 'CreateFunction', { FunctionName: 'f', Role: RUNNER, ...code })
  for (const QueueName of ['fed', 'polled']) await call('sqs', 'CreateQueue', { QueueName })
  const EventSourceArn = 'arn:aws:sqs:us-east-1:111122223333:fed'
  await call('lambda', 'CreateEventSourceMapping', { FunctionName: 'f', EventSourceArn })
  await call('ecs', 'CreateCluster', { clusterName: 'c' })
  await call('ecs', 'RegisterTaskDefinition', {
    ...{ family: 't', networkMode: 'awsvpc', requiresCompatibilities: ['FARGATE'] },
    ...{ cpu: '256', memory: '512' },
    containerDefinitions: [{ name: 'a', image: 'node', command: [DEAF] }],
  })
  const awsvpcConfiguration = { subnets: ['subnet-1'] }
  const service = { cluster: 'c', serviceName: 's', taskDefinition: 't', desiredCount: 2 }
  await call('ecs', 'CreateService', { ...service, networkConfiguration: { awsvpcConfiguration } })
  const [functions, keys] = [new LambdaClient(client(aws)), new KMSClient(client(aws))]
  idle.push(
    () => functions.destroy(),
    () => keys.destroy(),
  )
  aws.faults.add({ service: 'kms', operation: 'CreateKey' }, { kind: 'hang' })
  const invoke = new InvokeCommand({ FunctionName: 'f', Payload: '15000' })
  const template = {
    Resources: {
      Custom: {
        Type: 'Custom::Slow',
        Properties: { ServiceToken: 'arn:aws:lambda:us-east-1:111122223333:function:f' },
      },
    },
  }
  return [
    ...Array.from({ length: 10 }, () => functions.send(invoke)),
    keys.send(new CreateKeyCommand({})),
    call('sqs', 'SendMessage', { QueueUrl: URL(aws, 'fed'), MessageBody: '15000' }),
    call('sqs', 'ReceiveMessage', { QueueUrl: URL(aws, 'polled'), WaitTimeSeconds: 20 }),
    aws.deploy({ name: 'stack', template }),
    aws.clock.sleep(600_000),
    ...(aws.clock.flowing ? [] : [aws.clock.advance(1_000), aws.clock.advance(500)]),
  ]
}

test.each([
  ['at once', 0, true],
  ['while processes start', 1, false],
  ['while everything runs', 8, true],
  ['while everything runs and time stands still', 8, false],
])(
  'a world that closes %s leaves no process, no folder and nobody waiting',
  async (_when, running, flow) => {
    const before = children()
    const notes: string[] = []
    const aws = await start({ clock: { flow }, images, note: (line) => notes.push(line) })
    const all = Promise.allSettled(await busy(aws))
    const wanted = before.length + running
    await expect.poll(() => children().length, { timeout: 5_000 }).toBeGreaterThanOrEqual(wanted)

    const closing = aws.close()
    expect(aws.close()).toBe(closing)
    await closing

    expect(children()).toEqual(before)
    expect(existsSync(aws.folder)).toBe(false)
    expect((await all).length).toBeGreaterThan(10)
    expect(notes).toEqual([])
  },
)

test('when this process itself is killed its functions die with it, also in the middle of an invocation', async () => {
  const script = `
    const { start } = await import('./local/index.ts')
    const { strToU8, zipSync } = await import('fflate')
    const aws = await start()
    const trust = { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { Service: 'lambda.amazonaws.com' } }
    aws.iam.putRole({ name: 'runner', trust: { Statement: trust }, policies: [] })
    const code = "export const handler = () => { console.log(1 + 'nside'); setInterval(() => {}, 1000); return new Promise(() => {}) }"
    await aws.call('lambda', 'CreateFunction', {
      ...{ FunctionName: 'f', Role: '${RUNNER}', Runtime: 'nodejs24.x', Handler: 'index.handler', Timeout: 60 },
      Code: { ZipFile: Buffer.from(zipSync({ 'index.mjs': strToU8(code) })).toString('base64') },
    }, { region: 'us-east-1' })
    aws.call('lambda', 'Invoke', { FunctionName: 'f' }, { region: 'us-east-1' })
    const said = () => aws.lines({ region: 'us-east-1', group: '/aws/lambda/f' })
    setInterval(() => said().some(({ message }) => message.includes('1nside')) && console.log('running'), 20)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(parent.stdout, 'data')
  const [pid = '', ...others] = children(parent.pid)

  parent.kill('SIGKILL')

  await expect.poll(() => existsSync(`/proc/${pid}/exe`)).toBe(false)
  expect([pid, others]).toEqual([expect.stringMatching(/^\d+$/), []])
})
