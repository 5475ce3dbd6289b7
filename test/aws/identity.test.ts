import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { afterEach, expect, test } from 'vitest'
import { ask } from '../../aws/errors.ts'
import { identities } from '../../aws/identity.ts'

const HOUR = 3_600_000
const OFF = { AWS_EC2_METADATA_DISABLED: 'true' }
const servers: Server[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
})

test('keys in the environment win, and nobody is asked', async () => {
  const service = await instance()
  const own = { AWS_ACCESS_KEY_ID: 'E', AWS_SECRET_ACCESS_KEY: 'S' }

  const keys = await identities({ ...own, ...service.environment })()

  expect(keys).toEqual({ accessKeyId: 'E', secretAccessKey: 'S' })
  expect(service.asked).toEqual([])
})

test('keys of a task role come from the container endpoint, with its token, and are kept', async () => {
  const seen: (string | undefined)[] = []
  const url = await serve((request, response) => {
    seen.push(request.headers.authorization)
    response.end(JSON.stringify(keysFor('A', HOUR)))
  })
  const service = await instance()
  const identity = identities({
    AWS_CONTAINER_CREDENTIALS_FULL_URI: `${url}/v2/credentials/x`,
    AWS_CONTAINER_AUTHORIZATION_TOKEN: 'pass',
    ...service.environment,
  })

  const [one, two] = [await identity(), await identity()]

  expect(one).toEqual({ accessKeyId: 'A', secretAccessKey: 'S', sessionToken: 'T' })
  expect(two).toBe(one)
  expect(seen).toEqual(['pass'])
  expect(service.asked).toEqual([])
})

test('on an EC2 instance keys are those of its role, by version 2 of its metadata service', async () => {
  const service = await instance()
  const identity = identities(service.environment)

  const [one, two] = await Promise.all([identity(), identity()])
  const three = await identity()

  expect(one).toEqual({ accessKeyId: 'A1', secretAccessKey: 'S', sessionToken: 'T' })
  expect([two, three]).toEqual([one, one])
  expect(service.asked).toEqual([
    'PUT /latest/api/token',
    'GET /latest/meta-data/iam/security-credentials/',
    'GET /latest/meta-data/iam/security-credentials/app-role',
  ])
})

test('keys that are about to end are asked for anew, and used to their end while there are no others', async () => {
  const service = await instance({ lasts: 60_000 })
  const identity = identities(service.environment)

  const one = await identity()
  const two = await identity()
  service.answer(503)
  const three = await identity()

  expect(one.accessKeyId).toBe('A1')
  expect(two.accessKeyId).toBe('A2')
  expect(three).toBe(two)
})

test('keys that have ended are of no use when there are no others', async () => {
  const service = await instance({ lasts: -1 })
  const identity = identities(service.environment)
  await identity()

  service.answer(503)

  expect(await failure(identity())).toMatchObject({ name: 'MetadataError', $fault: 'server' })
})

test.each([
  ['no role', { role: '' }, 'the EC2 instance has no role: attach an instance profile'],
  ['a role that is a path', { role: '../x' }, 'the EC2 instance has no role'],
  ['no keys for its role', { keys: '{"Code":"Failed"}' }, 'service gave no AccessKeyId'],
  ['an answer that is no JSON', { keys: '<html>' }, 'service gave no AccessKeyId'],
  ['no tokens (version 1)', { status: 404 }, 'no EC2 instance metadata service of version 2'],
  ['its service switched off', { status: 403 }, 'no EC2 instance metadata service of version 2'],
  ['no patience with our token', { reading: 401 }, 'instance metadata service answered 401'],
])('an instance with %s gives no keys, and a person reads why', async (_, how, why) => {
  const service = await instance(how)

  const error = await failure(ask('read secret x', identities(service.environment)))

  expect(error).toMatchObject({ code: 'ACCESS_REFUSED', remedy: 'ask-operator' })
  expect(String(error)).toContain(`cannot read secret x: no credentials: `)
  expect(String(error)).toContain(why)
})

test('a metadata service that is throttled is a matter of time', async () => {
  const service = await instance({ reading: 429 })

  const error = await failure(ask('read secret x', identities(service.environment)))

  expect(error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', remedy: 'retry' })
})

test('a metadata service that says nothing is given up on', async () => {
  const asked: string[] = []
  const url = await serve(({ method }) => void asked.push(method ?? ''))

  const error = await failure(identities({ AWS_EC2_METADATA_SERVICE_ENDPOINT: url })())

  expect(String(error)).toContain('hop limit 2')
  expect(asked).toEqual(['PUT', 'PUT'])
})

test.each([
  [OFF, 'no container credentials endpoint'],
  [
    { AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://example.com/x' },
    'container credentials endpoint is neither local nor https',
  ],
  [
    { AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://example.com/' },
    'metadata service is neither local nor https',
  ],
  [{ AWS_EC2_METADATA_SERVICE_ENDPOINT: 'example' }, 'AWS_EC2_METADATA_SERVICE_ENDPOINT is no URL'],
])('with %j there are no keys, and nobody is asked', async (environment, why) => {
  const error = await failure(identities(environment)())

  expect(error).toMatchObject({ name: 'CredentialsProviderError' })
  expect(String(error)).toContain(why)
})

interface How {
  /** Milliseconds. */
  readonly lasts?: number
  readonly role?: string
  readonly keys?: string
  /** Of every answer, and of those to whoever reads. */
  readonly status?: number
  readonly reading?: number
}

/** The metadata service of an instance, as strict about tokens as that of EC2. */
async function instance({ lasts = HOUR, role = 'app-role', keys, status, reading }: How = {}) {
  const asked: string[] = []
  const tokens = new Set<string>()
  let [forced, count] = [status, 0]
  const url = await serve((request, response) => {
    const { method, url: path = '', headers } = request
    asked.push(`${method} ${path}`)
    const answer = (code: number, body = '') => response.writeHead(code).end(body)
    if (forced !== undefined) return answer(forced)
    if (method === 'PUT' && path === '/latest/api/token') {
      if (!/^\d+$/.test(String(headers['x-aws-ec2-metadata-token-ttl-seconds']))) return answer(400)
      tokens.add(`token-${tokens.size}`)
      return answer(200, [...tokens].at(-1))
    }
    if (reading !== undefined) return answer(reading)
    if (!tokens.has(String(headers['x-aws-ec2-metadata-token']))) return answer(401)
    const base = '/latest/meta-data/iam/security-credentials/'
    if (path === base) return role === '' ? answer(404) : answer(200, `${role}\n`)
    if (path !== base + role) return answer(404)
    return answer(200, keys ?? JSON.stringify(keysFor(`A${++count}`, lasts)))
  })
  return {
    asked,
    environment: { AWS_EC2_METADATA_SERVICE_ENDPOINT: url },
    answer(code: number) {
      forced = code
    },
  }
}

function keysFor(AccessKeyId: string, lasts: number) {
  const Expiration = new Date(Date.now() + lasts).toISOString()
  return { Code: 'Success', AccessKeyId, SecretAccessKey: 'S', Token: 'T', Expiration }
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
  const server = createServer(answer)
  servers.push(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no port')
  return `http://127.0.0.1:${address.port}`
}
