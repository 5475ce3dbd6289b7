import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { KMSClient } from '@aws-sdk/client-kms'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { keyhole } from '../../aws/kms.ts'
import { failover } from '../../middleware/failover.ts'
import type { Context } from '../../pki/sealed.ts'
import { Secret } from '../../pki/secret.ts'
import { EAST, keyOf, quiet, WEST } from '../support/regions.ts'

// What the real SDK makes of what a network does, over real connections: region 1 misbehaves, region 2 answers.

const context: Context = { org: 'acme', purpose: 'passphrase', secret: 'arn:s', version: 'v1' }
const copies = [EAST, WEST].map((name) => ({ key: keyOf(name), blob: 'AAAA' }))
const JSON_TYPE = { 'content-type': 'application/x-amz-json-1.1' }
const clients: KMSClient[] = []
afterAll(() => {
  for (const client of clients) client.destroy()
})

const well: RequestListener = (_, response) => {
  const Plaintext = Buffer.from('open sesame').toString('base64')
  response.setHeader('x-amzn-requestid', 'well-1')
  response.writeHead(200, JSON_TYPE).end(JSON.stringify({ KeyId: keyOf(WEST), Plaintext }))
}
const says =
  (status: number, body: string): RequestListener =>
  (_, response) => {
    response.setHeader('x-amzn-requestid', 'sick-1')
    response.writeHead(status, JSON_TYPE).end(body)
  }
const names = (status: number, name: string) =>
  says(status, JSON.stringify({ __type: `com.amazonaws.kms#${name}`, message: 'as told' }))

async function served(listener: RequestListener): Promise<number> {
  const server: Server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close().closeAllConnections())
  return portOf(server)
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new TypeError('no port')
  return address.port
}

/** A port on which nobody listens. */
async function closed(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const port = portOf(server)
  server.close()
  await once(server, 'close')
  return port
}

/** A failover over real clients, as aws/index.ts configures them but for their patience, and the attempts that it writes down. */
function house(endpoints: readonly string[], requestTimeout = 1_000) {
  const holes = [EAST, WEST].map((region, index) => {
    const client = new KMSClient({
      region,
      endpoint: endpoints[index] ?? '',
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'none' },
      maxAttempts: 1,
      requestHandler: {
        connectionTimeout: 500,
        requestTimeout: index === 0 ? requestTimeout : 1_000,
        throwOnRequestTimeout: true,
      },
    })
    clients.push(client)
    return keyhole(client, region, keyOf(region))
  })
  const attempts: unknown[] = []
  const audit = (_: unknown, tried: readonly unknown[]) => void attempts.push(...tried)
  return { ...failover(holes, { ...quiet(), audit }), attempts }
}

/** What came of opening, and what each region was said to have done; region 2 is well. */
async function opened(endpoint: string, requestTimeout?: number) {
  const away = `http://127.0.0.1:${await served(well)}`
  const { open, attempts } = house([endpoint, away], requestTimeout)
  const secret = await open({ v: 1, copies }, context).catch((error: unknown) => error)
  return { secret, attempts }
}

test.each([
  ['breaks the connection', (request) => void request.socket.destroy(), 'transport', 'ECONNRESET'],
  [
    'breaks it in the middle of its answer',
    (_, response) => {
      response.writeHead(200, { ...JSON_TYPE, 'content-length': 1_000 }).flushHeaders()
      response.write('{')
      setImmediate(() => response.socket?.resetAndDestroy())
    },
    'transport',
    'ECONNRESET',
  ],
  ['answers 500', names(500, 'KMSInternalException'), 'server', 'KMSInternalException'],
  ['answers 503 with a page', says(503, '<html>busy</html>'), 'server', /./],
  ['answers 502 with nothing', says(502, ''), 'server', /./],
  ['answers 429', says(429, '{}'), 'throttle', /./],
  ['throttles', names(400, 'ThrottlingException'), 'throttle', 'ThrottlingException'],
] as const satisfies readonly (readonly [string, RequestListener, string, string | RegExp])[])(
  'a region that %s is passed over',
  async (_, listener, outcome, error) => {
    const { secret, attempts } = await opened(`http://127.0.0.1:${await served(listener)}`)

    expect(secret).not.toBeInstanceOf(Error)
    expect(attempts.slice(0, 2)).toMatchObject([
      { region: EAST, lane: 'primary', outcome, error: expect.stringMatching(error) },
      { region: WEST, outcome: 'ok', kmsRequestId: 'well-1' },
    ])
  },
)

test('a region on whose port nobody listens is passed over', async () => {
  const { secret, attempts } = await opened(`http://127.0.0.1:${await closed()}`)

  expect(secret).not.toBeInstanceOf(Error)
  expect(attempts).toMatchObject([
    { outcome: 'transport', error: 'ECONNREFUSED' },
    { outcome: 'ok' },
  ])
})

test('a region with which TLS fails is passed over', async () => {
  const { secret, attempts } = await opened(`https://127.0.0.1:${await served(well)}`)

  expect(secret).not.toBeInstanceOf(Error)
  expect(attempts).toMatchObject([
    { outcome: 'transport', error: expect.stringMatching(/^(EPROTO|ERR_SSL_)/) },
    { outcome: 'ok' },
  ])
})

test('a region that says nothing is passed over, whether the hedge or the time-out of the SDK is first', async () => {
  const silent = await served(() => {})
  const hedged = await opened(`http://127.0.0.1:${silent}`)
  const late = await opened(`http://127.0.0.1:${silent}`, 20)

  expect(hedged.attempts).toMatchObject([
    { region: EAST, outcome: 'aborted' },
    { region: WEST, lane: 'hedge', outcome: 'ok' },
  ])
  expect(late.attempts).toMatchObject([
    { region: EAST, outcome: 'transport', error: 'ETIMEDOUT' },
    { region: WEST, lane: 'primary', outcome: 'ok' },
  ])
})

test.each([
  ['AccessDeniedException', 'denied', 'ACCESS_REFUSED'],
  ['DisabledException', 'key-state', 'KEY_DISABLED'],
  ['InvalidCiphertextException', 'integrity', 'CONTEXT_MISMATCH'],
  ['ExpiredTokenException', 'credentials', 'ACCESS_REFUSED'],
  ['ValidationException', 'caller', 'CONFIG_INVALID'],
])('a region that answers %s ends the search', async (name, outcome, code) => {
  const { secret, attempts } = await opened(`http://127.0.0.1:${await served(names(400, name))}`)

  expect(secret).toMatchObject({ code })
  expect(attempts).toMatchObject([{ region: EAST, outcome, error: name, kmsRequestId: 'sick-1' }])
  expect(attempts).toHaveLength(1)
})

test('a container that finds all its kept connections dead seals and opens over fresh ones', async () => {
  const sockets = new Set<unknown>()
  /** Answers a connection's first request; whoever uses it again finds it dead, as after hours in a frozen container. */
  const forgets =
    (region: string): RequestListener =>
    (request, response) => {
      if (sockets.has(request.socket)) return void request.socket.destroy()
      sockets.add(request.socket)
      const text = Buffer.from('open sesame').toString('base64')
      const answer = { KeyId: keyOf(region), Plaintext: text, CiphertextBlob: 'AAAA' }
      response.writeHead(200, JSON_TYPE).end(JSON.stringify(answer))
    }
  const ports = await Promise.all([EAST, WEST].map((region) => served(forgets(region))))
  const { seal, open, attempts } = house(ports.map((port) => `http://127.0.0.1:${port}`))
  const sealed = await seal(Secret.from('open sesame'), context)
  attempts.length = 0
  const opened = await open(sealed, context)

  expect(Buffer.from(opened.reveal()).toString()).toBe('open sesame')
  expect(attempts).toMatchObject([
    { region: EAST, error: 'ECONNRESET' },
    { region: WEST, error: 'ECONNRESET' },
    { region: EAST, outcome: 'ok' },
  ])
  expect((await seal(Secret.from('open sesame'), context)).copies).toHaveLength(2)
})
