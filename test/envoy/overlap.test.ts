import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { FRESH } from '../../authority/store.ts'
import { authority } from '../../cli/authority.ts'
import type { Scene } from '../../cli/scene.ts'
import { type Identity, knock } from '../../cli/traffic.ts'
import { demand } from '../../pki/demand.ts'
import { pem, pemBlocks } from '../../pki/pem.ts'
import { Secret } from '../../pki/secret.ts'
import { implicit } from '../support/implicit.ts'
import { invoked } from '../support/invoked.ts'

const MUTUAL = 8443
const SOON = { timeout: 30_000, interval: 50 }
let on: Scene
let api: string
let declare: Awaited<ReturnType<typeof implicit>>['declare']

beforeAll(async () => {
  const stage = await implicit({ hurry: true, slow: 2 * FRESH })
  on = stage.on
  declare = stage.declare
  api = stage.outputs['ApiHost'] ?? ''
  for (const [name, value] of Object.entries(on.aws.environment())) vi.stubEnv(name, value)
}, 180_000)

afterAll(async () => {
  vi.unstubAllEnvs()
  await on.close()
})

interface Held extends Identity {
  readonly serial: string
  /** PEM of the root that signed it. */
  readonly root: string
}

/** Has the database's authority certify a key of our own. */
async function certified(): Promise<Held> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { csr } = demand({ key: privateKey, names: ['db.mesh.internal'] }, Secret.from('unused'))
  const answer = await invoked(on.aws, {
    sign: { authority: 'mesh_db', csr: pem('CERTIFICATE REQUEST', csr) },
  })
  const cert = String(answer['certificate'])
  const { serialNumber: serial } = new X509Certificate(cert)
  const roots = (pemBlocks(String(answer['anchors'])) ?? []).map(({ pem }) => pem)
  const signed = (one: string) =>
    new X509Certificate(cert).verify(new X509Certificate(one).publicKey)
  const key = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()
  return { cert, key, serial, root: roots.find(signed) ?? '' }
}

/** An authority’s roots are one of the lists that its resource has in the example. */
const rooted = (roots: string) => (template: string) => {
  const [before, after] = template.split('  DbAuthority:')
  return `${before}  DbAuthority:${after?.replace("Roots: ['1']", `Roots: [${roots}]`)}`
}

test('an Envoy that trusts two roots of one name refuses what either has revoked, and nothing else', async () => {
  const [old, spared] = [await certified(), await certified()]
  await declare(rooted("'1', '2'"))
  await declare(rooted("'2', '1'"))
  await on.aws.clock.advance(FRESH)
  const fresh = await certified()
  expect(new X509Certificate(fresh.root).subject).toBe(new X509Certificate(old.root).subject)
  expect(fresh.root).not.toBe(old.root)
  await vi.waitUntil(() => knock(api, MUTUAL, fresh), SOON)
  expect(await knock(api, MUTUAL, old)).toBe(true)

  expect(await authority(['revoke', 'mesh_db', old.serial])).toBe(0)
  await vi.waitUntil(async () => !(await knock(api, MUTUAL, old)), SOON)
  expect(await knock(api, MUTUAL, spared)).toBe(true)
  expect(await knock(api, MUTUAL, fresh)).toBe(true)

  expect(await authority(['revoke', 'mesh_db', fresh.serial])).toBe(0)
  await vi.waitUntil(async () => !(await knock(api, MUTUAL, fresh)), SOON)
  expect(await knock(api, MUTUAL, spared)).toBe(true)
}, 180_000)
