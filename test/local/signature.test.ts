import { GenerateRandomCommand, KMSClient } from '@aws-sdk/client-kms'
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda'
import { AssumeRoleCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Credentials } from '../../local/iam.ts'
import { kms } from '../../local/kms/index.ts'
import { operation, type Service } from '../../local/service.ts'
import { scope, verify } from '../../local/signature.ts'
import { sts } from '../../local/sts.ts'
import { type Ground, open } from '../../local/world.ts'
import { client } from '../support/client.ts'

const lambda: Service = {
  name: 'lambda',
  operations: {
    Invoke: operation(v.object({ Payload: v.string() }), ({ Payload }) => ({
      StatusCode: 200,
      Payload,
    })),
  },
}
let world: Ground

beforeAll(async () => {
  world = await open({}, (ground) => ({ services: [kms(ground), sts(ground), lambda] }))
})
afterAll(() => world.close())

/** One small request in each wire protocol. */
const calls = {
  json: async (identity: Credentials, tamper?: Tamper) => {
    const sdk = new KMSClient(client(world, 'us-east-1', identity))
    if (tamper) sdk.middlewareStack.add(tampering(tamper), LAST)
    return sdk.send(new GenerateRandomCommand({ NumberOfBytes: 8 })).finally(() => sdk.destroy())
  },
  query: async (identity: Credentials, tamper?: Tamper) => {
    const sdk = new STSClient(client(world, 'us-east-1', identity))
    if (tamper) sdk.middlewareStack.add(tampering(tamper), LAST)
    return sdk.send(new GetCallerIdentityCommand({})).finally(() => sdk.destroy())
  },
  rest: async (identity: Credentials, tamper?: Tamper) => {
    const sdk = new LambdaClient(client(world, 'us-east-1', identity))
    if (tamper) sdk.middlewareStack.add(tampering(tamper), LAST)
    const FunctionName = 'arn:aws:lambda:us-east-1:111122223333:function:some (odd) name*'
    const input = { FunctionName, Payload: Buffer.from('{"a":"ü"}'), Qualifier: 'live/1 +' }
    return sdk.send(new InvokeCommand(input)).finally(() => sdk.destroy())
  },
}
const LAST = { step: 'deserialize', priority: 'low', name: 'tamper' } as const

interface Sent {
  body?: unknown
  path: string
  readonly headers: Record<string, string>
}
type Tamper = (request: Sent) => void
const sent = v.looseObject({ path: v.string(), headers: v.record(v.string(), v.string()) })

/** Changes a request after it was signed. */
function tampering(tamper: Tamper) {
  return <A extends { request: unknown }, R>(next: (args: A) => R) =>
    (args: A): R => {
      if (!v.is(sent, args.request)) throw new TypeError('no HTTP request')
      tamper(args.request)
      return next(args)
    }
}
const bad = /^(InvalidSignatureException|SignatureDoesNotMatch)$/
const failure = (call: Promise<unknown>) =>
  call.then(
    () => 'no failure',
    (error: unknown) => (error instanceof Error ? error.name : String(error)),
  )

describe.each(Object.entries(calls))('%s', (_protocol, call) => {
  test('what the SDK signs is accepted', async () => {
    await expect(call(world.iam.administrator)).resolves.toBeDefined()
  })

  test('another secret key is refused', async () => {
    const identity = { ...world.iam.administrator, secretAccessKey: 'x'.repeat(40) }
    expect(await failure(call(identity))).toMatch(bad)
  })

  test('a changed body is refused', async () => {
    const change: Tamper = (request) => {
      request.body = request.body instanceof Uint8Array ? Buffer.from('{}') : `${request.body} `
      request.headers['content-length'] = String(Buffer.byteLength(String(request.body)))
    }
    expect(await failure(call(world.iam.administrator, change))).toMatch(bad)
  })

  test('a changed signed header is refused', async () => {
    const change: Tamper = ({ headers }) => {
      headers['x-amz-date'] = '20200101T000000Z'
    }
    expect(await failure(call(world.iam.administrator, change))).toMatch(bad)
  })

  test('an unknown access key and a foreign session token are refused', async () => {
    const invalid = /^(UnrecognizedClientException|InvalidClientTokenId)$/
    const unknown = { ...world.iam.administrator, accessKeyId: 'AKIAUNKNOWN' }
    const foreign = { ...world.iam.administrator, sessionToken: 'somebody else' }

    expect(await failure(call(unknown))).toMatch(invalid)
    expect(await failure(call(foreign))).toMatch(invalid)
  })
})

test('another operation under the same signature is refused', async () => {
  const change: Tamper = ({ headers }) => {
    headers['x-amz-target'] = 'TrentService.ListKeys'
  }
  expect(await failure(calls.json(world.iam.administrator, change))).toMatch(bad)
})

test("a role's session says who it is, and ends with its role", async () => {
  const trusting = (AWS: string) => ({
    Statement: { Effect: 'Allow' as const, Principal: { AWS }, Action: 'sts:AssumeRole' },
  })
  const { arn } = world.iam.putRole({
    name: 'short',
    trust: trusting(`arn:aws:iam::${world.account}:root`),
    policies: [],
  })
  world.iam.putRole({
    name: 'closed',
    trust: trusting('arn:aws:iam::999999999999:root'),
    policies: [],
  })
  const sdk = new STSClient(client(world))

  const { Credentials: made } = await sdk.send(
    new AssumeRoleCommand({ RoleArn: arn, RoleSessionName: 'me' }),
  )

  const identity = {
    accessKeyId: made?.AccessKeyId ?? '',
    secretAccessKey: made?.SecretAccessKey ?? '',
    sessionToken: made?.SessionToken ?? '',
  }
  expect(made?.Expiration).toEqual(new Date(world.clock.now() + 3_600_000))
  expect(await calls.query(identity)).toMatchObject({
    Account: world.account,
    Arn: `arn:aws:sts::${world.account}:assumed-role/short/me`,
  })
  expect(await failure(calls.json(identity))).toBe('AccessDeniedException')
  world.iam.deleteRole('short')
  expect(await failure(calls.query(identity))).toBe('InvalidClientTokenId')
  for (const RoleArn of [arn, arn.replace('short', 'closed')]) {
    const assuming = sdk.send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'me' }))
    expect(await failure(assuming)).toBe('AccessDenied')
  }
  sdk.destroy()
})

describe("AWS's own test suite for signature version 4", () => {
  /** SHA-256 of nothing. */
  const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
  const secret = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
  const authorization = (signature: string) =>
    `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${signature}`
  const headers = { host: 'example.amazonaws.com', 'x-amz-date': '20150830T123600Z' }
  const cases: [string, string, string, string][] = [
    ['get-vanilla', 'GET', '/', '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    [
      'post-vanilla',
      'POST',
      '/',
      '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
    ],
    [
      'get-vanilla-query-order-key-case',
      'GET',
      '/?Param2=value2&Param1=value1',
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
  ]
  test.each(cases)('%s', (_name, method, url, signature) => {
    const read = scope(authorization(signature))
    const wrong = scope(authorization(signature.replace(/^./, '0')))
    if (read === undefined || wrong === undefined) throw new TypeError('not read')
    const request = { method, url, headers, body: Buffer.alloc(0) }

    expect(read).toMatchObject({ accessKeyId: 'AKIDEXAMPLE', service: 'service', date: '20150830' })
    expect(verify(request, read, secret)).toBe(true)
    expect(verify(request, wrong, secret)).toBe(false)
    const body = Buffer.from('x')
    const claimed = { ...headers, 'x-amz-content-sha256': EMPTY }
    expect(verify({ ...request, body }, read, secret)).toBe(false)
    expect(verify({ ...request, body, headers: claimed }, read, secret)).toBe(false)
  })

  test.each([undefined, '', 'Bearer x', 'AWS4-HMAC-SHA256 Credential=a/b/c'])(
    '%s is no signature',
    (text) => {
      expect(scope(text)).toBeUndefined()
    },
  )
})
