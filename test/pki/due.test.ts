import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { again, anew, DAY, due, MOST_ATTEMPTS, share } from '../../pki/due.ts'
import { HOUR, issued, MINUTE, SOURCE, START } from './states.ts'

describe('the time of renewal', () => {
  const lifetimes = fc.record({ notBefore: fc.nat(4e12), days: fc.integer({ min: 1, max: 4_000 }) })
  const sources = fc.string({ maxLength: 30 })
  const wishes = fc.option(fc.integer({ min: 1, max: 394 }), { nil: undefined })

  test('is in the second third of the lifetime, whatever is asked for', () => {
    fc.assert(
      fc.property(lifetimes, sources, wishes, ({ notBefore, days }, source, renewBefore) => {
        const notAfter = notBefore + days * DAY
        const wish = { source, ...(renewBefore !== undefined && { renewBefore }) }
        const at = due(wish, { notBefore, notAfter })

        expect(at).toBeGreaterThanOrEqual(Math.floor(notBefore + (days * DAY) / 3))
        expect(at).toBeLessThanOrEqual(notBefore + (days * DAY * 2) / 3)
      }),
    )
  })

  test('comes earlier the more days before its end are asked for, never later than without', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 394 }), fc.integer({ min: 1, max: 394 }), (a, b) => {
        const at = (renewBefore: number) => due({ source: SOURCE, renewBefore }, issued)

        expect(at(Math.max(a, b))).toBeLessThanOrEqual(at(Math.min(a, b)))
        expect(at(a)).toBeLessThanOrEqual(due({ source: SOURCE }, issued))
      }),
    )
  })

  test('is what was asked for to the day, less a spread of three days at most', () => {
    const wanted = issued.notAfter - 200 * DAY
    const at = due({ source: SOURCE, renewBefore: 200 }, issued)

    expect(at).toBeLessThanOrEqual(wanted)
    expect(at).toBeGreaterThan(wanted - 3 * DAY)
  })

  test('is spread over days for a fleet, and the same each time for one certificate', () => {
    const times = Array.from({ length: 200 }, (_, at) => due({ source: `${SOURCE}${at}` }, issued))

    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(2 * DAY)
    expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(3 * DAY)
    expect(due({ source: SOURCE }, issued)).toBe(due({ source: SOURCE }, issued))
  })

  test('of a short certificate is spread over a twentieth of its life', () => {
    const day = { notBefore: START, notAfter: START + DAY }
    const times = Array.from({ length: 200 }, (_, at) => due({ source: `${SOURCE}${at}` }, day))

    expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(DAY / 20)
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(DAY / 30)
  })
})

test('a share is from 0 to below 1, and evenly spread', () => {
  const shares = Array.from({ length: 1_000 }, (_, at) => share(`${SOURCE}${at}`))

  expect(Math.min(...shares)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...shares)).toBeLessThan(1)
  for (const part of [0.25, 0.5, 0.75])
    expect(shares.filter((one) => one < part).length / 1_000).toBeCloseTo(part, 1)
})

describe('the next try of a certificate whose rollout failed', () => {
  test('comes after 15 minutes, 1, 4, 12 and 24 hours', () => {
    const gaps = [1, 2, 3, 4, 5].map((failed) => again(failed, 0))

    expect(gaps).toEqual([15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY])
    expect(MOST_ATTEMPTS).toBe(6)
  })

  test('comes after six failures 14, 7, 3 and 1 days and an hour before the end of the one in use, and once a day after it', () => {
    const end = START + 60 * DAY
    const tries: number[] = []
    for (let at = START, failed = 6; failed < 13; failed++) {
      at = again(failed, at, end) ?? Infinity
      tries.push((end - at) / DAY)
    }

    expect(tries).toEqual([14, 7, 3, 1, 1 / 24, 1 / 24 - 1, 1 / 24 - 2])
  })

  test('does not come by itself after six failures when nobody knows the end of the one in use', () => {
    expect(again(6, START)).toBeUndefined()
    expect(again(60, START)).toBeUndefined()
  })

  test('is at once when nothing failed', () => {
    expect(again(0, 7)).toBe(7)
  })

  test('is sooner as the end of the one in use nears, but leaves a service ten minutes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.nat(100 * DAY), (failed, left) => {
        const at = again(failed, START, START + left) ?? 0
        const usual = again(failed, START) ?? 0

        expect(at).toBeLessThanOrEqual(usual)
        expect(at - START).toBeGreaterThanOrEqual(10 * MINUTE)
        expect(at - START).toBeLessThanOrEqual(Math.max(10 * MINUTE, left / 10))
      }),
    )
  })

  test('five tries fit in while the one in use has an hour and a half to go', () => {
    let at = START
    for (const failed of [1, 2, 3, 4, 5]) at = again(failed, at, START + 1.5 * HOUR) ?? Infinity

    expect(at).toBeLessThan(START + 1.5 * HOUR)
  })
})

describe('the next deployment of a service that failed, with nothing to go back to', () => {
  test('comes after 15 minutes, 1, 4, 12 and 24 hours, then once a day', () => {
    const gaps = [1, 2, 3, 4, 5, 6, 20].map((failed) => anew(failed, START, START))

    expect(gaps).toEqual(
      [15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY, DAY, DAY].map((gap) => START + gap),
    )
  })

  test('comes for thirty days after the promotion', () => {
    expect(anew(20, START + 29 * DAY - 1, START)).toBe(START + 30 * DAY - 1)
    expect(anew(20, START + 29 * DAY, START)).toBeUndefined()
  })
})
