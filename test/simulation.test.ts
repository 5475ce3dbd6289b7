import { describe, expect, test } from 'vitest'
import { type History, simulate } from './simulation/simulate.ts'

const seeds = (first: number, count: number) => Array.from({ length: count }, (_, n) => first + n)

/** What a person needs to find out why. */
function told({ breach }: History): string {
  if (breach === undefined) return ''
  return [breach.rule, breach.again, ...breach.last.slice(-40)].join('\n')
}

describe('a year of certrelay in a world that goes wrong breaks no rule', () => {
  test.each(seeds(1, 24))('by seed %i', async (seed) => {
    const history = await simulate({ seed, certs: 5, years: 1 })

    expect(told(history)).toBe('')
  })

  test('with many certificates, for three years', async () => {
    const history = await simulate({ seed: 25, certs: 20, years: 3 })

    expect(told(history)).toBe('')
    expect(history.counts.promotions).toBeGreaterThan(60)
    expect(history.counts.signed).toBeGreaterThan(20)
  })
})

describe('every certificate is renewed in time', () => {
  test.each(seeds(1, 5))('by events only, no sweep (seed %i)', async (seed) => {
    const history = await simulate({ seed, certs: 5, years: 2, without: 'sweep' })

    expect(told(history)).toBe('')
    expect(history.counts.promotions).toBeGreaterThanOrEqual(5)
  })

  test.each(seeds(1, 5))('by the sweep only, no events (seed %i)', async (seed) => {
    const history = await simulate({ seed, certs: 5, years: 2, without: 'events' })

    expect(told(history)).toBe('')
    expect(history.counts.promotions).toBeGreaterThanOrEqual(5)
  })
})
