import { X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { keyOf, passphraseOf } from '../support/opened.ts'
import { AWAY, HOME, type Stage, stage } from '../support/stage.ts'

let on: Stage

beforeAll(async () => {
  on = await stage({ sealing: true })
  for (const name of ['sealed', 'other']) {
    const asking = { logicalId: name, properties: on.wish(name) }
    expect((await on.desk.ask('certrelay-certificate', asking)).Reason).toBe('')
  }
}, 120_000)

afterAll(async () => {
  await on.close()
  expect(on.notes).toEqual([])
})

it('a secret holds no passphrase, only a copy sealed with the key of each region', async () => {
  const { passphrase, sealedPassphrase } = await on.bundle('sealed')

  expect(passphrase).toBeUndefined()
  expect(sealedPassphrase?.copies.map(({ key }) => key)).toEqual(on.keys)
})

it.each([HOME, AWAY])('the copy of %s opens the private key', async (region) => {
  const leaf = new X509Certificate((await on.bundle('sealed')).certificate)

  expect(leaf.checkPrivateKey(await keyOf(on, 'sealed', { region }))).toBe(true)
})

it.each([HOME, AWAY])('the copy of %s opens under no other context', async (region) => {
  const { arn, labels } = await on.kept('other')
  const contexts = [
    { secret: arn },
    { version: labels['AWSCURRENT'] ?? '' },
    { org: 'another' },
    { purpose: 'key' },
  ]

  for (const context of contexts) {
    await expect(passphraseOf(on, 'sealed', { region, context })).rejects.toThrow(
      expect.objectContaining({ name: 'InvalidCiphertextException' }),
    )
  }
})

it('every certificate has a passphrase of its own', async () => {
  const [one, other] = [await passphraseOf(on, 'sealed'), await passphraseOf(on, 'other')]

  expect(one.equals(other)).toBe(false)
  expect(one.toString('ascii')).toMatch(/^[\x20-\x7e]{32,128}$/)
})
