import { describe, expect, test } from 'vitest'
import { RelayError } from '../../pki/error.ts'
import type { Running } from '../../ports/fleet.ts'
import { roll } from '../../workflows/roll.ts'
import { fakes, START, type World } from '../support/fakes.ts'

const SERVICE = 'mesh/color'
const ask = (since = START) => ({ service: SERVICE, secret: 'arn:s', version: 'v', since })
const events = ({ lines }: World) => lines.map(({ event }) => event)
const running = async (before = START - 1) => {
  const world = await fakes()
  world.serve(SERVICE, before)
  return world
}

test('a service without a deployment since the promotion gets one', async () => {
  const world = await running()
  await roll(world.ports, ask())

  expect(world.rolls).toEqual([SERVICE])
  expect(events(world)).toEqual(['rollout-started', 'Rollouts'])
})

test('asked again, by the same secret or by another, it gets no second one', async () => {
  const world = await running()
  await roll(world.ports, ask())
  await roll(world.ports, ask())
  await roll(world.ports, { ...ask(), secret: 'arn:other', version: 'w' })

  expect(world.rolls).toEqual([SERVICE])
  expect(events(world).filter((event) => event === 'rollout-shared')).toHaveLength(2)
})

test('a deployment of its own accord since the promotion will do, whatever became of it', async () => {
  const world = await running(START)
  world.end(SERVICE, 'failed')
  await roll(world.ports, ask())

  expect(world.rolls).toEqual([])
})

test('a promotion after the deployment began needs another', async () => {
  const world = await running()
  await roll(world.ports, ask())
  world.pass(60_000)
  await roll(world.ports, ask(START + 1))

  expect(world.rolls).toEqual([SERVICE, SERVICE])
})

describe('a service that', () => {
  test.each(['idle', 'draining', 'foreign'] as const)(
    'is %s is left alone, and it is said',
    async (state) => {
      const world = await running()
      world.services.set(SERVICE, { name: SERVICE, state, deployments: [] })
      await roll(world.ports, ask())

      expect(world.rolls).toEqual([])
      expect(world.lines).toMatchObject([{ event: 'service-skipped', fields: { state } }])
    },
  )

  test('is gone is left alone, and it is said', async () => {
    const world = await fakes()
    await roll(world.ports, ask())

    expect(world.lines).toMatchObject([{ event: 'service-skipped', fields: { state: 'gone' } }])
  })
})

test('nobody else looks at the service before ECS shows the deployment, for five seconds at most', async () => {
  const world = await running()
  const before: Running = { name: SERVICE, state: 'active', deployments: [] }
  const fleet = { ...world.ports.fleet, look: async () => [before] }
  await roll({ ...world.ports, fleet }, ask())

  expect(world.rolls).toEqual([SERVICE])
  expect(world.ports.clock.now() - START).toBe(5_000)
})

test('when it is not known whether a deployment began the message comes again, and finds out', async () => {
  const world = await running()
  const lost = async (name: string) => {
    await world.ports.fleet.roll(name)
    throw new RelayError('SERVICE_UNAVAILABLE', 'the answer was lost')
  }
  const ports = { ...world.ports, fleet: { ...world.ports.fleet, roll: lost } }

  await expect(roll(ports, ask())).rejects.toThrow('the answer was lost')
  await roll(world.ports, ask())
  expect(world.rolls).toEqual([SERVICE])
})
