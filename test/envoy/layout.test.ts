import { lstat, mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fileSystem, prepare, shred } from '../../envoy/folder.ts'
import { current, publish } from '../../envoy/layout.ts'
import { material, root } from '../support/sidecar.ts'

const NAMES = ['server_cert', 'peer_ca'] as const
let dir = ''

beforeEach(async () => {
  const parent = await mkdtemp(join(tmpdir(), 'certrelay-layout-'))
  dir = join(parent, 'relay')
  await prepare(dir, true, fileSystem)
})
afterEach(() => rm(join(dir, '..'), { recursive: true, force: true }))

test('only the owner can read what is laid out', async () => {
  await publish(dir, await material(await root(), { version: 'v1' }), NAMES)

  const modes = await Promise.all(
    [
      '',
      'v',
      'sds',
      'v/v1',
      'v/v1/key.pem',
      'v/v1/passphrase',
      'v/v1/ca.pem',
      'sds/peer_ca.json',
    ].map(async (path) => `${path} ${((await lstat(join(dir, path))).mode & 0o777).toString(8)}`),
  )
  expect(modes).toEqual([
    ' 700',
    'v 700',
    'sds 700',
    'v/v1 700',
    'v/v1/key.pem 600',
    'v/v1/passphrase 600',
    'v/v1/ca.pem 600',
    'sds/peer_ca.json 600',
  ])
})

test('key and passphrase are written as they came, without a newline after the passphrase', async () => {
  const given = await material(await root(), { version: 'v1', passphrase: 'no newline' })

  await publish(dir, given, NAMES)

  expect(await readFile(join(dir, 'v/v1/passphrase'), 'utf8')).toBe('no newline')
  expect(await readFile(join(dir, 'v/v1/key.pem'), 'utf8')).toBe(given.bundle.privateKey)
})

test('SDS files name the version and the files of its folder', async () => {
  await publish(dir, await material(await root(), { version: 'v1' }), NAMES)

  const file: unknown = JSON.parse(await readFile(join(dir, 'sds/server_cert.json'), 'utf8'))

  expect(file).toEqual({
    version_info: 'v1',
    resources: [
      {
        '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
        name: 'server_cert',
        tls_certificate: {
          certificate_chain: { filename: join(dir, 'v/v1/cert_chain.pem') },
          private_key: { filename: join(dir, 'v/v1/key.pem') },
          password: { filename: join(dir, 'v/v1/passphrase') },
        },
      },
    ],
  })
  expect(await readdir(join(dir, 'sds'))).toEqual(['peer_ca.json', 'server_cert.json'])
})

test('two versions are kept, and nothing of older ones', async () => {
  const ca = await root()
  for (const version of ['v1', 'v2', 'v3']) {
    await publish(dir, await material(ca, { version }), NAMES)
  }

  expect(await readdir(join(dir, 'v'))).toEqual(['v2', 'v3'])
  expect(await readlink(join(dir, 'current'))).toBe('v/v3')
  expect((await current(dir))?.version).toBe('v3')
})

test('a folder that Envoy may have read is never written to again', async () => {
  const ca = await root()
  await publish(dir, await material(ca, { version: 'v1' }), NAMES)
  const before = await readFile(join(dir, 'v/v1/meta.json'), 'utf8')

  await publish(dir, await material(ca, { version: 'v1' }), NAMES)

  expect(await readFile(join(dir, 'v/v1/meta.json'), 'utf8')).toBe(before)
  expect(await readlink(join(dir, 'current'))).toBe('v/v1.2')
})

test('what a killed run left behind is cleaned away', async () => {
  const ca = await root()
  await publish(dir, await material(ca, { version: 'v1' }), NAMES)
  await prepare(join(dir, 'v', 'v2.0123456789ab.new'), true, fileSystem)

  await publish(dir, await material(ca, { version: 'v2' }), NAMES)

  expect(await readdir(join(dir, 'v'))).toEqual(['v1', 'v2'])
})

test.each(['..', '../x', 'a/b', '.hidden', ''])(
  'a version called %j goes nowhere',
  async (version) => {
    const given = await material(await root(), { version })

    await expect(publish(dir, given, NAMES)).rejects.toMatchObject({ code: 'BUNDLE_INVALID' })
    expect(await readdir(join(dir, 'v'))).toEqual([])
  },
)

test('a folder on a disk is refused unless that is allowed', async () => {
  const disk = () => Promise.resolve(0xef53)
  const memory = () => Promise.resolve(0x0102_1994)

  await expect(prepare(dir, false, disk)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  await expect(prepare(dir, false, memory)).resolves.toBeUndefined()
  await expect(prepare(dir, true, disk)).resolves.toBeUndefined()
})

test('shredding a folder that is not there is no error', async () => {
  await expect(shred(join(dir, 'v', 'nobody'))).resolves.toBeUndefined()
})
