import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterEach, expect, test } from 'vitest'
import { direct, endpoint } from '../../aws/direct.ts'
import { exchange } from '../../aws/post.ts'
import { reach } from '../../aws/sidecar.ts'
import { secrets } from '../../local/secrets/index.ts'
import { open } from '../../local/world.ts'
import { leaf } from '../../local/x509/x509.ts'
import { client, role } from '../support/client.ts'
import { root } from '../support/sidecar.ts'

const LIMITS = { connect: 500, whole: 500 }
const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'none' }
const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.close()
    await once(server, 'close')
  }
})

test('what it signs is taken by a service that verifies signatures, with temporary keys too', async () => {
  const world = await open({}, (ground) => ({ services: [secrets(ground)] }))
  const sdk = new SecretsManagerClient(client(world))
  const { ARN = '' } = await sdk.send(new CreateSecretCommand({ Name: 'a', SecretString: 'ä "x"' }))
  const reader = role(world, 'reader', {
    ...{ Effect: 'Allow', Action: 'secretsmanager:*', Resource: '*' },
  })
  const vaultOf = (environment: Record<string, string>) =>
    reach(environment).shelves(['us-east-1'])[0]?.vault
  const own = world.environment(reader)

  const read = await vaultOf(own)?.read(ARN)
  const found = await vaultOf(own)?.find(ARN)
  const forged = vaultOf({ ...own, AWS_SECRET_ACCESS_KEY: 'forged' })?.read(ARN)

  expect(Buffer.from(read?.content.reveal() ?? []).toString()).toBe('ä "x"')
  expect([...(found?.versions ?? [])]).toEqual([[read?.version, ['AWSCURRENT']]])
  await expect(forged).rejects.toMatchObject({ code: 'ACCESS_REFUSED' })
  expect(await vaultOf(own)?.find(`${ARN.slice(0, -6)}ZZZZZZ`)).toBeUndefined()
  await world.close()
})

test.each([
  ['us-east-1', {}, 'https://kms.us-east-1.amazonaws.com/'],
  ['cn-north-1', {}, 'https://kms.cn-north-1.amazonaws.com.cn/'],
  ['us-east-1', { AWS_USE_FIPS_ENDPOINT: 'true' }, 'https://kms-fips.us-east-1.amazonaws.com/'],
  ['eu-west-1', { AWS_USE_DUALSTACK_ENDPOINT: 'true' }, 'https://kms.eu-west-1.api.aws/'],
  ['eu-west-1', { AWS_ENDPOINT_URL: 'http://all', AWS_ENDPOINT_URL_KMS: 'http://k' }, 'http://k/'],
  ['eu-west-1', { AWS_ENDPOINT_URL: 'http://all' }, 'http://all/'],
])('in %s with %j it asks %s', (region, environment, url) => {
  expect(endpoint('kms', region, environment).href).toBe(url)
})

test('an attempt is named in the user agent', async () => {
  const asked = Promise.withResolvers<IncomingMessage>()
  const AWS_ENDPOINT_URL = await serve((request, response) => {
    asked.resolve(request)
    response.end('{}')
  })
  const line = { environment: { AWS_ENDPOINT_URL }, identity: async () => KEYS, ...LIMITS }

  await direct('kms', 'us-east-1', line)('Decrypt', {}, { id: 'attempt000' })

  const { headers } = await asked.promise
  expect(headers['user-agent']).toBe('certrelay-sidecar certrelay/attempt000')
  expect(headers['x-amz-target']).toBe('TrentService.Decrypt')
})

test('a refusal tells its name, status and request id, and not what the service said', async () => {
  const url = await serve((_, response) => {
    response.writeHead(400, { 'x-amzn-requestid': 'r-1' })
    response.end(
      JSON.stringify({ __type: 'com.amazonaws#AccessDeniedException', message: 'CANARY' }),
    )
  })

  const error = await failure(call(url))

  expect(error).toMatchObject({
    name: 'AccessDeniedException',
    $fault: 'client',
    $metadata: { httpStatusCode: 400, requestId: 'r-1' },
  })
  expect(JSON.stringify(error) + String(error)).not.toContain('CANARY')
})

test('silence, an aborted call and nobody at the address are told apart', async () => {
  const silent = await serve(() => {})
  const aborted = AbortSignal.abort()

  expect(await failure(call(silent))).toMatchObject({ name: 'TimeoutError' })
  expect(await failure(call(silent, aborted))).toMatchObject({ name: 'AbortError' })
  expect(await failure(call('http://127.0.0.1:1'))).toMatchObject({ code: 'ECONNREFUSED' })
})

test('a server that no known authority certifies is not talked to', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-direct-'))
  const ca = await root()
  const now = Date.now()
  const life = { notBefore: now - 3_600_000, notAfter: now + 3_600_000 }
  const made = await leaf({ parent: ca, names: ['localhost'], ...life })
  const options = { key: made.privateKeyPem, cert: made.certificate }
  const port = await listen(createSecureServer(options, (_, response) => response.end('{}')))
  await writeFile(join(folder, 'ca.pem'), ca.certificate)
  const url = `https://localhost:${port}/`
  const script = `
    import { exchange } from '${join(import.meta.dirname, '../../aws/post.ts')}'
    const asked = { url: new URL('${url}'), method: 'POST', headers: {}, body: '{}', connect: 5000, whole: 5000 }
    console.log((await exchange(asked)).status)`

  const refused = await failure(
    exchange({ url: new URL(url), method: 'POST', headers: {}, ...LIMITS }),
  )
  const trusting = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    env: { NODE_EXTRA_CA_CERTS: join(folder, 'ca.pem') },
  })

  expect(refused).toMatchObject({ code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' })
  expect((await trusting).stdout.trim()).toBe('200')
  await rm(folder, { recursive: true })
})

function call(url: string, signal?: AbortSignal): Promise<unknown> {
  const line = { environment: { AWS_ENDPOINT_URL: url }, identity: async () => KEYS, ...LIMITS }
  return direct('kms', 'us-east-1', line)('Decrypt', {}, signal && { signal })
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work
  } catch (error) {
    return error
  }
  throw new Error('it did not fail')
}

async function serve(answer: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(answer))}`
}

async function listen(server: Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no port')
  return address.port
}
