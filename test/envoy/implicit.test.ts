import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Scene } from '../../cli/scene.ts'
import { get, knock } from '../../cli/traffic.ts'
import { identityIn } from '../support/identity.ts'
import { implicit } from '../support/implicit.ts'

const MUTUAL = 8443
let on: Scene
let outputs: Readonly<Record<string, string>>

beforeAll(async () => {
  const stage = await implicit()
  on = stage.on
  outputs = stage.outputs
}, 120_000)

afterAll(async () => {
  await on.close()
})

test('the API reaches the database by mutual TLS', async () => {
  expect(await get(outputs['ApiUrl'] ?? '')).toMatchObject({ status: 200 })
})

/** Handshakes and refusals that the Envoys of a service have counted. */
async function counted(service: 'api' | 'db') {
  const stats = await on.counters(service, /^listener\.in\.ssl\.(handshake|fail_verify_error)$/)
  const of = (name: string) => stats.get(`listener.in.ssl.${name}`) ?? 0
  return { handshakes: of('handshake'), refused: of('fail_verify_error') }
}

test.each([
  ['api', 'the certificate of its own CA is refused', 'Api', false],
  ['api', 'the certificate of the database’s CA is taken', 'Db', true],
  ['db', 'the certificate of its own CA is refused', 'Db', false],
  ['db', 'the certificate of the API’s CA is taken', 'Api', true],
] as const)('at %s %s', async (service, _, whose, isTaken) => {
  const identity = await identityIn(on, outputs[`${whose}SecretArn`] ?? '')
  const before = await counted(service)
  const host = outputs[service === 'api' ? 'ApiHost' : 'DbHost'] ?? ''

  expect(await knock(host, MUTUAL, identity)).toBe(isTaken)
  const now = await counted(service)
  expect(now.refused - before.refused).toBe(isTaken ? 0 : 1)
  if (isTaken) expect(now.handshakes).toBeGreaterThan(before.handshakes)
})
