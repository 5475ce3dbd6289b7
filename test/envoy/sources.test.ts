import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { first } from '../../envoy/first.ts'
import type { Source } from '../../envoy/source.ts'
import { stored } from '../../envoy/stored.ts'
import { encodeTrust } from '../../pki/bundle.ts'
import { RelayError } from '../../pki/error.ts'
import { revoke } from '../support/revoke.ts'
import { material, root, start, stopAll, textOf } from '../support/sidecar.ts'

const REGIONS = ['us-east-1', 'us-west-2', 'eu-west-1']
let folder = ''

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'certrelay-sources-'))
})
afterEach(async () => {
  await stopAll()
  await rm(folder, { recursive: true })
})

test('a file is a source, and a new one in its place is a newer version', async () => {
  const ca = await root()
  const [old, next] = [await material(ca), await material(ca)]
  const path = join(folder, 'color.json')
  const trust = join(folder, 'trust.json')
  await writeFile(path, textOf(old))
  const crl = await revoke(ca, [])
  await writeFile(trust, encodeTrust({ format: 1, anchors: ca.certificate, crl }))
  const source = from({ secret: `file:${path}`, trust: `file:${trust}` })

  const fetched = await source.fetch()
  const before = await source.look()
  await writeFile(path, textOf(next))
  const after = await source.look()

  expect(fetched.bundle.certificate).toBe(old.bundle.certificate)
  expect(fetched.trust).toMatchObject({ anchors: ca.certificate, crl })
  expect(before).toEqual({ version: fetched.version, trust: fetched.trust.version })
  expect(after.trust).toBe(before.trust)
  expect(after.version).not.toBe(before.version)
})

test('a secret that ECS injects is read once and taken out of the environment', async () => {
  const good = await material(await root())
  const environment: Record<string, string | undefined> = { MATERIAL: textOf(good) }
  const source = from({ secret: 'env:MATERIAL' }, environment)

  const one = await source.fetch()
  const [look, two] = [await source.look(), await source.fetch()]

  expect(environment).toEqual({})
  expect(look.version).toBe(one.version)
  expect(two.bundle).toEqual(one.bundle)
})

test('two versions of one certificate are told apart by nothing that is secret', async () => {
  const good = await material(await root())
  const other = await material(await root(), { passphrase: 'another' })
  const same = { ...good, passphrase: other.passphrase }
  const versionOf = async (text: string) =>
    (await from({ secret: 'env:M' }, { M: text }).look()).version

  expect(await versionOf(textOf(same))).toBe(await versionOf(textOf(good)))
})

test.each([
  ['file:/nowhere/at/all', 'SECRET_MISSING'],
  ['env:NOT_SET', 'SECRET_MISSING'],
])('%s that is not there is %s', async (secret, code) => {
  await expect(from({ secret }).fetch()).rejects.toMatchObject({ code })
})

test('what a second certificate opened is wiped when the first cannot be had', async () => {
  const good = await material(await root())
  const source = from({ secret: 'env:NOT_SET', second: 'env:M' }, { M: textOf(good) })

  await expect(source.fetch()).rejects.toMatchObject({ code: 'SECRET_MISSING' })
})

test('a region that says nothing lets the next one be asked', async () => {
  const asked: string[] = []
  const answer = await first(REGIONS, (region) => {
    asked.push(region)
    return region === 'us-west-2' ? Promise.resolve('here') : new Promise<string>(() => {})
  })

  expect(answer).toEqual({ value: 'here', region: 'us-west-2', replica: true })
  expect(asked).toEqual(['us-east-1', 'us-west-2'])
})

test('an answer that comes too late is dropped', async () => {
  const late = Promise.withResolvers<string>()
  const dropped: string[] = []

  const { region } = await first(
    REGIONS,
    (each) => (each === 'us-east-1' ? late.promise : Promise.resolve('soon')),
    (value) => void dropped.push(value),
  )
  late.resolve('late')
  await late.promise

  expect(region).toBe('us-west-2')
  expect(dropped).toEqual(['late'])
})

test('a copy that may not be read does not end the search, but is named if nobody answers', async () => {
  const refusing = (region: string) =>
    Promise.reject(
      region === 'us-west-2'
        ? new RelayError('ACCESS_REFUSED', 'no')
        : new RelayError('SERVICE_UNAVAILABLE', 'away'),
    )
  const patient = (region: string) =>
    region === 'eu-west-1' ? Promise.resolve('here') : refusing(region)

  expect((await first(REGIONS, patient)).region).toBe('eu-west-1')
  await expect(first(REGIONS, refusing)).rejects.toMatchObject({
    code: 'ACCESS_REFUSED',
    message: 'no (region us-west-2)',
  })
})

test('a source that is broken on start is named by its place, not by its content', async () => {
  await writeFile(join(folder, 'bad.json'), '{"CANARY')

  const { ended, lines } = await start(
    ['init'],
    { SECRET: `file:${folder}/bad.json` },
    from({ secret: `file:${folder}/bad.json` }),
  )

  expect(await ended).toBe(65)
  expect(lines.join()).toContain('bad.json')
  expect(lines.join()).not.toContain('CANARY')
})

function from(
  names: { readonly secret: string; readonly trust?: string; readonly second?: string },
  environment: Record<string, string | undefined> = {},
): Source {
  return stored(
    { shelves: [], keys: undefined, environment },
    { trust: undefined, second: undefined, org: undefined, ...names },
  )
}
