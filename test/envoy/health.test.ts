import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { Admin } from '../../envoy/admin.ts'
import { replace } from '../../envoy/folder.ts'
import { ailments } from '../../envoy/health.ts'
import { current, publish } from '../../envoy/layout.ts'
import { freePort, material, root, type Sidecar, start, stopAll } from '../support/sidecar.ts'

afterEach(stopAll)

test('Envoy that serves what is laid out is healthy', async () => {
  const server = await serving()

  const { status, printed } = await health(server)

  expect(status).toBe(0)
  expect(printed).toContain((await current(server.dir))?.serial)
})

test('nothing laid out, and no Envoy, are unhealthy', async () => {
  const ca = await root()
  const laidOut = await start(['init'], {}, () => material(ca))
  await laidOut.ended

  const { lines } = await health(laidOut)
  const empty = await start(['health'], {}, () => material(ca))

  expect(lines).toEqual(['unhealthy: Envoy does not answer on its admin socket'])
  expect(await empty.ended).toBe(1)
  expect(empty.lines).toEqual(['unhealthy: no certificate is laid out'])
})

test('Envoy that serves another certificate than the one laid out is unhealthy', async () => {
  const server = await serving()
  const { dir } = server
  await publish(dir, await material(await root()), [])

  const { status, lines } = await health(server)

  expect(status).toBe(1)
  expect(lines[0]).toMatch(/Envoy serves certificate [0-9a-f]+, [0-9a-f]+ is laid out/)
})

test('a refused secret makes it unhealthy', async () => {
  const server = await serving()
  const path = join(server.dir, 'sds', 'server_cert.json')
  const good = await readFile(path, 'utf8')
  await writeFile(join(server.dir, 'junk.pem'), 'junk')
  await replace(
    path,
    good.replace(/"filename":"[^"]*cert_chain.pem"/, `"filename":"${server.dir}/junk.pem"`),
  )
  const refused = /^sds\.server_cert\.update_rejected$/
  while ((await server.admin.stats(refused)).get('sds.server_cert.update_rejected') !== 1);

  const { status, lines } = await health(server)

  expect(status).toBe(1)
  expect(lines[0]).toContain('sds.server_cert.update_rejected is 1')
})

test('a rotated certificate that Envoy took is healthy', async () => {
  const ca = await root()
  const server = await serving(ca)
  await publish(server.dir, await material(ca), ['server_cert', 'peer_ca'])
  const serial = (await current(server.dir))?.serial
  while ((await server.admin.certificates())[0]?.serial !== serial);

  expect((await health(server)).status).toBe(0)
})

test('an expired certificate and contexts without material are unhealthy', async () => {
  const admin: Admin = {
    state: async () => 'LIVE',
    stats: async () =>
      new Map([
        ['listener.in.server_ssl_socket_factory.downstream_context_secrets_not_ready', 3],
        ['sds.peer_ca.update_rejected', 0],
      ]),
    certificates: async () => [],
    drain: async () => {},
    close: async () => {},
  }
  const laidOut = {
    version: 'v1',
    trust: 't1',
    serial: 'ab',
    notBefore: '2026-01-01T00:00:00.000Z',
    notAfter: '2026-02-01T00:00:00.000Z',
    fingerprint256: '',
    names: [],
  }

  const found = await ailments(admin, laidOut, Date.parse('2026-02-01T00:00:00Z'))

  expect(found).toEqual([
    'certificate ab expired at 2026-02-01T00:00:00.000Z',
    'listener.in.server_ssl_socket_factory.downstream_context_secrets_not_ready is 3',
    'Envoy has loaded no certificate, version v1 is laid out',
  ])
})

async function serving(ca?: Awaited<ReturnType<typeof root>>): Promise<Sidecar> {
  const authority = ca ?? (await root())
  const server = await start(['run'], { LISTEN: await freePort() }, () => material(authority))
  await server.live()
  return server
}

async function health({ dir }: Sidecar) {
  const nobody = () => Promise.reject(new TypeError('nobody should fetch'))
  const sidecar = await start(['health'], { DIR: dir }, nobody)
  return { status: await sidecar.ended, lines: sidecar.lines, printed: sidecar.printed() }
}
