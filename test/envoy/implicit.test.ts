import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { IMAGE, prepare, type Scene, scene } from '../../cli/scene.ts'
import { isolated, newKeys } from '../../cli/service.ts'
import { get, knock } from '../../cli/traffic.ts'
import { identityIn } from '../support/identity.ts'

const EXAMPLE = join(import.meta.dirname, '../../examples/implicit-trust.yml')
const MUTUAL = 8443
let on: Scene
let outputs: Readonly<Record<string, string>>

beforeAll(async () => {
  on = await scene(await prepare(() => {}), { clock: { start: Date.now(), flow: true } })
  const Keys = (await newKeys(on, 'seals passphrases')).join(',')
  await on.aws.deploy({
    name: 'certrelay',
    template: await readFile(
      join(on.artifacts, 'cloudformation-template-update-stack.json'),
      'utf8',
    ),
    parameters: { Org: 'acme', Keys, Coalesce: '1', SignFunction: await isolated(on) },
  })
  outputs = await on.aws.deploy({
    name: 'implicit-trust',
    template: await readFile(EXAMPLE, 'utf8'),
    parameters: {
      ...{ VpcId: 'vpc-0a1b2c3d4e5f60718', SubnetIds: 'subnet-0a1b2c3d4e5f60718' },
      ...{ EnvoyImage: IMAGE, DeregistrationDelay: '1', Org: 'acme', Keys },
    },
  })
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
