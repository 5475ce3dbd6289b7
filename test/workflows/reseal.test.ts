import { describe, expect, test } from 'vitest'
import { parseBundle } from '../../pki/bundle.ts'
import { RelayError } from '../../pki/error.ts'
import { keySet } from '../../pki/sealed.ts'
import { Secret } from '../../pki/secret.ts'
import { readTags } from '../../pki/tags.ts'
import type { Keys } from '../../ports/keys.ts'
import { certificate } from '../../workflows/certificate.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { asks, wanted } from '../support/asks.ts'
import { fakes, type World } from '../support/fakes.ts'
import { EAST, house, keyOf, region, sdk, still, WEST } from '../support/regions.ts'

/** Keys in regions that are always at hand, in no time. */
function regions() {
  const time = still()
  const [east, west] = [region(EAST, time), region(WEST, time)]
  const over = (...all: Parameters<typeof house>[0]): Keys => {
    const keys = house(all, time, { minRegions: 1 })
    return {
      keys: keys.keys,
      seal: (bytes, context) => time.until(keys.seal(bytes, context)),
      open: (sealed, context) => time.until(keys.open(sealed, context)),
    }
  }
  return { time, east, west, over }
}

async function made(keys: Keys | undefined) {
  const world = await fakes()
  const ports = { ...world.ports, keys }
  const { physicalId: secret } = await certificate.make(
    ports,
    asks(wanted({ services: ['mesh/color'] })),
  )
  world.services.set('mesh/color', {
    name: 'mesh/color',
    state: 'active',
    deployments: [{ began: Date.parse('2027-01-01'), state: 'completed' }],
  })
  const look = async (with_: Keys | undefined) => {
    const [one] = await reconcile({ ...world.ports, keys: with_ }, { secret }, () => 100_000)
    return one?.step
  }
  return { world, secret, look }
}

async function current(world: World, secret: string) {
  const held = await world.ports.vault.find(secret)
  const version = [...(held?.versions ?? [])].find(([, labels]) =>
    labels.includes('AWSCURRENT'),
  )?.[0]
  const { content } = await world.ports.vault.read(secret, version)
  const bundle = parseBundle(Buffer.from(content.reveal()).toString())
  return { version: version ?? '', bundle, tags: readTags(held?.tags ?? {}) }
}

const context = (secret: string, version: string) => ({
  ...{ org: 'example', purpose: 'passphrase' as const, secret, version },
})

describe('a value that was sealed while a region was out', () => {
  test('is sealed anew once the region is back, and nothing is rolled out for it', async () => {
    const { east, west, over } = regions()
    const keys = over(east, west)
    west.mood = { fails: sdk('KMSInternalException', { $metadata: { httpStatusCode: 500 } }) }
    const { world, secret, look } = await made(keys)
    const before = await current(world, secret)
    expect(before.bundle.sealedPassphrase?.copies.map(({ key }) => key)).toEqual([keyOf(EAST)])
    expect(await look(keys)).toBe('done')
    expect((await current(world, secret)).version).toBe(before.version)
    expect(world.lines.map(({ event }) => event)).toContain('not-resealed')

    west.mood = { ms: 5 }
    expect(await look(keys)).toBe('done')

    const after = await current(world, secret)
    expect(after.version).toBe(`${before.version}-1`)
    expect(after.bundle.facts).toEqual(before.bundle.facts)
    expect(after.bundle.privateKey).toBe(before.bundle.privateKey)
    expect(after.bundle.sealedPassphrase?.copies.map(({ key }) => key)).toEqual([
      keyOf(EAST),
      keyOf(WEST),
    ])
    expect(after.tags?.sealed).toEqual({ version: after.version, set: keySet(keys.keys) })
    expect(world.rolls).toEqual([])
  })

  test('opens in the new version to the same passphrase, and not under the old version', async () => {
    const { east, west, over } = regions()
    const { world, secret, look } = await made(over(east))
    const keys = over(east, west)
    const before = await current(world, secret)
    await look(keys)
    const { version, bundle } = await current(world, secret)
    const sealed = bundle.sealedPassphrase
    if (sealed === undefined || before.bundle.sealedPassphrase === undefined)
      throw new TypeError('sealed')
    const first = await over(east).open(
      before.bundle.sealedPassphrase,
      context(secret, before.version),
    )

    const second = await keys.open(sealed, context(secret, version))
    expect(Buffer.from(second.reveal()).equals(Buffer.from(first.reveal()))).toBe(true)
    await expect(keys.open(sealed, context(secret, before.version))).rejects.toMatchObject({
      code: 'CONTEXT_MISMATCH',
    })
  })
})

describe('other keys', () => {
  test('added: a look seals under them', async () => {
    const { east, west, over } = regions()
    const { world, secret, look } = await made(over(east))
    await look(over(east, west))

    const { bundle } = await current(world, secret)
    expect(bundle.sealedPassphrase?.copies).toHaveLength(2)
  })

  test('changed: the former one opens, and the new ones seal', async () => {
    const { time, east, west, over } = regions()
    const { world, secret, look } = await made(over(east, west))
    const fresh = region('eu-west-1', time)
    await look(over(east, fresh, region(WEST, time, { former: true })))

    const { bundle } = await current(world, secret)
    expect(bundle.sealedPassphrase?.copies.map(({ key }) => key)).toEqual([
      keyOf(EAST),
      keyOf('eu-west-1'),
    ])
  })

  test('for the first time: what lay open is sealed', async () => {
    const { east, west, over } = regions()
    const { world, secret, look } = await made(undefined)
    expect((await current(world, secret)).bundle.passphrase).toBeInstanceOf(Secret)
    await look(over(east, west))

    const { bundle } = await current(world, secret)
    expect(bundle.passphrase).toBeUndefined()
    expect(bundle.sealedPassphrase?.copies).toHaveLength(2)
  })
})

test('a value that is sealed as it should be is read once and then known by its tag', async () => {
  const { east, west, over } = regions()
  const keys = over(east, west)
  const { world, secret, look } = await made(keys)
  await look(keys)
  const lines = world.lines.length
  await look(keys)

  expect((await current(world, secret)).version).toHaveLength(36)
  expect(world.lines.slice(lines).map(({ event }) => event)).not.toContain('reseal')
})

test('a certificate that was sealed anew is renewed as any other', async () => {
  const { east, west, over } = regions()
  const { world, secret, look } = await made(over(east))
  const keys = over(east, west)
  await look(keys)
  for (const arn of world.issues.keys()) await world.renewed(arn)
  await look(keys)

  const { version, bundle } = await current(world, secret)
  expect(version).toHaveLength(36)
  expect(bundle.sealedPassphrase?.copies).toHaveLength(2)
})

test('a run that died after storing goes on from there', async () => {
  const { east, west, over } = regions()
  const { world, secret, look } = await made(over(east))
  const keys = over(east, west)
  const { vault } = world.ports
  const dying = {
    ...world.ports,
    keys,
    vault: {
      ...vault,
      move: async () => {
        throw new RelayError('SERVICE_UNAVAILABLE', 'died')
      },
    },
  }
  await reconcile(dying, { secret }, () => 100_000).catch(() => undefined)
  expect(await look(keys)).toBe('done')

  const { version, bundle } = await current(world, secret)
  expect(version.slice(36)).toBe('-1')
  expect(bundle.sealedPassphrase?.copies).toHaveLength(2)
})
