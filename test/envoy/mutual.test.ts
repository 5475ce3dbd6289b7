import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { freePort, material, pair, root, type Sidecar, start, stopAll } from '../support/sidecar.ts'

afterEach(stopAll)

test('two sidecars speak mutual TLS 1.3, and the counters prove it', async () => {
  const ca = await root()
  const { server, url } = await pair(
    () => material(ca, { names: ['color.local'] }),
    () => material(ca, { names: ['gateway.local'] }),
  )

  const answer = await fetch(url)

  expect(await answer.text()).toBe('color\n')
  expect(await tls(server)).toMatchObject({
    handshake: 1,
    no_certificate: 0,
    'versions.TLSv1.3': 1,
  })
})

test('a client is known by a SPIFFE id as well as by a DNS name', async () => {
  const ca = await root()
  const { url } = await pair(
    () => material(ca, { names: ['color.local'] }),
    () => material(ca, { names: ['spiffe://example.org/gateway'] }),
    { server: { PEER_NAMES: 'gateway.local spiffe://example.org/gateway' } },
  )

  const answer = await fetch(url)

  expect(answer.status).toBe(200)
})

test('who brings no certificate is refused and counted', async () => {
  const ca = await root()
  const port = await freePort()
  const server = await start(['run'], { LISTEN: port }, () => material(ca))
  await server.live()

  const code = await refusal(port)

  expect(code).toBe('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')
  expect(await tls(server)).toMatchObject({ fail_verify_no_cert: 1, handshake: 0 })
})

test('a client of a foreign CA is refused and counted', async () => {
  const [ca, foreign] = [await root(), await root('Foreign Root')]
  const { server, url } = await pair(
    () => material(ca, { names: ['color.local'] }),
    () => material(foreign, { names: ['gateway.local'], trust: ca.certificate }),
  )

  const answer = await fetch(url)

  expect(answer.status).toBe(503)
  expect(await tls(server)).toMatchObject({ handshake: 0, no_certificate: 0 })
  expect((await tls(server))['fail_verify_error']).toBeGreaterThan(0)
})

test('a client of the right CA with another name is refused and counted', async () => {
  const ca = await root()
  const { server, url } = await pair(
    () => material(ca, { names: ['color.local'] }),
    () => material(ca, { names: ['intruder.local'] }),
  )

  const answer = await fetch(url)

  expect(answer.status).toBe(503)
  expect((await tls(server))['fail_verify_san']).toBeGreaterThan(0)
  expect(await tls(server)).toMatchObject({ handshake: 0 })
})

test('a server of the right CA with another name is not talked to', async () => {
  const ca = await root()
  const { client, url } = await pair(
    () => material(ca, { names: ['intruder.local'] }),
    () => material(ca, { names: ['gateway.local'] }),
  )

  const answer = await fetch(url)

  const counted = await client.admin.stats(/^cluster\.upstream\.ssl\.(fail_verify_san|handshake)$/)
  expect(answer.status).toBe(503)
  expect(counted.get('cluster.upstream.ssl.fail_verify_san')).toBeGreaterThan(0)
  expect(counted.get('cluster.upstream.ssl.handshake')).toBe(0)
})

test('TLS 1.1 is refused', async () => {
  const ca = await root()
  const port = await freePort()
  const server = await start(['run'], { LISTEN: port }, () => material(ca))
  await server.live()

  const code = await refusal(port, 'TLSv1.1')

  expect(code).toBe('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
})

test('two tasks on one machine listen on the same port, each on its own address', async () => {
  const ca = await root()
  const LISTEN = await freePort()
  const task = (SECRET: string, address: string) =>
    metadata(address).then((METADATA) =>
      start(['run'], { SECRET, LISTEN, METADATA }, () => material(ca)),
    )
  const one = await task('one', '127.0.0.2')
  const other = await task('other', '127.0.0.3')

  await Promise.all([one.live(), other.live()])
  await refusal(LISTEN, 'TLSv1.3', '127.0.0.2')

  expect(await tls(one)).toMatchObject({ fail_verify_no_cert: 1 })
  expect((await tls(other))['fail_verify_no_cert'] ?? 0).toBe(0)
  expect(await refusal(LISTEN)).toBe('ECONNREFUSED')
})

/** The ECS metadata endpoint of a container with this address; it answers once. */
async function metadata(address: string): Promise<string> {
  const server = createServer((_, answer) => {
    const networks = [{ NetworkMode: 'awsvpc', IPv4Addresses: [address] }]
    answer.setHeader('connection', 'close').end(JSON.stringify({ Networks: networks }))
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new TypeError('no port')
  return `http://127.0.0.1:${bound.port}/v4/task`
}

/** The error that a client without a certificate gets, at its first read. */
async function refusal(
  port: number,
  version: 'TLSv1.1' | 'TLSv1.3' = 'TLSv1.3',
  host = '127.0.0.1',
): Promise<unknown> {
  const socket = connect({
    port,
    host,
    rejectUnauthorized: false,
    minVersion: version,
    maxVersion: version,
    ...(version === 'TLSv1.1' && { ciphers: 'DEFAULT@SECLEVEL=0' }),
  })
  socket.resume()
  const [error] = await once(socket, 'error', { signal: AbortSignal.timeout(5_000) }).catch(
    (failure: unknown) => [failure],
  )
  socket.destroy()
  return error instanceof Error && 'code' in error ? error.code : error
}

async function tls({ admin }: Sidecar): Promise<Record<string, number>> {
  const prefix = 'listener.in.ssl.'
  const found = await admin.stats(/^listener\.in\.ssl\.([a-z_]+|versions\..*)$/)
  return Object.fromEntries([...found].map(([name, value]) => [name.slice(prefix.length), value]))
}
