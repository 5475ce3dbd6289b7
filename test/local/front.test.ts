import { request } from 'node:http'
import * as v from 'valibot'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Local, start } from '../../local/index.ts'
import { echo } from '../support/echo.ts'

// An application load balancer whose target is a function.

const CODE = `exports.handler = async (event) => {
  const { as } = event.queryStringParameters ?? {}
  if (as === 'broken') return { statusCode: 'fine' }
  if (as === 'thrown') throw new Error('no')
  if (as === 'huge') return { statusCode: 200, body: 'x'.repeat(1100000) }
  if (as === 'bytes') return { statusCode: 201, headers: { 'x-own': 1 }, isBase64Encoded: true, body: Buffer.from([0, 255]).toString('base64') }
  const many = event.multiValueHeaders !== undefined
  return { statusCode: 200, [many ? 'multiValueHeaders' : 'headers']: many ? { 'x-two': ['1', '2'] } : { 'x-one': '1' }, body: JSON.stringify(event) }
}`
const GROUP = 'arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/sign/*'
const template = ({ many = 'false', source = GROUP, permission = true } = {}) => ({
  Resources: {
    ...echo(CODE),
    ...(permission && {
      Permission: {
        Type: 'AWS::Lambda::Permission',
        Properties: {
          FunctionName: { Ref: 'Function' },
          Action: 'lambda:InvokeFunction',
          Principal: 'elasticloadbalancing.amazonaws.com',
          SourceArn: source,
        },
      },
    }),
    Group: {
      Type: 'AWS::ElasticLoadBalancingV2::TargetGroup',
      ...(permission && { DependsOn: 'Permission' }),
      Properties: {
        Name: 'sign',
        TargetType: 'lambda',
        Targets: [{ Id: { 'Fn::GetAtt': ['Function', 'Arn'] } }],
        TargetGroupAttributes: [{ Key: 'lambda.multi_value_headers.enabled', Value: many }],
      },
    },
    Balancer: {
      Type: 'AWS::ElasticLoadBalancingV2::LoadBalancer',
      Properties: { Name: 'sign', Scheme: 'internal', Subnets: ['subnet-1', 'subnet-2'] },
    },
    Listener: {
      Type: 'AWS::ElasticLoadBalancingV2::Listener',
      Properties: {
        LoadBalancerArn: { Ref: 'Balancer' },
        Port: 8888,
        Protocol: 'HTTP',
        DefaultActions: [{ Type: 'forward', TargetGroupArn: { Ref: 'Group' } }],
      },
    },
  },
  Outputs: { Host: { Value: { 'Fn::GetAtt': ['Balancer', 'DNSName'] } } },
})

let aws: Local
beforeEach(async () => {
  aws = await start({ clock: { start: Date.parse('2026-11-21T06:00:00Z') } })
})
afterEach(() => aws.close())

async function deploy(options: Parameters<typeof template>[0] = {}): Promise<string> {
  const outputs = await aws.deploy({ name: 'stack', template: JSON.stringify(template(options)) })
  return v.parse(v.string(), outputs['Host'])
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** One request, with headers that may come twice. */
function ask(
  host: string,
  path: string,
  {
    headers = {},
    body = '',
    method = 'POST',
  }: {
    headers?: Readonly<Record<string, string | readonly string[]>>
    body?: string | Buffer
    method?: string
  } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name,
        typeof value === 'string' ? value : [...value],
      ]),
    )
    const sent = request(
      { host, port: 8888, path, method, headers: all, agent: false },
      (response) => {
        const parts: Buffer[] = []
        response.on('data', (part: Buffer) => parts.push(part))
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(parts),
          }),
        )
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

const told = ({ body }: Answer): Record<string, unknown> =>
  v.parse(v.record(v.string(), v.unknown()), JSON.parse(body.toString()))

test('a request becomes the event that AWS documents, and the answer is the function’s', async () => {
  const host = await deploy()
  const answer = await ask(host, '/api/v1/cfssl/info?a=1&a=%20b&c', {
    headers: { 'content-type': 'application/json', 'x-two': ['1', '2'] },
    body: '{"label":"db"}',
  })
  const event = told(answer)

  expect(answer).toMatchObject({ status: 200, headers: { 'x-one': '1', server: 'awselb/2.0' } })
  expect(event).toMatchObject({
    requestContext: {
      elb: { targetGroupArn: expect.stringMatching(/:targetgroup\/sign\/[0-9a-f]{16}$/) },
    },
    httpMethod: 'POST',
    path: '/api/v1/cfssl/info',
    queryStringParameters: { a: '%20b', c: '' },
    headers: {
      'x-two': '2',
      'x-amzn-trace-id': expect.stringMatching(
        /^Root=1-6a1.{5}-[0-9a-f]{24}$|^Root=1-[0-9a-f]{8}-[0-9a-f]{24}$/,
      ),
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-port': '8888',
      'x-forwarded-proto': 'http',
    },
    body: '{"label":"db"}',
    isBase64Encoded: false,
  })
})

test('with the attribute, headers and parameters come and go with all of their values', async () => {
  const host = await deploy({ many: 'true' })
  const answer = await ask(host, '/?a=1&a=2', { headers: { 'x-two': ['1', '2'] } })
  const event = told(answer)

  expect(event['headers']).toBeUndefined()
  expect(event).toMatchObject({
    multiValueHeaders: { 'x-two': ['1', '2'], host: [expect.stringContaining('8888')] },
    multiValueQueryStringParameters: { a: ['1', '2'] },
  })
  expect(answer.headers['x-two']).toBe('1, 2')
})

test('a trace that a client began goes on, and an address that it claims stands before its own', async () => {
  const host = await deploy()
  const headers = {
    'x-amzn-trace-id': 'Root=1-5759e988-bd862e3fe1be46a994272793',
    'x-forwarded-for': '10.9.9.9',
  }
  const event = told(await ask(host, '/', { headers }))

  expect(event['headers']).toMatchObject({
    'x-amzn-trace-id': expect.stringMatching(
      /^Self=1-[0-9a-f-]+;Root=1-5759e988-bd862e3fe1be46a994272793$/,
    ),
    'x-forwarded-for': '10.9.9.9, 127.0.0.1',
  })
})

test('bytes go both ways as base64', async () => {
  const host = await deploy()
  const sent = await ask(host, '/', {
    headers: { 'content-type': 'application/octet-stream' },
    body: Buffer.from([0, 255]),
  })
  const answer = await ask(host, '/?as=bytes')

  expect(told(sent)).toMatchObject({ isBase64Encoded: true, body: 'AP8=' })
  expect(answer).toMatchObject({ status: 201, headers: { 'x-own': '1' } })
  expect([...answer.body]).toEqual([0, 255])
})

test('what a function answers wrongly, throws or makes too large is a 502', async () => {
  const host = await deploy()
  for (const as of ['broken', 'thrown', 'huge'])
    expect((await ask(host, `/?as=${as}`)).status, as).toBe(502)
})

test('a body of more than a megabyte is a 413', async () => {
  const host = await deploy()

  expect((await ask(host, '/', { body: Buffer.alloc(1_048_577, 'a') })).status).toBe(413)
})

test.each([
  ['no permission', { permission: false }],
  ['one for another target group', { source: GROUP.replace('sign', 'other') }],
])('a function with %s cannot be a target', async (_, options) => {
  await expect(deploy(options)).rejects.toThrow(/does not have permission to invoke/)
})
