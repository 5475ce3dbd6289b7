import { X509Certificate } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { places, prepare } from '../../envoy/folder.ts'
import { examine } from '../../envoy/health.ts'
import { due, kept } from '../../envoy/kept.ts'
import { current, publish } from '../../envoy/layout.ts'
import { served } from '../../envoy/nginx.ts'
import type { Source } from '../../envoy/source.ts'
import { readState } from '../../envoy/state.ts'
import { verify } from '../../envoy/verify.ts'
import { RelayError } from '../../pki/error.ts'
import type { Petition } from '../../ports/certifier.ts'
import { csrOf } from '../authority/cas.ts'
import { type Mint, mint, ORDER, OWN, workbench } from '../support/certifier.ts'
import { findNginx, startNginx } from '../support/nginx.ts'
import { freePort, start, stopAll, until } from '../support/sidecar.ts'

const HOUR = 3_600_000
const nginx = await findNginx()
if (nginx === undefined) {
  const said = 'NO NGINX: that a key is made beside it is not tested'
  if (process.env['CI']) throw new Error(said)
  process.stderr.write(`\n*** ${said} ***\n\n`)
}
let now = Date.parse('2026-06-01T12:00:00Z')
let ca: Mint
let folder: string
let source: Source

beforeEach(async () => {
  now = Math.floor(Date.now() / 1000) * 1000
  ca = await mint(HOUR, () => now)
  const made = await workbench(ca, { now: () => now })
  folder = made.folder
  source = made.source
  await prepare(dir(), true, async () => 0)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const dir = () => join(folder, 'relay')

/** Fetches, checks and lays out, as init and watch do. */
async function lay(from = source) {
  const material = await from.fetch()
  verify(material, { role: 'both', secret: 'certrelay:mesh' }, now)
  return publish(dir(), material, ['server_cert', 'peer_ca'])
}

const refuse = (code: 'SERVICE_UNAVAILABLE' | 'NAME_REFUSED') => async () => {
  throw new RelayError(code, 'no')
}

describe('a key that is made here', () => {
  test('is certified for its names, and passes the check that everything passes', async () => {
    const meta = await lay()

    expect(meta.names).toEqual(['DNS:color.local', 'URI:spiffe://acme/color'])
    expect(await readFile(join(dir(), 'current', 'key.pem'), 'utf8')).toMatch(
      /^-----BEGIN ENCRYPTED PRIVATE KEY/,
    )
    expect(await source.look()).toEqual({ version: meta.version, trust: meta.version })
  })

  test.each([
    ['EC_secp384r1', 'secp384r1'],
    ['RSA_2048', 2_048],
  ] as const)('can be of %s', async (keyAlgorithm, kind) => {
    const other = await workbench(ca, { order: { ...ORDER, keyAlgorithm }, now: () => now }, folder)
    await lay(other.source)
    const chain = await readFile(join(dir(), 'current', 'cert_chain.pem'), 'utf8')
    const { namedCurve, modulusLength } =
      new X509Certificate(chain).publicKey.asymmetricKeyDetails ?? {}

    expect(namedCurve ?? modulusLength).toBe(kind)
  })

  test('is used again after a restart while it is good, and not asked for', async () => {
    const first = await lay()
    now += 30 * 60_000
    const again = await workbench(ca, { now: () => now }, folder)
    const second = await lay(again.source)

    expect(second.serial).toBe(first.serial)
    expect(ca.petitions).toHaveLength(1)
  })

  test.each([
    ['it is for other names', { ...ORDER, names: ['other.local'] }, 0],
    ['another authority is named', { ...ORDER, office: { ...ORDER.office, label: 'other' } }, 0],
    ['it has ended', ORDER, 2 * HOUR],
    ['its time to be renewed has come', ORDER, 50 * 60_000],
  ])('is not used again when %s', async (_, order, later) => {
    const first = await lay()
    now += later
    const again = await workbench(ca, { order, now: () => now }, folder)

    expect((await lay(again.source)).serial).not.toBe(first.serial)
  })

  test('is made anew when a part of the old one is gone', async () => {
    await lay()
    await rm(join(dir(), 'current', 'passphrase'))
    const again = await workbench(ca, { now: () => now }, folder)
    await lay(again.source)

    expect(ca.petitions).toHaveLength(2)
  })

  test('that is old is better than none when a task starts and nobody certifies', async () => {
    const first = await lay()
    now += 50 * 60_000
    ca.hinder(refuse('SERVICE_UNAVAILABLE'))
    const again = await workbench(ca, { now: () => now }, folder)

    expect((await lay(again.source)).serial).toBe(first.serial)
    await expect(again.source.look()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  })

  test('is not used when its certificate lacks a name that was asked for', async () => {
    const other = await mint(HOUR, () => now)
    const short = {
      async certify({ token, at }: Petition) {
        return other.certify({ csr: csrOf(), token, at })
      },
    }
    const made = await workbench(short, { now: () => now }, folder)

    await expect(lay(made.source)).rejects.toMatchObject({
      code: 'BUNDLE_MISMATCH',
      message: expect.stringMatching(/NAMES_DIFFER/),
    })
    expect(await current(dir())).toBeUndefined()
  })
})

describe('the next one', () => {
  test('is made when two thirds of a life are over, or up to a tenth of it sooner', async () => {
    const { notAfter } = await lay()
    const found = await kept(dir())
    if (found === undefined) throw new TypeError('it is laid out')
    const share = (due(found) - now) / (Date.parse(notAfter) - now)
    now = due(found) - 1
    const before = await source.look()
    now += 2
    const after = await source.look()

    expect(share).toBeGreaterThan(0.56)
    expect(share).toBeLessThan(0.67)
    expect(before.version).toBe(found.meta.version)
    expect(after.version).toBe('next')
  })

  test('is made at once for who asks for it, and then no more', async () => {
    const first = await lay()
    expect((await source.look(true)).version).toBe('next')
    const second = await lay()

    expect(second.serial).not.toBe(first.serial)
    expect((await source.look()).version).toBe(second.version)
  })

  test('waits between tries, longer each time; who asks is served at once', async () => {
    await lay()
    now += 45 * 60_000
    ca.hinder(refuse('SERVICE_UNAVAILABLE'))
    const gaps: number[] = []
    for (let tries = 0; tries < 4; tries++) {
      await source.look()
      await expect(source.fetch()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
      const failed = now
      while ((await source.look().catch(() => undefined)) === undefined) now += 500
      gaps.push(now - failed)
    }
    await expect(source.fetch()).rejects.toThrow('no')

    expect(ca.petitions).toHaveLength(6)
    for (const [index, gap] of gaps.entries()) {
      expect(gap).toBeGreaterThanOrEqual(2_500 * 2 ** index)
      expect(gap).toBeLessThan(5_501 * 2 ** index)
    }
    expect((await source.look(true)).version).toBe('next')
  })

  test('is asked for with the same request while its answer may be on its way, then with a new one', async () => {
    ca.hinder(refuse('SERVICE_UNAVAILABLE'))
    await expect(source.fetch()).rejects.toThrow()
    now += 60_000
    await expect(source.fetch()).rejects.toThrow()
    now += 240_000
    await expect(source.fetch()).rejects.toThrow()
    const [first, second, third] = ca.petitions

    expect(second).toEqual(first)
    expect(third?.token).not.toBe(first?.token)
    expect(Buffer.from(third?.csr ?? [])).not.toEqual(Buffer.from(first?.csr ?? []))
  })

  test('has another key when the one before was refused', async () => {
    ca.hinder(refuse('NAME_REFUSED'))
    await expect(source.fetch()).rejects.toMatchObject({ code: 'NAME_REFUSED' })
    await expect(source.fetch()).rejects.toMatchObject({ code: 'NAME_REFUSED' })
    const [first, second] = ca.petitions

    expect(second?.token).not.toBe(first?.token)
  })
})

describe('a trust bundle', () => {
  test('is what the peers are trusted by, and changes without a new key', async () => {
    const other = await mint(HOUR)
    let version = 'one'
    const peers = {
      version: async () => version,
      read: async () => ({ trust: { version, anchors: other.root }, replica: undefined }),
    }
    const made = await workbench(ca, { peers, now: () => now }, folder)
    const first = await lay(made.source)
    version = 'two'
    expect(await made.source.look()).toEqual({ version: first.version, trust: 'two' })
    const second = await lay(made.source)

    expect(second).toMatchObject({ trust: 'two', serial: first.serial })
    expect(await readFile(join(dir(), 'current', 'ca.pem'), 'utf8')).toBe(other.root)
    expect(ca.petitions).toHaveLength(1)
  })

  test('that cannot be read stops a start before anybody signs', async () => {
    const peers = {
      version: async () => 'one',
      read: refuse('SERVICE_UNAVAILABLE'),
    }
    const made = await workbench(ca, { peers, now: () => now }, folder)

    await expect(made.source.fetch()).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
    expect(ca.petitions).toEqual([])
  })
})

describe.skipIf(nginx === undefined)('beside a real nginx', () => {
  afterEach(stopAll)

  test('a key that was made here is served, and the next one for who asks', async () => {
    const made = await workbench(await mint(HOUR))
    const port = await freePort()
    const variables = { ...OWN, FOR: 'nginx', PEER_NAMES: '*', LISTEN: port }
    const init = await start(['init'], variables, made.source, made.folder)
    expect(await init.ended).toBe(0)
    const first = await current(init.dir)
    const server = await startNginx(nginx ?? '', made.folder, {
      port,
      include: places(init.dir).nginx,
    })
    onTestFinished(() => server.stop())
    const watching = { ...variables, PID: server.pid }
    const { looked } = await readState(init.dir)
    const stay = await start(['watch'], watching, made.source, made.folder)
    const before = await served({ host: '127.0.0.1', port })
    await until(async () => (await readState(stay.dir)).looked !== looked)
    stay.signal('SIGHUP')
    await until(() => stay.records.length > 0)

    expect(before).toBe(first?.serial)
    expect(stay.records).toMatchObject([{ outcome: 'ok', previous: first?.version }])
    expect(await served({ host: '127.0.0.1', port })).toBe((await current(stay.dir))?.serial)
  }, 60_000)
})

describe('beside a real Envoy', () => {
  afterEach(stopAll)

  test('certificates of seconds follow each other by themselves', async () => {
    const quick = await mint(7_000)
    const made = await workbench(quick)
    const variables = { ...OWN, LISTEN: await freePort(), PEER_NAMES: '*' }
    const sidecar = await start(['run'], variables, made.source, made.folder)
    await sidecar.live()
    await until(() => sidecar.records.length >= 3)
    const served = await sidecar.admin.certificates()
    const meta = await current(sidecar.dir)

    expect(sidecar.records.map((one) => [one['outcome'], one['source']])).toEqual(
      sidecar.records.map(() => ['ok', 'certrelay:mesh']),
    )
    expect(served.map(({ serial }) => serial.replace(/^0+/, ''))).toContain(meta?.serial)
    expect(quick.petitions.length).toBeGreaterThanOrEqual(3)
  }, 60_000)

  test('an authority that is out keeps nobody from serving, and is told when the end is near', async () => {
    const quick = await mint(HOUR)
    const made = await workbench(quick)
    const variables = { ...OWN, LISTEN: await freePort(), PEER_NAMES: '*' }
    const sidecar = await start(['run'], variables, made.source, made.folder)
    await sidecar.live()
    quick.hinder(refuse('SERVICE_UNAVAILABLE'))
    sidecar.signal('SIGHUP')
    await until(() => sidecar.lines.some((line) => line.includes('kept what serves')))
    const meta = await current(sidecar.dir)
    const end = Date.parse(meta?.notAfter ?? '')
    const looked = new Date(end - 20 * 60_000).toISOString()
    const health = (left: number) =>
      examine(sidecar.admin, meta, { looked, trouble: 'no', refusals: {} }, end - left)

    expect((await health(10 * 60_000)).ailments).toEqual([])
    expect((await health(5 * 60_000)).ailments.join()).toMatch(/nobody knows of a newer one/)
    quick.hinder(undefined)
    sidecar.signal('SIGHUP')
    await until(() => sidecar.records.length === 2)
    expect(sidecar.records.at(-1)).toMatchObject({ outcome: 'ok', previous: meta?.version })
  }, 60_000)
})
