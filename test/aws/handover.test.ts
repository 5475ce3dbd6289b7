import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { desk } from '../../aws/handover.ts'
import { PASSPHRASE } from '../support/canary.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

const identity = { accessKeyId: 'ASIA', secretAccessKey: 'key', sessionToken: 'token' }
const line = (environment = {}) => ({
  ...{ environment: { AWS_REGION: 'eu-west-1', ...environment } },
  ...{ identity: async () => identity, connect: 1_000, whole: 1_000 },
})

/** A function that answers always the same. */
async function answering(status: number, body: unknown, headers = {}) {
  const seen: { headers: IncomingHttpHeaders; body: string; method?: string | undefined }[] = []
  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (part) => {
      text += part
    })
    request.on('end', () => {
      seen.push({ headers: request.headers, body: text, method: request.method })
      response.writeHead(status, { 'x-amzn-requestid': 'id-1', ...headers })
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    })
  })
  server.listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return { seen, ...desk(`http://127.0.0.1:${port}/`, line()) }
}

test('a request says the secret and what is wanted, signed for Lambda in the region', async () => {
  const { vault, seen } = await answering(200, { version: 'v-1', content: '{}' })

  const { version } = await vault.read('color')
  const found = await vault.find('color')

  expect(version).toBe('v-1')
  expect([...(found?.versions ?? [])]).toEqual([['v-1', ['AWSCURRENT']]])
  expect(seen.map(({ method, body }) => [method, JSON.parse(body)])).toEqual([
    ['POST', { secret: 'color', want: 'material' }],
    ['POST', { secret: 'color', want: 'version' }],
  ])
  expect(seen[0]?.headers).toMatchObject({
    authorization: expect.stringMatching(
      /^AWS4-HMAC-SHA256 Credential=ASIA\/\d{8}\/eu-west-1\/lambda\/aws4_request, /,
    ),
    'x-amz-security-token': 'token',
    'content-type': 'application/json',
  })
})

describe('the region', () => {
  const url = 'https://abc.lambda-url.ap-south-1.on.aws/'
  test('is that in the URL, else our own', () => {
    expect(desk(url, line()).region).toBe('ap-south-1')
    expect(desk('https://handover.example/', line()).region).toBe('eu-west-1')
  })

  test('must be known', () => {
    const nowhere = () => desk('https://handover.example/', line({ AWS_REGION: '' }))

    expect(nowhere).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })
})

describe('what is no hand-over', () => {
  test.each([
    [
      'our own refusal',
      403,
      { code: 'ACCESS_REFUSED', message: 'no' },
      'ACCESS_REFUSED',
      /: no, request id-1$/,
    ],
    ['bad material', 422, { code: 'CHAIN_BROKEN', message: 'no' }, 'CHAIN_BROKEN', /: no, req/],
    ['no version', 404, { code: 'SECRET_MISSING', message: 'no' }, 'SECRET_MISSING', /: no, req/],
    ['too often', 429, { code: 'SERVICE_UNAVAILABLE', message: 'no' }, 'SERVICE_UNAVAILABLE', /no/],
    [
      'a throttle of Lambda',
      429,
      { Message: 'Rate Exceeded.' },
      'SERVICE_UNAVAILABLE',
      /status 429, request id-1/,
    ],
    ['a function that broke', 502, { Message: 'Internal' }, 'SERVICE_UNAVAILABLE', /status 502/],
    ['a page of a proxy', 503, '<html>', 'SERVICE_UNAVAILABLE', /status 503/],
    ['what nobody knows', 418, { code: 'TEAPOT', message: 'x' }, 'REQUEST_REFUSED', /status 418/],
    ['half an answer', 200, '{"version":"v', 'BUNDLE_INVALID', /JSON/],
    [
      'an answer without content',
      200,
      { version: 'v' },
      'BUNDLE_INVALID',
      /no version or no content/,
    ],
  ] as const)('%s', async (_, status, body, code, message) => {
    const { vault } = await answering(status, body)

    await expect(vault.read('color')).rejects.toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    )
  })

  test('a refusal of Lambda is told by its name: it quotes the request', async () => {
    const body = { Message: `the canonical string was x-amz-security-token:${PASSPHRASE}` }
    const headers = { 'x-amzn-errortype': 'InvalidSignatureException' }
    const { vault } = await answering(403, body, headers)

    const [result] = await Promise.allSettled([vault.read('color')])

    expect(result).toMatchObject({
      reason: {
        code: 'ACCESS_REFUSED',
        message: expect.stringContaining('InvalidSignatureException, request id-1; the role needs'),
      },
    })
    expect(String(result.status === 'rejected' && result.reason)).not.toContain(PASSPHRASE)
  })

  test('a look without a version', async () => {
    const { vault } = await answering(200, { content: '{}' })

    await expect(vault.find('color')).rejects.toThrow(
      expect.objectContaining({ code: 'BUNDLE_INVALID' }),
    )
  })
})
