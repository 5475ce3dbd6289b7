import { describe, expect, test } from 'vitest'
import { readTags } from '../../pki/tags.ts'
import { certificate } from '../../workflows/certificate.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { retry } from '../../workflows/retry.ts'
import { settle } from '../../workflows/settle.ts'
import { asks, holder, labels, wanted } from '../support/asks.ts'
import { DAY, fakes, required, type World } from '../support/fakes.ts'

const MINUTE = 60_000
const SERVICES = ['mesh/color', 'mesh/gateway']
const plenty = () => 100_000

/** A secret of two services whose renewed certificate is promoted, and both deployments have begun. */
async function rolling(services: readonly string[] = SERVICES) {
  const world = await fakes()
  const { physicalId: secret, data } = await certificate.make(
    world.ports,
    asks(wanted({ services: [...services] })),
  )
  world.pass(DAY)
  for (const name of services) world.serve(name)
  world.pass(DAY)
  await look(world, secret)
  const first = data['VersionId'] ?? ''
  const source = data['CertificateArn'] ?? ''
  await world.renewed(source)
  await look(world, secret)
  world.pass(MINUTE)
  await world.begin()
  const second = required(holder(world, secret, 'AWSCURRENT'))
  return { world, secret, source, first, second }
}
const look = (world: World, secret: string) => reconcile(world.ports, { secret }, plenty)
const end = async (world: World, service: string, state?: 'completed' | 'failed') => {
  world.pass(MINUTE)
  world.end(service, state)
  await settle(world.ports, { service })
}
const deployments = (world: World, name: string) => required(world.services.get(name)).deployments

describe('a rollout that completes', () => {
  test('labels the version DEPLOYED when all services have it, not before', async () => {
    const { world, secret, first, second } = await rolling()
    await end(world, 'mesh/color')
    const between = holder(world, secret, 'DEPLOYED')
    await end(world, 'mesh/gateway')

    expect(between).toBe(first)
    expect(holder(world, secret, 'DEPLOYED')).toBe(second)
    expect(world.news.at(-1)).toMatchObject({ kind: 'Deployed', secret, version: second })
    expect(await look(world, secret)).toMatchObject([{ step: 'done' }])
  })

  test('is seen by the sweep when its event never came', async () => {
    const { world, secret, second } = await rolling()
    for (const name of SERVICES) world.end(name)
    await look(world, secret)

    expect(holder(world, secret, 'DEPLOYED')).toBe(second)
  })

  test('of a later deployment proves nothing less: a service is proven by any that completed', async () => {
    const { world, secret, second } = await rolling(['mesh/color'])
    await end(world, 'mesh/color')
    await world.ports.fleet.roll('mesh/color')
    await end(world, 'mesh/color', 'failed')

    expect(holder(world, secret, 'AWSCURRENT')).toBe(second)
  })
})

describe('a rollout that fails', () => {
  test('is taken back for all services, labeled, told, and both are rolled out again', async () => {
    const { world, secret, first, second } = await rolling()
    await end(world, 'mesh/gateway')
    await end(world, 'mesh/color', 'failed')
    await look(world, secret)
    world.pass(MINUTE)
    await world.begin()

    expect(labels(world, secret)).toEqual({
      [first]: ['AWSCURRENT'],
      [second]: ['AWSPREVIOUS', 'ROLLEDBACK'],
    })
    expect(world.rolls).toEqual([...SERVICES, ...SERVICES])
    expect(world.news.at(-1)).toMatchObject({
      kind: 'RolledBack',
      version: second,
      previous: first,
    })
    for (const name of SERVICES) await end(world, name)
    expect(holder(world, secret, 'DEPLOYED')).toBe(first)
  })

  test('leaves the validity of the certificate that is current again on record, and no end of the other one', async () => {
    const { world, secret } = await rolling()
    const before = { ...readTags(required(world.shelf.get(secret)).tags)?.previous }
    await end(world, 'mesh/gateway', 'failed')
    const { notBefore, notAfter } = readTags(required(world.shelf.get(secret)).tags) ?? {}

    expect(notBefore).toBeDefined()
    expect({ notBefore, notAfter }).toEqual({
      notBefore: before.notBefore,
      notAfter: before.notAfter,
    })
  })

  test('is tried again a bounded number of times, with growing gaps, then only by a person', async () => {
    const { world, secret, first, second } = await rolling(['mesh/color'])
    const tries: number[] = []
    await end(world, 'mesh/color', 'failed')
    for (let hour = 0; hour < 24 * 20 * 4; hour++) {
      await look(world, secret)
      world.pass(MINUTE)
      const begun = world.rolls.length
      await world.begin()
      const current = holder(world, secret, 'AWSCURRENT')
      if (world.rolls.length > begun && current === second) tries.push(world.ports.clock.now())
      if (deployments(world, 'mesh/color')[0]?.state === 'running')
        await end(world, 'mesh/color', current === second ? 'failed' : 'completed')
      world.pass(14 * MINUTE)
    }
    const gaps = tries.slice(1).map((at, index) => at - (tries[index] ?? 0))

    expect(tries).toHaveLength(5)
    expect(gaps).toEqual([...gaps].sort((a, b) => a - b))
    expect(holder(world, secret, 'AWSCURRENT')).toBe(first)
    expect(await look(world, secret)).toMatchObject([
      { step: 'alarm', reason: expect.stringContaining('npx certrelay retry') },
    ])

    await retry(world.ports, { secret })
    await look(world, secret)

    expect(holder(world, secret, 'AWSCURRENT')).toBe(second)
  })

  test('counts as failed when it has not ended in time, where no circuit breaker says so', async () => {
    const { world, secret, first } = await rolling(['mesh/color'])
    world.pass(29 * MINUTE)
    await look(world, secret)
    const before = holder(world, secret, 'AWSCURRENT')
    world.pass(2 * MINUTE)
    await look(world, secret)

    expect(before).not.toBe(first)
    expect(holder(world, secret, 'AWSCURRENT')).toBe(first)
  })

  test('is left to the circuit breaker where there is one: what is slow is told, called after two hours, and settled when it ends', async () => {
    const { world, secret, second } = await rolling(['mesh/color'])
    world.services.set('mesh/color', {
      ...required(world.services.get('mesh/color')),
      breaker: true,
    })
    const called = () => world.lines.filter(({ event }) => event === 'Attention').length
    world.pass(40 * MINUTE)
    const [slow] = await look(world, secret)
    expect([slow?.step, called()]).toEqual(['wait', 0])
    expect(slow?.reason).toContain('slow is mesh/color (40 minutes)')

    world.pass(3 * 60 * MINUTE)
    const [late] = await look(world, secret)
    expect([late?.step, called()]).toEqual(['alarm', 1])
    expect(late?.reason).toMatch(/^deployments do not end: mesh\/color \(3 hours\)/)
    await end(world, 'mesh/color')
    expect(holder(world, secret, 'DEPLOYED')).toBe(second)
    expect(await look(world, secret)).toMatchObject([{ step: 'done' }])
    expect(world.rolls).toEqual(['mesh/color'])
  })

  test('hangs no secret for good: after twelve hours it is taken back, circuit breaker or not', async () => {
    const { world, secret, first } = await rolling(['mesh/color'])
    world.services.set('mesh/color', {
      ...required(world.services.get('mesh/color')),
      breaker: true,
    })
    world.pass(12 * 60 * MINUTE)
    await look(world, secret)

    expect(holder(world, secret, 'AWSCURRENT')).toBe(first)
    await world.begin()
    await end(world, 'mesh/color')
    expect(holder(world, secret, 'DEPLOYED')).toBe(first)
  })

  test('of the version that was gone back to raises an alarm, and moves nothing', async () => {
    const { world, secret, first } = await rolling(['mesh/color'])
    await end(world, 'mesh/color', 'failed')
    await look(world, secret)
    world.pass(MINUTE)
    await world.begin()
    await end(world, 'mesh/color', 'failed')

    expect(await look(world, secret)).toMatchObject([{ step: 'alarm' }])
    expect(holder(world, secret, 'AWSCURRENT')).toBe(first)
  })

  test('does not lead back to a certificate that ends within the hour', async () => {
    const { world, secret, second } = await rolling(['mesh/color'])
    const soon = new Date(world.ports.clock.now() + 30 * MINUTE).toISOString()
    const first = readTags(required(world.shelf.get(secret)).tags)?.previous?.version
    await world.ports.keeper.tag(secret, { 'certrelay:previous': `${first} ${soon}` })
    await end(world, 'mesh/color', 'failed')

    expect(holder(world, secret, 'AWSCURRENT')).toBe(second)
    expect(await look(world, secret)).toMatchObject([{ step: 'alarm' }])
  })
})

test('a deployment of a service that no secret names costs one page of a list', async () => {
  const { world } = await rolling()
  const before = structuredClone(world.shelf.kept)
  await settle(world.ports, { service: 'mesh/colors' })

  expect(world.shelf.kept).toEqual(before)
})
