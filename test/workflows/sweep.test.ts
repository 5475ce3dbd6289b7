import { expect, test } from 'vitest'
import { certificate } from '../../workflows/certificate.ts'
import { sweep } from '../../workflows/sweep.ts'
import { trust } from '../../workflows/trust.ts'
import { asks, trusted, wanted } from '../support/asks.ts'
import { fakes } from '../support/fakes.ts'

test('every secret with a certificate is queued once, over all pages, and nothing else is', async () => {
  const world = await fakes()
  const names = ['a', 'b', 'c', 'd', 'e']
  const made: string[] = []
  for (const secret of names) {
    const { physicalId } = await certificate.make(world.ports, asks(wanted({ secret })))
    made.push(physicalId)
  }
  await trust.make(world.ports, asks(trusted()))
  await world.ports.vault.create('foreign', { replicas: [] }, {})
  await world.ports.keeper.remove(made.pop() ?? '')

  expect(await sweep(world.ports)).toEqual({ queued: 4 })
  expect(world.looks.map(({ secret }) => secret)).toEqual(made)
  expect(world.lines).toContainEqual({ level: 'count', event: 'Swept', fields: { value: 4 } })
})

test('a large fleet is spread over a minute', async () => {
  const world = await fakes()
  const arns = Array.from({ length: 150 }, (_, at) => `arn:${at}`)
  const managed = async function* () {
    yield arns.slice(0, 100)
    yield arns.slice(100)
  }
  await sweep({ ...world.ports, keeper: { ...world.ports.keeper, managed } })

  const delays = world.looks.map(({ delay }) => delay)
  expect(Math.max(...delays)).toBe(59)
  expect(new Set(delays).size).toBe(60)
})

test('with nothing to do it says so', async () => {
  const world = await fakes()

  expect(await sweep(world.ports)).toEqual({ queued: 0 })
})
