import { existsSync } from 'node:fs'
import {
  CreateKeyCommand,
  DescribeKeyCommand,
  KMSClient,
  ListGrantsCommand,
} from '@aws-sdk/client-kms'
import { GetSessionTokenCommand, STSClient } from '@aws-sdk/client-sts'
import * as v from 'valibot'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Seen } from '../../local/dispatch.ts'
import { kms } from '../../local/kms/index.ts'
import { operation, type Service } from '../../local/service.ts'
import { sts } from '../../local/sts.ts'
import { type Ground, open } from '../../local/world.ts'
import { client, role } from '../support/client.ts'

const broken: Service = {
  name: 'secretsmanager',
  operations: {
    GetSecretValue: operation(v.object({}), () => {
      throw new TypeError('canary')
    }),
  },
}
let world: Ground
let keys: KMSClient
let seen: Seen[]
let notes: string[]

beforeEach(async () => {
  seen = []
  notes = []
  world = await open({ note: (line) => notes.push(line) }, (ground) => ({
    services: [kms(ground), sts(ground), broken],
    seen: (one) => seen.push(one),
  }))
  keys = new KMSClient(client(world))
})
afterEach(async () => {
  keys.destroy()
  await world.close()
})
const json = (target: string, authorization?: string) =>
  fetch(world.url, {
    method: 'POST',
    headers: {
      'x-amz-target': target,
      'content-type': 'application/x-amz-json-1.1',
      ...(authorization !== undefined && { authorization }),
    },
    body: '{}',
  })

describe('requests', () => {
  test('an answer and its record carry the same request id, another one each time', async () => {
    const first = await keys.send(new CreateKeyCommand({}))
    const second = await keys.send(new CreateKeyCommand({}))

    const ids = [first, second].map(({ $metadata }) => $metadata.requestId)
    expect(seen.map(({ call }) => call.requestId)).toEqual(ids)
    expect(new Set(ids).size).toBe(2)
    expect(ids[0]).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
  })

  test('an error carries its request id too, and is recorded with its name', async () => {
    const KeyId = 'alias/none'

    const error: unknown = await keys.send(new DescribeKeyCommand({ KeyId })).catch((e) => e)

    expect(error).toMatchObject({
      name: 'NotFoundException',
      $metadata: { httpStatusCode: 400, requestId: seen[0]?.call.requestId },
    })
    expect(seen).toMatchObject([{ status: 400, error: 'NotFoundException', input: { KeyId } }])
  })

  test('one endpoint tells the regions apart by the signature', async () => {
    const west = new KMSClient(client(world, 'us-west-2'))
    const { KeyMetadata } = await west.send(new CreateKeyCommand({}))
    const KeyId = KeyMetadata?.KeyId ?? ''
    west.destroy()

    expect(seen[0]?.call.region).toBe('us-west-2')
    await expect(keys.send(new DescribeKeyCommand({ KeyId }))).rejects.toMatchObject({
      name: 'NotFoundException',
    })
  })

  test('a region that this world does not have is refused and named', async () => {
    const far = new KMSClient(client(world, 'eu-west-1'))
    await expect(far.send(new CreateKeyCommand({}))).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
      message: expect.stringContaining('eu-west-1'),
    })
    far.destroy()
  })

  test("an unknown operation gets AWS's own error in each protocol, and is noted", async () => {
    const tokens = new STSClient(client(world))

    await expect(keys.send(new ListGrantsCommand({ KeyId: 'x' }))).rejects.toMatchObject({
      name: 'UnknownOperationException',
    })
    await expect(tokens.send(new GetSessionTokenCommand({}))).rejects.toMatchObject({
      name: 'InvalidAction',
    })
    expect(notes.join('\n')).toContain('kms:ListGrants')
    expect(notes.join('\n')).toContain('sts:GetSessionToken')
    expect(seen).toEqual([])
    tokens.destroy()
  })

  test('a request to S3, of which there is nothing, is refused in the XML that its clients read', async () => {
    const scope = 'AKIAX/20261121/us-east-1/s3/aws4_request'
    const authorization = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=${'a'.repeat(64)}`
    const headers = { authorization, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' }

    const answer = await fetch(`${world.url}/bucket/key`, { headers })

    expect([answer.status, answer.headers.get('content-type')]).toEqual([501, 'application/xml'])
    expect(await answer.text()).toContain('<Error><Code>NotImplemented</Code>')
  })

  test.each(['constructor', 'toString', '__proto__'])(
    'an operation called %s is as unknown as any other',
    async (name) => {
      const scope = 'AKIAX/20261121/us-east-1/kms/aws4_request'
      const signature = 'a'.repeat(64)
      const header = `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=${signature}`

      const answer = await json(`TrentService.${name}`, header)

      expect(answer.status).toBe(400)
      expect(await answer.json()).toMatchObject({ __type: 'UnknownOperationException' })
    },
  )

  test('an unsigned request is refused', async () => {
    const answer = await json('TrentService.ListKeys')

    expect(answer.status).toBe(403)
    expect(await answer.json()).toMatchObject({ __type: 'MissingAuthenticationTokenException' })
    expect(seen).toEqual([])
  })

  test('input that does not fit is refused before anything is done, and names the member', async () => {
    const call = world.call('kms', 'Encrypt', { KeyId: 7 }, { region: 'us-east-1' })

    await expect(call).rejects.toMatchObject({
      code: 'ValidationException',
      message: expect.stringMatching(/^2 validation errors detected: .*'KeyId'.*'Plaintext'/),
    })
  })

  test('a mistake of a service is InternalFailure outside, and its stack stays inside', async () => {
    const { SecretsManagerClient, GetSecretValueCommand } = await import(
      '@aws-sdk/client-secrets-manager'
    )
    const sdk = new SecretsManagerClient(client(world))

    const error: unknown = await sdk
      .send(new GetSecretValueCommand({ SecretId: 'x' }))
      .catch((e) => e)

    expect(error).toMatchObject({ name: 'InternalFailure', $metadata: { httpStatusCode: 500 } })
    expect(String(error)).not.toContain('canary')
    expect(notes.join('\n')).toContain('canary')
    sdk.destroy()
  })
})

describe('identities', () => {
  test('a role may do what its policies say, in that region, and no more', async () => {
    const identity = role(world, 'east', {
      Effect: 'Allow',
      Action: 'kms:CreateKey',
      Resource: '*',
      Condition: { StringEquals: { 'aws:RequestedRegion': 'us-east-1' } },
    })
    const create = async (region: string) => {
      const sdk = new KMSClient(client(world, region, identity))
      return sdk.send(new CreateKeyCommand({})).finally(() => sdk.destroy())
    }

    await expect(create('us-east-1')).resolves.toBeDefined()
    await expect(create('us-west-2')).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringMatching(
        /^User: arn:aws:sts::\d+:assumed-role\/east\/test is not authorized to perform: kms:CreateKey on resource: \*/,
      ),
    })
    expect(seen.at(-1)).toMatchObject({ error: 'AccessDeniedException' })
  })

  test('the environment is enough for a client without any configuration', () => {
    const environment = world.environment()

    expect(environment).toMatchObject({
      AWS_ENDPOINT_URL: world.url,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: world.iam.administrator.accessKeyId,
    })
    expect(world.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  })

  test('the same seed names things alike, and another one does not', async () => {
    const [same, other] = [
      await open({}, () => ({ services: [] })),
      await open({ seed: 2 }, () => ({ services: [] })),
    ]

    expect(same.random.uuid()).not.toBe(other.random.uuid())
    expect(same.iam.administrator.accessKeyId).toBe(world.iam.administrator.accessKeyId)
    await same.close()
    await other.close()
  })
})

describe('routes', () => {
  test('a prefix is served beside the APIs, with path, method and body', async () => {
    const url = world.route('/_test/', async ({ method, path, body, headers }) => ({
      status: 201,
      headers: { 'x-seen': headers['x-mine'] ?? '' },
      body: `${method} ${path} ${body.toString()}`,
    }))

    const answer = await fetch(`${url}a/b?c=d`, {
      method: 'PUT',
      headers: { 'x-mine': 'yes' },
      body: 'hello',
    })

    expect([answer.status, answer.headers.get('x-seen')]).toEqual([201, 'yes'])
    expect(await answer.text()).toBe('PUT a/b?c=d hello')
  })

  test('a client that goes away is told to the route', async () => {
    const stop = new AbortController()
    const gone = new Promise<void>((resolve) => {
      world.route('/_slow/', ({ signal }) => {
        setImmediate(() => stop.abort())
        return new Promise((answer) => {
          signal.addEventListener('abort', () => {
            resolve()
            answer({ status: 200 })
          })
        })
      })
    })

    await expect(fetch(`${world.url}/_slow/`, { signal: stop.signal })).rejects.toThrow()
    await gone
  })
})

describe('the end', () => {
  test('close runs the hooks, last first, lets hanging requests go, and leaves no folder', async () => {
    const ended: string[] = []
    const short = await open({}, (ground) => ({ services: [kms(ground)] }))
    short.onClose(() => void ended.push('first'))
    short.onClose(() => void ended.push('second'))
    let hanging: Promise<unknown> = Promise.resolve()
    await new Promise<void>((arrived) => {
      const url = short.route('/_never/', () => {
        arrived()
        return new Promise(() => {})
      })
      hanging = expect(fetch(url)).rejects.toThrow()
    })

    await short.close()

    await hanging
    expect(ended).toEqual(['second', 'first'])
    expect(existsSync(short.folder)).toBe(false)
    await expect(fetch(short.url)).rejects.toThrow()
  })

  test('an address is leased to one holder at a time', async () => {
    const leases = await Promise.all(Array.from({ length: 20 }, () => world.lease()))

    const addresses = leases.map(({ address }) => address)
    await Promise.all(leases.map((lease) => lease.release()))

    expect(new Set(addresses).size).toBe(20)
    for (const address of addresses) expect(address).toMatch(/^127\.\d+\.\d+\.\d+$/)
    expect(addresses).not.toContain('127.0.0.1')
  })
})
