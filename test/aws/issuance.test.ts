import { generateKeyPairSync, randomUUID, X509Certificate } from 'node:crypto'
import { ACMPCAClient } from '@aws-sdk/client-acm-pca'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { reach } from '../../aws/sidecar.ts'
import type { Seen } from '../../local/dispatch.ts'
import { pca as service } from '../../local/pca/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { demand } from '../../pki/demand.ts'
import { Secret } from '../../pki/secret.ts'
import type { Petition } from '../../ports/certifier.ts'
import { root, subordinate } from '../support/ceremony.ts'
import { client } from '../support/client.ts'

let world: Ground
let seen: Seen[]
let pca: ACMPCAClient

beforeEach(async () => {
  seen = []
  world = await open({ clock: { flow: true } }, (ground) => ({
    services: [service(ground, { delay: { create: 0, issue: 400 } })],
    seen: (one) => void seen.push(one),
  }))
  pca = new ACMPCAClient(client(world))
})
afterEach(async () => {
  pca.destroy()
  await world.close()
})

const DAY = 86_400_000
const terms = { template: 'EndEntityCertificate/V1', validity: DAY }

function petition(names = ['color.internal', 'spiffe://acme/color']): Petition {
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const { csr } = demand({ key, names }, Secret.from('unused'))
  return { csr, token: randomUUID(), at: world.clock.now() }
}

const asking = (arn: string, more = {}) =>
  reach(world.environment()).privateCa(arn, { ...terms, ...more })
const count = (operation: string) => seen.filter((one) => one.call.operation === operation).length

test('a private CA below another issues while it is asked again, and its root is the anchor', async () => {
  const above = await root(pca, world.clock)
  const arn = await subordinate(pca, world.clock, above)
  const before = count('GetCertificate')
  const { certificate, chain, anchors } = await (await asking(arn)).certify(petition())
  const [leaf, ca, top] = [certificate, chain, anchors].map((one) => new X509Certificate(one))

  expect(count('GetCertificate') - before).toBeGreaterThan(1)
  expect(leaf?.subjectAltName).toBe('DNS:color.internal, URI:spiffe://acme/color')
  expect(leaf?.verify(ca?.publicKey ?? leaf.publicKey)).toBe(true)
  expect(ca?.verify(top?.publicKey ?? ca.publicKey)).toBe(true)
  expect(top?.issuer).toBe(top?.subject)
}, 30_000)

test.each([
  ['RSA_2048', 'SHA256WITHRSA'],
  ['EC_secp384r1', 'SHA384WITHECDSA'],
] as const)(
  'a CA whose key is of %s signs with its own algorithm',
  async (keyAlgorithm, signing) => {
    const arn = await root(pca, world.clock, { keyAlgorithm, signing })
    const { certificate } = await (await asking(arn)).certify(petition())

    expect(new X509Certificate(certificate).subjectAltName).toContain('spiffe://acme/color')
  },
  30_000,
)

test('a validity of hours ends to the second, counted from the request', async () => {
  const arn = await root(pca, world.clock)
  const asked = petition()
  const { certificate } = await (await asking(arn, { validity: 5_400_000 })).certify(asked)

  expect(new X509Certificate(certificate).validToDate.getTime()).toBe(
    Math.floor((asked.at + 5_400_000) / 1000) * 1000,
  )
}, 30_000)

test('an answer that was lost is the same certificate at the next try', async () => {
  const arn = await root(pca, world.clock)
  const ca = await asking(arn)
  const asked = petition()
  world.faults.add({ service: 'acm-pca', operation: 'IssueCertificate' }, { kind: 'lost' })
  await expect(ca.certify(asked)).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE' })
  world.faults.clear()
  const [first, second] = [await ca.certify(asked), await ca.certify(asked)]

  expect(second.certificate).toBe(first.certificate)
}, 30_000)

test('a CA that is not there is missing', async () => {
  const arn = await root(pca, world.clock)
  const other = arn.replace(/[0-9a-f]{12}$/, '000000000000')

  await expect((await asking(other)).certify(petition())).rejects.toMatchObject({
    code: 'AUTHORITY_MISSING',
  })
}, 30_000)
