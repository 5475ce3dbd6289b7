import { readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { knock, servedSerial } from '../../cli/traffic.ts'
import { type Material, versionsOf } from '../../envoy/source.ts'
import { RelayError } from '../../pki/error.ts'
import { revoke } from '../support/revoke.ts'
import {
  freePort,
  material,
  root,
  type Sidecar,
  start,
  stopAll,
  supply,
  until,
} from '../support/sidecar.ts'

afterEach(stopAll)

const STILL = { POLL: 0 }

test('SIGHUP makes a running Envoy take the newest version, without a restart', async () => {
  const ca = await root()
  const [old, next] = [await material(ca), await material(ca)]
  const { server, port, put } = await serving(old, { HOT: 1 })
  server.signal('SIGHUP')
  await until(() => server.proofs.length === 1)

  put(next)
  server.signal('SIGHUP')
  await until(() => server.proofs.length === 2)

  expect(await servedSerial('127.0.0.1', port)).toBe(serialOf(next))
  expect(server.proofs).toEqual([versionsOf(old), versionsOf(next)])
  expect(server.records).toMatchObject([
    { action: 'hand-over', version: old.version, outcome: 'ok' },
    { version: next.version, serial: serialOf(next), previous: old.version, outcome: 'ok' },
  ])
  expect(server.lines.at(-1)).toContain(`handed over secret color version ${next.version}`)
  expect(await readlink(join(server.dir, 'current'))).toBe(`v/${next.version}`)
})

test('a newer version is noticed without being told', async () => {
  const ca = await root()
  const [old, next] = [await material(ca), await material(ca)]
  const { server, port, put } = await serving(old, { POLL: 1 })

  put(next)
  await until(() => server.records.length === 2)

  expect(await servedSerial('127.0.0.1', port)).toBe(serialOf(next))
  expect(server.proofs).toEqual([])
})

test('a watch beside an Envoy that somebody else has started hands over, and ends on SIGTERM', async () => {
  const ca = await root()
  const [old, next] = [await material(ca), await material(ca)]
  const { server, port } = await serving(old)
  const folder = join(server.dir, '..')
  const { source, put } = supply(old)
  const beside = await start(['watch'], STILL, source, folder)

  put(next)
  beside.signal('SIGHUP')
  await until(() => beside.records.length === 1)
  beside.signal('SIGTERM')

  expect(await beside.ended).toBe(0)
  expect(await servedSerial('127.0.0.1', port)).toBe(serialOf(next))
})

test("peers' anchors and revocation lists change under a running Envoy", async () => {
  const [ca, other] = [await root('Old Root'), await root('New Root')]
  const [own, peer] = [await material(ca), await material(other, { names: ['gateway.local'] })]
  const { server, port, put } = await serving(own)
  const anchors = `${ca.certificate}\n${other.certificate}`
  const knocked = () =>
    knock('127.0.0.1', port, { cert: peer.bundle.certificate, key: peer.plainKey })
  const trusting = async (version: string, crl?: string) => {
    put({ ...own, trust: { version, anchors, ...(crl !== undefined && { crl }) } })
    server.signal('SIGHUP')
    await until(() => server.records.at(-1)?.['trust'] === version)
    expect(server.records.at(-1)).toMatchObject({ outcome: 'ok' })
    return knocked()
  }
  const lists = async (...serials: string[]) =>
    (await revoke(ca, [])) + (await revoke(other, serials))

  expect(await knocked()).toBe(false)
  expect(await trusting('both')).toBe(true)
  expect(await trusting('lists', await lists())).toBe(true)
  expect(await trusting('revoked', await lists(serialOf(peer)))).toBe(false)
})

test('an RSA and an ECDSA certificate rotate together, and each client gets the one that it knows', async () => {
  const ca = await root()
  const both = async () => ({
    ...(await material(ca)),
    second: await material(ca, { algorithm: 'RSA_2048' }),
  })
  const [old, next] = [await both(), await both()]
  const { server, put } = await serving(old, { SECOND: 'color-rsa' })
  const shown = async () => new Set((await server.admin.certificates()).map((one) => one.serial))
  expect(await shown()).toEqual(new Set([serialOf(old), serialOf(old.second)]))

  put({ ...old, second: next.second })
  server.signal('SIGHUP')
  await until(() => server.records.length === 2)

  expect(await shown()).toEqual(new Set([serialOf(old), serialOf(next.second)]))
  expect(server.records[1]).toMatchObject({ second: next.second.version, outcome: 'ok' })
})

test('the source may be away: what serves goes on, and health says so', async () => {
  const good = await material(await root())
  const { source } = supply(good)
  const LISTEN = await freePort()
  const away = new RelayError('SERVICE_UNAVAILABLE', 'no region answers')
  let looks = 0
  const look = () => {
    looks++
    return Promise.reject(away)
  }
  const server = await start(['run'], { LISTEN, ...STILL }, { ...source, look })
  await server.live()

  server.signal('SIGHUP')
  await until(() => server.lines.some((line) => line.includes('no region answers')))
  server.signal('SIGHUP')
  await until(() => looks === 2)

  expect(await healthOf(server)).toEqual({
    status: 0,
    said: expect.stringContaining('; kept what serves: SERVICE_UNAVAILABLE: no region answers'),
  })
  expect(server.lines.filter((line) => line.includes('no region answers'))).toHaveLength(1)
})

test('a copy in another region that lags behind does not bring an older version back', async () => {
  const ca = await root()
  const [old, next] = [await material(ca), await material(ca)]
  const { server, port, put } = await serving(old)
  put(next)
  server.signal('SIGHUP')
  await until(() => server.records.length === 2)

  put({ ...old, replica: 'us-west-2' })
  server.signal('SIGHUP')
  await until(() => server.lines.some((line) => line.includes('us-west-2 has an older version')))

  expect(await servedSerial('127.0.0.1', port)).toBe(serialOf(next))
  expect(await readdir(join(server.dir, 'v'))).toHaveLength(2)
})

async function serving(given: Material, variables: Record<string, string | number> = {}) {
  const { source, put } = supply(given)
  const port = await freePort()
  const server = await start(['run'], { LISTEN: port, ...STILL, ...variables }, source)
  await server.live()
  return { server, port, put }
}

async function healthOf({ dir }: Sidecar) {
  const nobody = () => Promise.reject(new TypeError('nobody should fetch'))
  const sidecar = await start(['health'], { DIR: dir }, nobody)
  return { status: await sidecar.ended, said: `${sidecar.printed()}${sidecar.lines.join('\n')}` }
}

function serialOf({ bundle }: Pick<Material, 'bundle'>): string {
  return bundle.facts.serial
}
