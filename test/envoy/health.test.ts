import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { Admin, Loaded } from '../../envoy/admin.ts'
import { replace } from '../../envoy/folder.ts'
import { examine } from '../../envoy/health.ts'
import { current, publish } from '../../envoy/layout.ts'
import type { Meta } from '../../envoy/meta.ts'
import type { State } from '../../envoy/state.ts'
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

const laidOut: Meta = {
  version: 'v1',
  trust: 't1',
  serial: 'ab',
  notBefore: '2026-01-01T00:00:00.000Z',
  notAfter: '2026-02-01T00:00:00.000Z',
  fingerprint256: '',
  names: [],
  anchors: ['ca'],
}
const END = Date.parse(laidOut.notAfter)
const HOUR = 3_600_000
const calm = { refusals: {} }

test('an expired certificate and contexts without material are unhealthy', async () => {
  const counter = 'listener.in.server_ssl_socket_factory.downstream_context_secrets_not_ready'
  const admin = fake({
    certificates: [],
    stats: { [counter]: 3, 'sds.peer_ca.update_rejected': 0 },
  })

  const { ailments } = await examine(admin, laidOut, calm, END)

  expect(ailments).toEqual([
    'certificate ab expired at 2026-02-01T00:00:00.000Z',
    'listener.in.server_ssl_socket_factory.downstream_context_secrets_not_ready is 3',
    'Envoy has loaded no certificate, version v1 is laid out',
  ])
})

test('near the end it is unhealthy, unless somebody knew a moment ago that nothing is newer', async () => {
  const near = END - 23 * HOUR
  const looked = (hours: number) => ({
    ...calm,
    looked: new Date(near - hours * HOUR).toISOString(),
  })

  const at = async (now: number, state: State) =>
    (await examine(fake({}), laidOut, state, now)).ailments.length

  expect(await at(END - 25 * HOUR, calm)).toBe(0)
  expect(await at(near, calm)).toBe(1)
  expect(await at(near, looked(2))).toBe(1)
  expect(await at(near, looked(0.5))).toBe(0)
  expect(await at(END, looked(-22.9))).toBe(1)
})

test('a refusal that was rolled back is a remark, the next one is not', async () => {
  const state = { refusals: { 'sds.server_cert.update_rejected': 1 }, trouble: 'rolled back' }
  const counted = (count: number) => fake({ stats: { 'sds.server_cert.update_rejected': count } })

  const one = await examine(counted(1), laidOut, state, END - 99 * HOUR)
  const two = await examine(counted(2), laidOut, state, END - 99 * HOUR)

  expect(one).toEqual({ ailments: [], remarks: ['kept what serves: rolled back'] })
  expect(two.ailments).toEqual(['sds.server_cert.update_rejected is 2'])
})

test('other anchors than those laid out, and ended revocation lists, are unhealthy', async () => {
  const certificates = [{ serial: 'ab', expires: '', anchors: ['cb'] }]
  const lists = { ...laidOut, listsUntil: new Date(END - 99 * HOUR).toISOString() }

  const astray = await examine(fake({ certificates }), laidOut, calm, END - 99 * HOUR)
  const ended = await examine(fake({}), lists, calm, END - 99 * HOUR)

  expect(astray.ailments).toEqual([
    'Envoy trusts other anchors than version t1 of the trust bundle',
  ])
  expect(ended.ailments[0]).toContain('revocation lists ended')
})

test('a day before revocation lists end it is a remark', async () => {
  const now = END - 99 * HOUR
  const at = async (hours: number) => {
    const lists = { ...laidOut, listsUntil: new Date(now + hours * HOUR).toISOString() }
    return examine(fake({}), lists, calm, now)
  }

  expect(await at(25)).toEqual({ ailments: [], remarks: [] })
  expect(await at(23)).toEqual({
    ailments: [],
    remarks: [expect.stringMatching(/^revocation lists end at .*Z: publish newer ones$/)],
  })
})

/** An Envoy that is live and serves what is laid out, unless told otherwise. */
function fake({
  certificates = [{ serial: 'ab', expires: '', anchors: ['ca'] }],
  stats = {},
}: {
  readonly certificates?: readonly Loaded[]
  readonly stats?: Readonly<Record<string, number>>
}): Admin {
  return {
    state: async () => 'LIVE',
    stats: async () => new Map(Object.entries(stats)),
    certificates: async () => certificates,
    drain: async () => {},
    close: async () => {},
  }
}

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
