import { createHash, createHmac } from 'node:crypto'
import {
  CreateFunctionUrlConfigCommand,
  DeleteFunctionUrlConfigCommand,
  GetFunctionUrlConfigCommand,
  LambdaClient,
  ListFunctionUrlConfigsCommand,
  UpdateFunctionUrlConfigCommand,
} from '@aws-sdk/client-lambda'
import * as v from 'valibot'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Credentials } from '../../local/iam.ts'
import { type Local, start } from '../../local/index.ts'
import { client as configuration, role } from '../support/client.ts'
import { echo } from '../support/echo.ts'

const region = 'us-east-1'
/** Answers the event, or what the query asks for. */
const CODE = `exports.handler = async (event) => {
  switch (event.queryStringParameters?.as) {
    case 'plain': return 'words'
    case 'page': return { statusCode: 201, headers: { 'X-Own': 1 }, cookies: ['a=1', 'b=2'], body: Buffer.from('raw').toString('base64'), isBase64Encoded: true }
    case 'broken': return { statusCode: 'fine' }
    case 'thrown': throw new Error('no')
    default: return event
  }
}`
const permission = (Action: string, more = {}) => ({
  Type: 'AWS::Lambda::Permission',
  Properties: { FunctionName: { Ref: 'Function' }, Action, Principal: '111122223333', ...more },
})
const template = (resources = {}, auth = 'AWS_IAM') =>
  JSON.stringify({
    Resources: {
      ...echo(CODE),
      Url: {
        Type: 'AWS::Lambda::Url',
        Properties: { TargetFunctionArn: { 'Fn::GetAtt': ['Function', 'Arn'] }, AuthType: auth },
      },
      ...resources,
    },
    Outputs: { Url: { Value: { 'Fn::GetAtt': ['Url', 'FunctionUrl'] } } },
  })

let aws: Local
let client: LambdaClient

beforeEach(async () => {
  aws = await start({ clock: { start: Date.parse('2026-11-21T06:00:00Z') } })
  client = new LambdaClient(configuration(aws))
})
afterEach(async () => {
  client.destroy()
  await aws.close()
})

const deploy = async (resources = {}, auth = 'AWS_IAM') => {
  const outputs = await aws.deploy({ name: 'stack', template: template(resources, auth) })
  return v.parse(v.string(), outputs['Url'])
}

interface Asked {
  readonly method?: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  /** Epoch milliseconds of the signature. */
  readonly time?: number
  readonly service?: string
}

/** Signs as the AWS General Reference says ("Create a signed AWS API request"), for a path without odd letters. */
function signed(url: string, by: Credentials, asked: Asked = {}) {
  const { method = 'GET', body = '', headers = {}, time = aws.clock.now() } = asked
  const { host, pathname, search } = new URL(url)
  const date = new Date(time).toISOString().replace(/[-:]|\.\d+/g, '')
  const all: Record<string, string> = {
    ...headers,
    host,
    'x-amz-date': date,
    'x-amz-security-token': by.sessionToken,
  }
  const names = Object.keys(all).sort()
  const sha = (text: string) => createHash('sha256').update(text).digest('hex')
  const lines = names.map((name) => `${name}:${all[name]}`)
  const canonical = [
    ...[method, pathname, search.slice(1), ...lines, '', names.join(';'), sha(body)],
  ].join('\n')
  const place = [date.slice(0, 8), region, asked.service ?? 'lambda', 'aws4_request']
  const key = place.reduce<string | Buffer>(
    (parent, part) => createHmac('sha256', parent).update(part).digest(),
    `AWS4${by.secretAccessKey}`,
  )
  const text = ['AWS4-HMAC-SHA256', date, place.join('/'), sha(canonical)].join('\n')
  const signature = createHmac('sha256', key).update(text).digest('hex')
  const credential = `${by.accessKeyId}/${place.join('/')}`
  const { host: _, ...sent } = all
  return {
    ...sent,
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${names.join(';')}, Signature=${signature}`,
  }
}
const ask = (url: string, by: Credentials, asked: Asked = {}) => {
  const { method = 'GET', body } = asked
  const headers = signed(url, by, asked)
  return fetch(url, { method, headers, ...(body !== undefined && { body }) })
}
const message = v.parser(v.object({ Message: v.string() }))
const said = async (answer: Response) => [
  answer.status,
  message(JSON.parse(await answer.text())).Message,
]
const may = (...Action: string[]) =>
  role(aws, `may-${Action.length}`, { Effect: 'Allow', Action, Resource: '*' })
const both = () => may('lambda:InvokeFunctionUrl', 'lambda:InvokeFunction')

describe('a function URL', () => {
  test('hands the request over in format 2.0, with who signed it', async () => {
    const url = await deploy()
    const caller = both()

    const answer = await ask(`${url}a/b?x=1&x=2&y=`, caller, {
      method: 'POST',
      body: '{"n":1}',
      headers: { 'content-type': 'application/json', cookie: 'a=1; b=2' },
    })
    const event: unknown = await answer.json()

    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/)
    expect(answer.headers.get('content-type')).toBe('application/json')
    expect(event).toMatchObject({
      version: '2.0',
      routeKey: '$default',
      rawPath: '/a/b',
      rawQueryString: 'x=1&x=2&y=',
      queryStringParameters: { x: '1,2', y: '' },
      cookies: ['a=1', 'b=2'],
      headers: { 'content-type': 'application/json', host: new URL(url).host },
      requestContext: {
        accountId: '111122223333',
        authorizer: {
          iam: {
            accessKey: caller.accessKeyId,
            accountId: '111122223333',
            callerId: expect.stringMatching(/^AROA[0-9A-F]{17}:test$/),
            userArn: 'arn:aws:sts::111122223333:assumed-role/may-2/test',
            userId: expect.stringMatching(/^AROA[0-9A-F]{17}:test$/),
          },
        },
        http: { method: 'POST', path: '/a/b', protocol: 'HTTP/1.1' },
        time: '21/Nov/2026:06:00:00 +0000',
        timeEpoch: aws.clock.now(),
      },
      body: '{"n":1}',
      isBase64Encoded: false,
    })
    expect(event).not.toHaveProperty('headers.authorization')
  })

  test('encodes a body that is no text', async () => {
    const url = await deploy()

    const answer = await ask(url, both(), {
      method: 'POST',
      body: 'raw',
      headers: { 'content-type': 'application/octet-stream' },
    })

    expect(await answer.json()).toMatchObject({
      body: Buffer.from('raw').toString('base64'),
      isBase64Encoded: true,
    })
  })

  test('answers what the function says, plain or with status, headers and cookies', async () => {
    const url = await deploy()
    const caller = both()

    const plain = await ask(`${url}?as=plain`, caller)
    const page = await ask(`${url}?as=page`, caller)
    const broken = await ask(`${url}?as=broken`, caller)
    const thrown = await ask(`${url}?as=thrown`, caller)

    expect([plain.status, await plain.text()]).toEqual([200, 'words'])
    expect([page.status, await page.text()]).toEqual([201, 'raw'])
    expect(page.headers.get('x-own')).toBe('1')
    expect(page.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(await said(broken)).toEqual([502, 'Internal Server Error'])
    expect(await said(thrown)).toEqual([502, 'Internal Server Error'])
  })

  test('lets nobody in without a signature that is right and fresh', async () => {
    const url = await deploy()
    const caller = both()
    const late = (time: number) => ask(url, caller, { time })
    const now = aws.clock.now()
    const headers = signed(url, caller, { method: 'POST', body: '{"a":1}' })

    const tampered = await fetch(url, { method: 'POST', headers, body: '{"a":2}' })

    expect((await fetch(url)).status).toBe(403)
    expect(await said(tampered)).toEqual([403, expect.stringContaining('request signature')])
    expect(await said(await ask(url, { ...caller, secretAccessKey: 'guessed' }))).toEqual([
      403,
      expect.stringContaining('request signature'),
    ])
    expect((await ask(url, { ...caller, accessKeyId: 'ASIAUNKNOWN' })).status).toBe(403)
    expect(await said(await ask(url, caller, { service: 'execute-api' }))).toEqual([
      403,
      expect.stringContaining('correct service'),
    ])
    expect(await said(await late(now - 300_001))).toEqual([
      403,
      expect.stringContaining('Signature expired'),
    ])
    expect((await late(now - 300_000)).status).toBe(200)
    expect((await late(now + 301_000)).status).toBe(403)
  })

  test('refuses a replay once the clock has moved on', async () => {
    const url = await deploy()
    const headers = signed(url, both())

    const first = await fetch(url, { headers })
    await aws.clock.advance(300_001)
    const second = await fetch(url, { headers })

    expect([first.status, second.status]).toEqual([200, 403])
  })

  test('needs both permissions, of the caller or of the function', async () => {
    const url = await deploy()
    const one = may('lambda:InvokeFunctionUrl')
    expect((await ask(url, one)).status).toBe(403)

    await deploy({
      Invoke: permission('lambda:InvokeFunction', { InvokedViaFunctionUrl: true }),
    })
    expect((await ask(url, one)).status).toBe(200)
    await deploy({
      Url2: permission('lambda:InvokeFunctionUrl', { FunctionUrlAuthType: 'AWS_IAM' }),
      Invoke: permission('lambda:InvokeFunction', { InvokedViaFunctionUrl: true }),
    })
    const none = role(aws, 'none')

    expect((await ask(url, none)).status).toBe(200)
  })

  test('denies whom a policy denies, whatever the function allows', async () => {
    const url = await deploy({
      Url2: permission('lambda:InvokeFunctionUrl', { FunctionUrlAuthType: 'AWS_IAM' }),
      Invoke: permission('lambda:InvokeFunction'),
    })
    const denied = role(aws, 'denied', {
      Effect: 'Deny',
      Action: 'lambda:InvokeFunctionUrl',
      Resource: '*',
    })

    expect((await ask(url, denied)).status).toBe(403)
  })

  test('without authentication is open once the function says so', async () => {
    const url = await deploy({}, 'NONE')
    const closed = await fetch(url)

    await deploy(
      {
        Url2: permission('lambda:InvokeFunctionUrl', {
          FunctionUrlAuthType: 'NONE',
          Principal: '*',
        }),
        Invoke: permission('lambda:InvokeFunction', {
          InvokedViaFunctionUrl: true,
          Principal: '*',
        }),
      },
      'NONE',
    )
    const open = await fetch(url)

    expect(closed.status).toBe(403)
    expect(await open.json()).toMatchObject({ requestContext: { accountId: 'anonymous' } })
  })

  test('suffers the faults of its region', async () => {
    const url = await deploy()
    const caller = both()
    const restore = aws.faults.outage(region, 'refuse')

    await expect(ask(url, caller)).rejects.toThrow()
    restore()
    aws.faults.add({ operation: 'InvokeFunctionUrl', times: 1 }, { kind: 'throttle' })

    expect((await ask(url, caller)).status).toBe(429)
    expect((await ask(url, caller)).status).toBe(200)
  })

  test('is made, found, changed and taken away over the API', async () => {
    await deploy()
    const named = { FunctionName: 'echo' }
    const { FunctionUrl = '' } = await client.send(new GetFunctionUrlConfigCommand(named))
    const create = new CreateFunctionUrlConfigCommand({ ...named, AuthType: 'AWS_IAM' })
    await expect(client.send(create)).rejects.toMatchObject({ name: 'ResourceConflictException' })

    const changed = await client.send(
      new UpdateFunctionUrlConfigCommand({ ...named, AuthType: 'NONE' }),
    )
    const listed = await client.send(new ListFunctionUrlConfigsCommand(named))
    await client.send(new DeleteFunctionUrlConfigCommand(named))

    expect(changed).toMatchObject({ FunctionUrl, AuthType: 'NONE', InvokeMode: 'BUFFERED' })
    expect(listed.FunctionUrlConfigs).toMatchObject([{ FunctionUrl }])
    await expect(client.send(new GetFunctionUrlConfigCommand(named))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    })
    await expect(fetch(FunctionUrl)).rejects.toThrow()
    await expect(client.send(create)).resolves.toHaveProperty('FunctionUrl')
  })

  test('goes with its function', async () => {
    const url = await deploy()

    await aws.remove('stack')

    await expect(fetch(url)).rejects.toThrow()
  })
})
