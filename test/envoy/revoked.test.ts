import { X509Certificate } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { authority } from '../../cli/authority.ts'
import type { Scene } from '../../cli/scene.ts'
import { knock } from '../../cli/traffic.ts'
import { identityIn } from '../support/identity.ts'
import { implicit } from '../support/implicit.ts'

const MUTUAL = 8443
/** Of the sidecars, milliseconds; and what Envoy takes to serve what it was told. */
const POLL = 1_000
const HOT = 1_000
let on: Scene
let outputs: Readonly<Record<string, string>>

beforeAll(async () => {
  const stage = await implicit({ hurry: true })
  on = stage.on
  outputs = stage.outputs
  for (const [name, value] of Object.entries(on.aws.environment())) vi.stubEnv(name, value)
}, 180_000)

afterAll(async () => {
  vi.unstubAllEnvs()
  await on.close()
})

async function uptime(): Promise<number> {
  return (await on.counters('api', /^server\.uptime$/)).get('server.uptime') ?? 0
}

async function counted(service: string) {
  const stats = await on.counters(service, /^listener\.in\.ssl\.fail_verify_error$/)
  return stats.get('listener.in.ssl.fail_verify_error') ?? 0
}

test('a certificate that the CLI revokes is refused by the running Envoy within a poll and a second; others go on', async () => {
  const [api = '', db = ''] = [outputs['ApiHost'], outputs['DbHost']]
  const revoked = await identityIn(on, outputs['DbSecretArn'] ?? '')
  const other = await identityIn(on, outputs['ApiSecretArn'] ?? '')
  expect(await knock(api, MUTUAL, revoked)).toBe(true)
  const up = await uptime()
  const before = await counted('api')
  const { serialNumber } = new X509Certificate(revoked.cert ?? '')
  expect(await authority(['revoke', 'mesh_db', serialNumber, '--reason', 'keyCompromise'])).toBe(0)
  await published()
  const began = performance.now()
  while (await knock(api, MUTUAL, revoked)) await pause(20)
  const took = performance.now() - began

  process.stderr.write(`envoy refused ${Math.round(took)} ms after the list was published\n`)
  expect(await counted('api')).toBeGreaterThan(before)
  expect(await knock(db, MUTUAL, other)).toBe(true)
  expect(await uptime()).toBeGreaterThanOrEqual(up) // an Envoy that began again counts from zero
  expect(took).toBeLessThan(POLL + HOT)
}, 60_000)

/** The function that publishes runs by itself after a revocation. */
async function published(): Promise<void> {
  const done = () =>
    on.aws
      .lines({ group: '/aws/lambda/certrelay-lists' })
      .some(({ message }) => message.includes('"revocation-list"'))
  await vi.waitUntil(done, { timeout: 30_000, interval: 20 })
}
