import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { RelayError } from '../../pki/error.ts'
import { readTags } from '../../pki/tags.ts'
import { certificate } from '../../workflows/certificate.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { retry } from '../../workflows/retry.ts'
import { roll } from '../../workflows/roll.ts'
import { rotate } from '../../workflows/rotate.ts'
import { settle } from '../../workflows/settle.ts'
import { sweep } from '../../workflows/sweep.ts'
import { trust } from '../../workflows/trust.ts'
import { asks, OWNER, trusted, wanted } from '../support/asks.ts'
import { Crash, crashing, type Memory, MISHAPS, type Mishap } from '../support/crash.ts'
import { DAY, fakes, type Options, required, type World } from '../support/fakes.ts'
import { OWN } from '../support/own.ts'
import { rest } from '../support/settled.ts'

/** Something that is done to a world, and may be done again. */
type Deed = (world: World, ports: World['ports']) => Promise<unknown>
interface Case {
  readonly prepare?: Deed
  readonly deed: Deed
  readonly options?: Options
  /** What a request leaves undone is found by the next sweep. */
  readonly swept?: boolean
}

const MINUTE = 60_000
const TOKEN = '9c4a3b1e-0a56-4c1c-9d35-6f1f1d0c2b7a'
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const KEY = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' }))
const request = asks(wanted({ replicas: ['us-west-2'], services: ['mesh/color', 'mesh/gateway'] }))
const renaming = {
  ...request,
  type: 'update' as const,
  token: 'e'.repeat(32),
  properties: wanted({ names: ['red.mesh.internal'] }),
}
const publishing = asks(trusted())
const known = (world: World) => world.shelf.get('mesh/color')?.arn ?? ''
const source = (world: World) => readTags(world.shelf.get('mesh/color')?.tags ?? {})?.source ?? ''
const look: Deed = (world, ports) => reconcile(ports, { secret: known(world) }, () => 100_000)
const then =
  (...deeds: readonly Deed[]): Deed =>
  async (world, ports) => {
    for (const deed of deeds) await deed(world, ports)
  }

/** A secret that two services run with. */
const made: Deed = async (world, ports) => {
  await certificate.make(ports, request)
  world.pass(DAY)
  for (const name of ['mesh/color', 'mesh/gateway']) world.serve(name)
  world.pass(DAY)
  await look(world, ports)
}
const renewed: Deed = async (world) => world.renewed(source(world))
/** Its renewed certificate is current, and its deployments have begun. */
const rolling = then(made, renewed, look, async (world) => {
  world.pass(MINUTE)
  await world.begin()
  world.pass(MINUTE)
})
const end =
  (state: 'completed' | 'failed', ...names: readonly string[]): Deed =>
  async (world) => {
    for (const name of names) world.end(name, state)
  }
const settling: Deed = (_, ports) => settle(ports, { service: 'mesh/color' })
const undone = then(rolling, end('failed', 'mesh/color'), settling, async (world) => {
  await rest(world)
  world.pass(20 * MINUTE)
})
const rotating: Deed = async (world) => {
  world.pass(2 * 3_600_000)
  const kept = required(world.shelf.get('mesh/color'))
  kept.rotating = true
  for (const { labels } of kept.versions.values()) labels.delete('AWSPENDING')
  kept.versions.set(TOKEN, { content: '', labels: new Set(['AWSPENDING']) })
}
const rotation: Deed = async (world, ports) => {
  for (const step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const)
    await rotate(ports, { step, secret: known(world), token: TOKEN })
}

/** The same with an authority of our own, whose certificates live a day. */
const signed = { own: {} }
const ordering = asks(
  wanted({
    origin: { own: OWN },
    names: ['color.mesh.internal', 'spiffe://acme/color'],
    replicas: ['us-west-2'],
    services: ['mesh/color', 'mesh/gateway'],
  }),
)
const ordered: Deed = async (world, ports) => {
  await certificate.make(ports, ordering)
  world.pass(MINUTE)
  for (const name of ['mesh/color', 'mesh/gateway']) world.serve(name)
  world.pass(MINUTE)
  await look(world, ports)
}
const aging: Deed = async (world) => world.pass(16 * 3_600_000)

const CASES: Readonly<Record<string, Case>> = {
  'a create': { deed: (_, ports) => certificate.make(ports, request) },
  'an update of the name': {
    prepare: made,
    deed: (world, ports) => certificate.make(ports, { ...renaming, physicalId: known(world) }),
  },
  'an update to another secret': {
    prepare: made,
    swept: true,
    deed: (world, ports) => {
      const properties = wanted({ secret: 'mesh/moved' })
      return certificate.make(ports, { ...renaming, properties, physicalId: known(world) })
    },
  },
  'a delete': {
    prepare: made,
    deed: (world, ports) => certificate.remove(ports, { owner: OWNER, physicalId: known(world) }),
  },
  'the publication of anchors': { deed: (_, ports) => trust.make(ports, publishing) },
  'a look at a renewed certificate': { prepare: then(made, renewed), deed: look },
  'a look that ACM asks for': {
    prepare: then(made, renewed),
    deed: (world, ports) => reconcile(ports, { source: source(world), why: 'x' }, () => 100_000),
  },
  'a look at one that is due': {
    prepare: then(made, async (world) => world.pass(265 * DAY)),
    deed: look,
  },
  'a look at a bad one': {
    prepare: then(made, renewed),
    deed: look,
    options: {
      tamper: (exported, { exports }) => (exports > 1 ? { ...exported, chain: '' } : exported),
    },
  },
  'a look at a rollout that completed': {
    prepare: then(rolling, end('completed', 'mesh/color', 'mesh/gateway')),
    deed: look,
  },
  'a look at a rollout that failed': {
    prepare: then(rolling, end('failed', 'mesh/color')),
    deed: look,
  },
  'a look at one whose turn has come again': { prepare: undone, deed: look },
  'a look that seals anew': {
    prepare: then(made, async (world) => {
      await world.ports.keeper.tag(known(world), {}, ['certrelay:sealed'])
    }),
    deed: look,
  },
  'the end of a rollout': {
    prepare: then(rolling, end('completed', 'mesh/color', 'mesh/gateway')),
    deed: settling,
  },
  'the end of a rollout that failed': {
    prepare: then(rolling, end('completed', 'mesh/gateway'), end('failed', 'mesh/color')),
    deed: settling,
  },
  'the start of deployments': {
    prepare: then(made, renewed, look),
    deed: async (world, ports) => {
      for (const one of world.rollouts) await roll(ports, one)
    },
  },
  'a rotation': { prepare: then(made, rotating, renewed), deed: rotation },
  'a rotation that a look has filled': {
    prepare: then(made, rotating, renewed, look),
    deed: rotation,
  },
  'a look while a rotation waits': { prepare: then(made, rotating, renewed), deed: look },
  'a create that an authority of our own signs': {
    deed: (_, ports) => certificate.make(ports, ordering),
    options: signed,
    swept: true,
  },
  'an update from ACM to an authority of our own': {
    prepare: made,
    deed: (world, ports) =>
      certificate.make(ports, {
        ...{ ...ordering, type: 'update', token: 'd'.repeat(32), physicalId: known(world) },
      }),
    options: signed,
  },
  'an update of the name that an authority of our own signs': {
    prepare: ordered,
    deed: (world, ports) =>
      certificate.make(ports, {
        ...{ ...ordering, type: 'update', token: 'c'.repeat(32), physicalId: known(world) },
        properties: { ...ordering.properties, names: ['red.mesh.internal'] },
      }),
    options: signed,
  },
  'a look at one that is due at an authority of our own': {
    prepare: then(ordered, aging),
    deed: look,
    options: signed,
    swept: true,
  },
  'a look at one that an authority of our own signed badly': {
    prepare: then(ordered, aging),
    deed: look,
    options: { own: { tamper: (one, nth) => (nth > 1 ? { ...one, chain: '' } : one) } },
  },
  'a rotation that an authority of our own signs': {
    prepare: then(ordered, rotating),
    deed: rotation,
    options: signed,
  },
  'a sweep': {
    prepare: then(made, async (world) => world.pass(DAY)),
    deed: (_, ports) => sweep(ports),
  },
  'a retry': { prepare: undone, deed: (world, ports) => retry(ports, { secret: known(world) }) },
}

/** What a look notes down to spare the next one; whether one came is not what is compared. */
const NOTES = ['certrelay:looked', 'certrelay:sealed']
/** What must be the same in the end. Serials, ARNs and times are not: they are made anew in each world. */
function outcome(world: World) {
  const named = new Map([...world.issues.keys()].map((arn, at) => [arn, `certificate ${at}`]))
  return {
    certificates: [...world.issues.values()].map(({ order, status, renewing }) => [
      order.names,
      status,
      renewing,
    ]),
    secrets: [...world.shelf.kept.values()].map(({ name, deleted, replicas, versions, tags }) => {
      const ids = new Map([...versions.keys()].map((id, at) => [id, `version ${at}`]))
      const { source: from = '', promoted, previous, attempts, rotated } = readTags(tags) ?? {}
      return {
        name,
        deleted,
        replicas,
        versions: [...versions.values()].map(({ labels }) => [...labels].sort()),
        source: named.get(from) ?? from,
        on: [promoted, previous, attempts].map((one) => ids.get(one?.version ?? '')),
        rotated: ids.get(rotated?.token ?? ''),
        failures: attempts?.count,
        tags: Object.keys(tags)
          .filter((tag) => !NOTES.includes(tag))
          .sort(),
      }
    }),
    services: [...world.services.values()].map(({ name, deployments }) => [
      name,
      deployments.map(({ state }) => state),
    ]),
    left: [world.looks.length, world.rollouts.length, world.buried.length],
  }
}

/** How often a person was called. */
const pages = ({ lines }: World) => lines.filter(({ event }) => event === 'Attention').length

async function fresh({ prepare = async () => undefined, options }: Case, when: Mishap) {
  const world = await fakes({ sealing: true, key: KEY, ...options })
  const memory: Memory = new Map()
  await prepare(world, crashing(world.ports, -1, when, memory).ports)
  world.looks.splice(0)
  return { world, memory }
}
const kinds = Object.keys(MISHAPS).filter((one): one is Mishap => one in MISHAPS)
const points = { struck: 0, calls: 0 }

describe.each(Object.entries(CASES))('%s', (name, one) => {
  test.each(kinds)(
    'ends the same and calls nobody, whichever call is struck: %s',
    async (when) => {
      const straight = await fresh(one, when)
      const { ports, count } = crashing(straight.world.ports, -1, when, straight.memory)
      await one.deed(straight.world, ports)
      await rest(straight.world, one.swept)
      const expected = outcome(straight.world)
      expect(count.calls).toBeGreaterThan(2)

      for (let at = 0; at < count.calls; at++) {
        const { world, memory } = await fresh(one, when)
        const broken = crashing(world.ports, at, when, memory)
        const where = () => `${name}: ${broken.count.last} (${at}) ${MISHAPS[when]}`
        await one.deed(world, broken.ports).catch((error: unknown) => {
          const ours = error instanceof RelayError && ['retry', 'wait'].includes(error.remedy)
          if (!(error instanceof Crash) && !ours) throw error
        })
        if (broken.count.last === '') continue
        points.struck++
        await one.deed(world, world.ports)
        await rest(world, one.swept)

        expect(outcome(world), where()).toEqual(expected)
        if (pages(straight.world) === 0) expect(pages(world), where()).toBe(0)
      }
      points.calls += when === 'before' ? count.calls : 0
    },
    60_000,
  )
})

afterAll(() => {
  process.stdout.write(`${points.calls} calls, struck at ${points.struck} points\n`)
  expect(points.struck).toBeGreaterThan(1_000)
})
