import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeAll, expect, test } from 'vitest'
import { servedSerial } from '../../cli/traffic.ts'
import { handOver } from '../../envoy/handover.ts'
import type { Material } from '../../envoy/source.ts'
import { stored } from '../../envoy/stored.ts'
import type { Authority } from '../../local/x509/x509.ts'
import { Secret } from '../../pki/secret.ts'
import {
  freePort,
  material,
  root,
  type Sidecar,
  start,
  stopAll,
  textOf,
  until,
} from '../support/sidecar.ts'

const NAMES = ['server_cert', 'peer_ca'] as const
let ca: Authority
let good: Material
let other: Material

beforeAll(async () => {
  ca = await root()
  good = await material(ca)
  other = await material(ca)
})
afterEach(stopAll)

test('a bad version of any kind leaves the old certificate serving, and the next good one is taken', async () => {
  const { server, port, put } = await serving(good)
  const next = await material(ca)
  const text = textOf(next)
  const change = (part: Partial<Material['bundle']>) =>
    textOf({ ...next, bundle: { ...next.bundle, ...part } })
  const kinds: [string, string, RegExp][] = [
    ['half written', text.slice(0, text.length / 2), /not a JSON object/],
    ['empty', '', /not a JSON object/],
    ['64 KB of junk', 'x'.repeat(65_536), /not a JSON object/],
    ['a wrong passphrase', textOf({ ...next, passphrase: other.passphrase }), /KEY_UNREADABLE key/],
    ['a mismatched pair', change({ certificate: other.bundle.certificate }), /KEY_MISMATCH key/],
    ['expired', textOf(await material(ca, { notAfter: Date.now() - 1_000 })), /EXPIRED leaf/],
    ['no name', textOf(await material(ca, { names: [] })), /NAMES_MISSING leaf/],
    ['a key that Envoy cannot open', change(await sha512(next)), /KEY_UNSUPPORTED key/],
    ['a chain with a stray', change({ chain: other.bundle.certificate }), /CHAIN_BROKEN/],
    ['no chain to its root', textOf(await foreign()), /CHAIN_BROKEN leaf/],
  ]

  for (const [index, [kind, bad, message]] of kinds.entries()) {
    put(`bad-${index}`, bad)
    server.signal('SIGHUP')
    await until(() => server.records.length === index + 2)

    const record = server.records.at(-1)
    expect(record, kind).toMatchObject({ version: `bad-${index}`, outcome: 'refused' })
    expect(String(record?.['reason']), kind).toMatch(message)
    expect(await servedSerial('127.0.0.1', port), kind).toBe(good.bundle.facts.serial)
  }
  const kept = /^serving certificate .*; kept what serves: .* version bad-9 .*CHAIN_BROKEN/
  await until(async () => kept.test((await healthOf(server)).said))
  expect((await healthOf(server)).status).toBe(0)

  put('good-1', text)
  server.signal('SIGHUP')
  await until(() => server.records.at(-1)?.['outcome'] === 'ok')
  expect(await servedSerial('127.0.0.1', port)).toBe(next.bundle.facts.serial)
  await until(async () => !(await healthOf(server)).said.includes('kept'))
  expect(await readdir(join(server.dir, 'v'))).toEqual([good.version, 'good-1'].sort())
}, 30_000)

test('what Envoy itself refuses is rolled back at once, and does not poison the next version', async () => {
  const { server, port } = await serving(good)
  const { dir, admin } = server
  const receiver = { dir, names: NAMES, admin }
  const before = await sdsFiles(dir)

  const bad = { ...other, passphrase: Secret.from('wrong') }
  const { refused } = await handOver(receiver, bad)
  const afterwards = await sdsFiles(dir)
  const served = await servedSerial('127.0.0.1', port)
  const next = await handOver(receiver, await material(ca, { trustVersion: 'trust-2' }))

  expect(refused).toMatch(/^Envoy refused it \(sds\..*\.update_rejected\)$/)
  expect(afterwards).toEqual(before)
  expect(served).toBe(good.bundle.facts.serial)
  expect(next.refused).toBeUndefined()
  expect(await servedSerial('127.0.0.1', port)).toBe(next.meta.serial)
})

test('without an answer of Envoy nothing is named, and nothing is left behind', async () => {
  const laidOut = await start(['init'], {}, async () => good)
  await laidOut.ended
  const { dir, admin } = laidOut
  const before = await sdsFiles(dir)

  const { refused } = await handOver({ dir, names: NAMES, admin }, other)

  expect(refused).toBe('Envoy does not answer on its admin socket')
  expect(await sdsFiles(dir)).toEqual(before)
  expect(await readdir(join(dir, 'v'))).toEqual([good.version])
})

/** An Envoy that serves from a vault of one region, whose current version can be any text. */
async function serving(first: Material) {
  let now = { version: first.version, text: textOf(first) }
  const vault = {
    find: async () => ({
      arn: 'color',
      name: 'color',
      tags: {},
      versions: new Map([[now.version, ['AWSCURRENT']]]),
      deleted: false,
      replicas: [],
    }),
    read: async () => ({ version: now.version, content: Secret.from(now.text) }),
  }
  const source = stored(
    { shelves: [{ region: 'us-east-1', vault }], keys: undefined },
    { secret: 'color', second: undefined, trust: undefined, org: undefined },
  )
  const port = await freePort()
  const server = await start(['run'], { LISTEN: port, POLL: 0 }, source)
  await server.live()
  return {
    server,
    port,
    put(version: string, text: string) {
      now = { version, text }
    },
  }
}

/** The same key, but its passphrase derived with HMAC-SHA512, whose identifier is one bit away. */
async function sha512({ bundle }: Material): Promise<Pick<Material['bundle'], 'privateKey'>> {
  const [, base64 = ''] = /-----\n([\s\S]*)\n-----/.exec(bundle.privateKey) ?? []
  const hex = Buffer.from(base64, 'base64').toString('hex')
  const changed = hex.replace('2a864886f70d0209', '2a864886f70d020b')
  expect(changed).not.toBe(hex)
  const der =
    Buffer.from(changed, 'hex')
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  const label = 'ENCRYPTED PRIVATE KEY-----'
  return { privateKey: [`-----BEGIN ${label}`, ...der, `-----END ${label}`, ''].join('\n') }
}

async function foreign(): Promise<Material> {
  const made = await material(await root('Foreign Root'))
  return { ...made, bundle: { ...made.bundle, anchors: good.bundle.anchors } }
}

async function sdsFiles(dir: string): Promise<string[]> {
  return Promise.all(NAMES.map((name) => readFile(join(dir, 'sds', `${name}.json`), 'utf8')))
}

async function healthOf({ dir }: Sidecar) {
  const nobody = () => Promise.reject(new TypeError('nobody should fetch'))
  const sidecar = await start(['health'], { DIR: dir }, nobody)
  return { status: await sidecar.ended, said: `${sidecar.printed()}${sidecar.lines.join('\n')}` }
}
