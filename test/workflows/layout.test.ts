import { createPrivateKey, X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { certificate } from '../../workflows/certificate.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { asks, holder, wanted } from '../support/asks.ts'
import { fakes, required, type World } from '../support/fakes.ts'

const plenty = () => 100_000

/** A world in which passphrases are sealed, and one secret for readers of the walkthrough. */
async function walkthrough() {
  const world = await fakes({ sealing: true })
  const asked = asks(wanted({ layout: 'walkthrough', services: [] }))
  const { physicalId: secret, data } = await certificate.make(world.ports, asked)
  const look = () => reconcile(world.ports, { secret }, plenty)
  return { world, secret, source: data['CertificateArn'] ?? '', look }
}

/** What a reader of the walkthrough does: the key opens with the base64 of `Passphrase`, and fits. */
async function read(world: World, secret: string) {
  const version = required(holder(world, secret, 'AWSCURRENT'))
  const { content } = await world.ports.vault.read(secret, version)
  const stored: Record<string, string> = JSON.parse(Buffer.from(content.reveal()).toString())
  const passphrase = Buffer.from(stored['Passphrase'] ?? '').toString('base64')
  const key = createPrivateKey({ key: stored['GatewayPrivateKey'] ?? '', passphrase })
  const leaf = new X509Certificate(stored['GatewayCertificate'] ?? '')
  return { version, members: Object.keys(stored), fits: leaf.checkPrivateKey(key), leaf }
}
const MEMBERS = ['Passphrase', 'GatewayCertificate', 'GatewayCertificateChain', 'GatewayPrivateKey']

test('Layout: walkthrough writes the four fields, and opens for who reads them', async () => {
  const { world, secret } = await walkthrough()

  const { members, fits } = await read(world, secret)

  expect(members).toEqual(MEMBERS)
  expect(fits).toBe(true)
  expect(world.shelf.get(secret)?.tags['certrelay:layout']).toBe('walkthrough')
})

test('a renewal keeps the layout', async () => {
  const { world, secret, source, look } = await walkthrough()
  const before = await read(world, secret)
  await look()
  await world.renewed(source)

  const ends = await look()

  const after = await read(world, secret)
  expect(after.version).not.toBe(before.version)
  expect(after.leaf.serialNumber).not.toBe(before.leaf.serialNumber)
  expect(after.members).toEqual(MEMBERS)
  expect(after.fits).toBe(true)
  expect(ends).toMatchObject([{ secret }])
})

test('it is left alone where passphrases are sealed: it has no place for a seal', async () => {
  const { world, secret, look } = await walkthrough()
  const { version } = await read(world, secret)

  await look()
  const [end] = await look()

  expect(end?.step).toBe('done')
  expect(await read(world, secret)).toMatchObject({ version, members: MEMBERS })
})

test('without Layout a secret is a bundle of format 1, and has no tag for it', async () => {
  const world = await fakes()
  const { physicalId: secret } = await certificate.make(world.ports, asks(wanted()))

  const version = holder(world, secret, 'AWSCURRENT')
  const { content } = await world.ports.vault.read(secret, version)

  expect(JSON.parse(Buffer.from(content.reveal()).toString())).toMatchObject({ format: 1 })
  expect(world.shelf.get(secret)?.tags).not.toHaveProperty('certrelay:layout')
})
