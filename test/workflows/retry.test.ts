import { describe, expect, test } from 'vitest'
import { ATTEMPTS, writeTags } from '../../pki/tags.ts'
import { certificate } from '../../workflows/certificate.ts'
import { retry } from '../../workflows/retry.ts'
import { trust } from '../../workflows/trust.ts'
import { asks, holder, trusted, wanted } from '../support/asks.ts'
import { fakes, required, START } from '../support/fakes.ts'

async function made() {
  const world = await fakes()
  const { physicalId: secret } = await certificate.make(world.ports, asks(wanted()))
  const version = required(holder(world, secret, 'AWSCURRENT'))
  return { world, secret, version }
}

test('the failures are forgotten, and the secret is looked at, whether by ARN or by name', async () => {
  const { world, secret, version } = await made()
  const attempts = { version, count: 6, at: START }
  await world.ports.vault.move(secret, 'ROLLEDBACK', undefined, version)
  for (const name of [secret, 'mesh/color']) {
    await world.ports.keeper.tag(secret, writeTags({ attempts }))
    world.looks.splice(0)

    expect(await retry(world.ports, { secret: name })).toEqual({ secret, version })
    expect(Object.keys(required(world.shelf.get(secret)).tags)).not.toContain(ATTEMPTS)
    expect(world.looks).toEqual([{ secret, delay: 0 }])
  }
})

test('a secret whose certificate was never rolled back is only looked at', async () => {
  const { world, secret } = await made()
  const before = structuredClone(world.shelf.kept)

  expect(await retry(world.ports, { secret })).toEqual({ secret })
  expect(world.shelf.kept).toEqual(before)
  expect(world.looks).toEqual([{ secret, delay: 0 }])
})

test('failures that a stale answer does not show are forgotten all the same', async () => {
  const { world, secret, version } = await made()
  const stale = await world.ports.vault.find(secret)
  await world.ports.keeper.tag(secret, writeTags({ attempts: { version, count: 6, at: START } }))
  const vault = { ...world.ports.vault, find: async () => stale }
  await retry({ ...world.ports, vault }, { secret })

  expect(Object.keys(required(world.shelf.get(secret)).tags)).not.toContain(ATTEMPTS)
})

describe('refused, with nothing changed, is', () => {
  test('a secret that does not exist, or waits for its deletion', async () => {
    const { world, secret } = await made()
    await world.ports.keeper.remove(secret)

    for (const one of [secret, 'nothing'])
      await expect(retry(world.ports, { secret: one })).rejects.toThrow(
        expect.objectContaining({ code: 'SECRET_MISSING' }),
      )
    expect(world.looks).toEqual([])
  })

  test('a secret without our tag, and a trust bundle', async () => {
    const { world } = await made()
    const foreign = await world.ports.vault.create('x', { replicas: [] }, { team: 'blue' })
    const { physicalId } = await trust.make(world.ports, asks(trusted()))

    for (const secret of [foreign, physicalId])
      await expect(retry(world.ports, { secret })).rejects.toThrow(
        expect.objectContaining({ code: 'PROPERTY_INVALID' }),
      )
    expect(world.looks).toEqual([])
  })
})
