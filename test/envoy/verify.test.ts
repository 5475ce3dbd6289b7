import { beforeAll, expect, test } from 'vitest'
import type { Material } from '../../envoy/source.ts'
import { faults, verify } from '../../envoy/verify.ts'
import { type Authority, authority } from '../../local/x509/x509.ts'
import { Secret } from '../../pki/secret.ts'
import { material, root, type Wish } from '../support/sidecar.ts'

const DAY = 86_400_000
let ca: Authority
let issuer: Authority

beforeAll(async () => {
  ca = await root()
  const now = Date.now()
  const life = { notBefore: now - DAY, notAfter: now + 90 * DAY }
  issuer = await authority({ name: 'Test Issuer', parent: ca, ...life })
})

test('good material has no faults in any role', async () => {
  const good = await material(issuer)

  expect(faults(good, 'server', Date.now())).toEqual([])
  expect(faults(good, 'client', Date.now())).toEqual([])
  expect(faults(good, 'both', Date.now())).toEqual([])
})

const wishes: [string, Wish, string][] = [
  ['an expired certificate', { notAfter: Date.now() - 1_000 }, 'EXPIRED'],
  ['a certificate of tomorrow', { notBefore: Date.now() + DAY }, 'NOT_YET_VALID'],
  ['a certificate for clients only', { purposes: ['clientAuth'] }, 'USAGE_MISSING'],
  ['a certificate without names', { names: [] }, 'NAMES_MISSING'],
  ['no anchors for peers', { trust: '' }, 'PEERS_UNKNOWN'],
]
test.each(wishes)('%s is not served by a server', async (_, wish, code) => {
  const found = faults(await material(issuer, wish), 'server', Date.now())

  expect(found.map((one) => one.code)).toEqual([code])
})

test('a certificate for servers only is not shown by a client', async () => {
  const given = await material(issuer, { purposes: ['serverAuth'] })

  expect(faults(given, 'client', Date.now())[0]?.code).toBe('USAGE_MISSING')
  expect(faults(given, 'both', Date.now())[0]?.code).toBe('USAGE_MISSING')
})

test("peers' anchors that have all expired would lock everybody out", async () => {
  const good = await material(issuer)

  const found = faults(good, 'server', Date.now() + 400 * DAY)

  expect(found.map(({ code }) => code)).toContain('PEERS_UNKNOWN')
})

const damages: [string, (good: Material, other: Material) => Material, string][] = [
  [
    'the key of another certificate',
    (good, other) => ({
      ...good,
      passphrase: other.passphrase,
      bundle: { ...good.bundle, privateKey: other.bundle.privateKey },
    }),
    'BUNDLE_MISMATCH',
  ],
  [
    'a wrong passphrase',
    (good, other) => ({ ...good, passphrase: other.passphrase }),
    'BUNDLE_INVALID',
  ],
  [
    'a passphrase with a newline after it',
    (good) => ({
      ...good,
      passphrase: Secret.of(Buffer.concat([good.passphrase.reveal(), Buffer.from('\n')])),
    }),
    'BUNDLE_INVALID',
  ],
  [
    'a missing intermediate',
    (good) => ({ ...good, bundle: { ...good.bundle, chain: '' } }),
    'CHAIN_BROKEN',
  ],
  [
    'a chain that is not PEM',
    (good) => ({ ...good, bundle: { ...good.bundle, chain: 'junk' } }),
    'BUNDLE_INVALID',
  ],
]
test.each(damages)('%s stops the start', async (_, damage, code) => {
  const given = damage(await material(issuer), await material(issuer))

  expect(() => verify(given, { role: 'server', secret: 'color' }, Date.now())).toThrow(
    expect.objectContaining({ code, remedy: 'stop' }),
  )
})
