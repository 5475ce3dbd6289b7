import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { type Code, RelayError } from '../../pki/error.ts'
import { freePort, material, root, start, stopAll } from '../support/sidecar.ts'

afterEach(stopAll)

const nothing = () => Promise.reject(new TypeError('nobody should fetch'))

test.each([
  [[]],
  [['fly']],
  [['init', 'twice']],
  [['health', '--', 'envoy']],
  [['watch', '--', 'envoy']],
  [['init', '--colour', 'red']],
  [['init', '--role']],
  [['run', '--', 'envoy', '-c', 'mine.yaml']],
  [['run', '--', 'envoy', '--config-yaml=x']],
  [['constructor']],
])('%j is a usage error: 64', async (argv) => {
  const { ended, lines } = await start(argv, {}, nothing)

  expect(await ended).toBe(64)
  expect(lines).toHaveLength(1)
})

test('help is no error', async () => {
  const sidecar = await start(['run', '--help'], {}, nothing)

  expect(await sidecar.ended).toBe(0)
  expect(sidecar.printed()).toContain('CERTRELAY_SECRET')
})

test('bad configuration is 78, and one line names what to set', async () => {
  const { ended, lines } = await start(['run'], { LISTEN: 'x', ROLE: 'y' }, nothing)

  expect(await ended).toBe(78)
  expect(lines).toEqual([expect.stringMatching(/^CONFIG_INVALID: set .*ROLE.*LISTEN/)])
})

test('an Envoy that is not there is 78', async () => {
  const ca = await root()

  const { ended, lines } = await start(['run'], { ENVOY: '/nowhere/envoy' }, () => material(ca))

  expect(await ended).toBe(78)
  expect(lines.at(-1)).toContain('CERTRELAY_ENVOY')
})

test('a watch beside nothing is 78', async () => {
  const { ended, lines } = await start(['watch'], {}, nothing)

  expect(await ended).toBe(78)
  expect(lines).toEqual([expect.stringContaining('run certrelay-sidecar init')])
})

test('a disk is 78', async () => {
  const { ended, lines } = await start(['init'], { ALLOW_DISK: 0 }, nothing)

  expect(await ended).toBe(78)
  expect(lines[0]).toContain('mount a tmpfs')
})

test('bad material is 65, and neither is it laid out nor Envoy started', async () => {
  const ca = await root()
  const expired = { notAfter: Date.now() - 1_000 }

  const { ended, lines, dir, envoyLog } = await start(['run'], {}, () => material(ca, expired))

  expect(await ended).toBe(65)
  expect(lines.at(-1)).toContain('EXPIRED leaf')
  await expect(access(join(dir, 'sds', 'server_cert.json'))).rejects.toThrow('ENOENT')
  await expect(access(join(dir, 'bootstrap.json'))).rejects.toThrow('ENOENT')
  expect(await envoyLog()).toBe('')
})

const final: [Code, number][] = [
  ['BUNDLE_INVALID', 65],
  ['SEALED_INVALID', 65],
  ['CONTEXT_MISMATCH', 65],
  ['ACCESS_REFUSED', 77],
  ['KEY_DISABLED', 77],
]
test.each(final)('%s is %i at once', async (code, status) => {
  let asked = 0
  const fetch = () => {
    asked++
    return Promise.reject(new RelayError(code, 'cannot read secret color'))
  }

  const { ended, lines } = await start(['init'], {}, fetch)

  expect(await ended).toBe(status)
  expect(lines).toEqual([`${code}: cannot read secret color`])
  expect(asked).toBe(1)
})

const passing: [Code, number][] = [
  ['SECRET_MISSING', 66],
  ['SERVICE_UNAVAILABLE', 69],
]
test.each(passing)('%s is tried again, and %i when the deadline passes', async (code, status) => {
  let asked = 0
  const fetch = () => {
    asked++
    return Promise.reject(new RelayError(code, 'cannot read secret color'))
  }

  const { ended, lines } = await start(['init'], { DEADLINE: 1 }, fetch)

  expect(await ended).toBe(status)
  expect(asked).toBeGreaterThan(1)
  expect(lines.at(-1)).toBe(`${code}: gave up on secret color after 1 s: cannot read secret color`)
})

test('a secret that appears in time is laid out', async () => {
  const ca = await root()
  const answers = [
    () => Promise.reject(new RelayError('SECRET_MISSING', 'not yet')),
    () => material(ca),
  ]
  const fetch = () => (answers.shift() ?? nothing)()

  const { ended, dir } = await start(['init'], {}, fetch)

  expect(await ended).toBe(0)
  await access(join(dir, 'sds', 'server_cert.json'))
})

test('a source that never answers is 75', async () => {
  const never = new Promise<never>(() => {})

  const { ended, lines } = await start(['init'], { DEADLINE: 1 }, () => never)

  expect(await ended).toBe(75)
  expect(lines).toEqual([expect.stringContaining('secret color did not arrive within 1 s')])
})

test('an error that nobody expected is 70, and its message stays inside', async () => {
  const { ended, lines } = await start(['init'], {}, () => Promise.reject(new Error('CANARY')))

  expect(await ended).toBe(70)
  expect(lines).toEqual(['internal error (Error): please report it'])
})

test('the bootstrap is printed without asking for material', async () => {
  const sidecar = await start(['bootstrap'], { LISTEN: await freePort() }, nothing)

  expect(await sidecar.ended).toBe(0)
  expect(JSON.parse(sidecar.printed())).toMatchObject({ node: { id: 'color@0.0.0.0' } })
})
