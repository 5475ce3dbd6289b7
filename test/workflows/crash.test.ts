import { describe, expect, test } from 'vitest'
import { certificate } from '../../workflows/certificate.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { trust } from '../../workflows/trust.ts'
import { asks, labels, OWNER, trusted, wanted } from '../support/asks.ts'
import { Crash, crashing } from '../support/crash.ts'
import { DAY, fakes, type World } from '../support/fakes.ts'

/** Something that is done to a world, and may be done again. */
type Deed = (world: World, ports: World['ports']) => Promise<unknown>

const request = asks(wanted({ replicas: ['us-west-2'] }))
const renaming = {
  ...request,
  type: 'update' as const,
  token: 'e'.repeat(32),
  properties: wanted({ names: ['red.mesh.internal'] }),
}
const publishing = asks(trusted())
const made = async (world: World) => {
  const { physicalId, data } = await certificate.make(world.ports, request)
  world.pass(DAY)
  const deployed = world.ports.clock.now()
  world.services.set('mesh/color', { name: 'mesh/color', state: 'active', deployed })
  world.pass(DAY)
  return { physicalId, source: data['CertificateArn'] ?? '' }
}
const known = (world: World) => world.shelf.get('mesh/color')?.arn ?? ''
const look: Deed = (world, ports) => reconcile(ports, { secret: known(world) }, () => 100_000)

const CASES: readonly [string, (world: World) => Promise<unknown>, Deed][] = [
  ['a create', async () => undefined, (_, ports) => certificate.make(ports, request)],
  [
    'an update of the name',
    made,
    (world, ports) => certificate.make(ports, { ...renaming, physicalId: known(world) }),
  ],
  [
    'an update to another secret',
    made,
    (world, ports) => {
      const properties = wanted({ secret: 'mesh/moved' })
      return certificate.make(ports, { ...renaming, properties, physicalId: known(world) })
    },
  ],
  [
    'a delete',
    made,
    (world, ports) => certificate.remove(ports, { owner: OWNER, physicalId: known(world) }),
  ],
  [
    'the publication of anchors',
    async () => undefined,
    (_, ports) => trust.make(ports, publishing),
  ],
  [
    'a look at a renewed certificate',
    async (world) => world.renewed((await made(world)).source),
    look,
  ],
  [
    'a look at one that is due',
    async (world) => {
      await made(world)
      world.pass(265 * DAY)
    },
    look,
  ],
]

/** What must be the same in the end. Serials and ARNs are not: they are made anew in each world. */
function outcome(world: World) {
  const named = new Map([...world.issues.keys()].map((arn, at) => [arn, `certificate ${at}`]))
  return {
    certificates: [...world.issues.values()].map(({ order, status, renewing }) => [
      order.names,
      status,
      renewing,
    ]),
    secrets: [...world.shelf.kept.values()].map(({ name, deleted, replicas, tags }) => ({
      name,
      deleted,
      replicas,
      labels: Object.values(labels(world, name)).sort(),
      source: named.get(tags['certrelay:source'] ?? '') ?? tags['certrelay:source'],
      tags: Object.keys(tags).sort(),
    })),
  }
}

const fresh = async (prepare: (world: World) => Promise<unknown>) => {
  const world = await fakes({ sealing: true })
  await prepare(world)
  return world
}

describe.each(CASES)('%s', (_, prepare, deed) => {
  test.each(['before', 'after'] as const)(
    'converges after a crash %s any one call',
    async (when) => {
      const straight = await fresh(prepare)
      const { ports, count } = crashing(straight.ports, -1, when)
      await deed(straight, ports)
      const expected = outcome(straight)
      expect(count.calls).toBeGreaterThan(2)

      for (let at = 0; at < count.calls; at++) {
        const world = await fresh(prepare)
        const broken = crashing(world.ports, at, when)
        await expect(deed(world, broken.ports), `call ${at}`).rejects.toThrow(Crash)
        await deed(world, world.ports)
        world.pass(180_000)
        if (deed === look) await deed(world, world.ports)

        const where = `crashed ${when} ${broken.count.last} (${at})`
        expect(outcome(world), where).toEqual(expected)
        expect(new Set(world.rolls).size, where).toBe(straight.rolls.length)
        expect(world.rolls.length, where).toBe(straight.rolls.length)
      }
    },
  )
})
