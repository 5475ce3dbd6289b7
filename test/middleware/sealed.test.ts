import { expect, test } from 'vitest'
import { mutate } from '../support/sealed.ts'

// A million of these: npm run nightly -- sealed

test('a sealed value of which any field is changed is refused with the right code, or is still the same value', async () => {
  let seed = 20_260_301
  const random = () => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
    return seed / 2 ** 32
  }

  const { tried, wrong, unread, unknown, tampered, same } = await mutate(6_000, random)

  expect(wrong).toEqual([])
  expect(tried).toBe(6_000)
  for (const outcome of [unread, unknown, tampered, same]) expect(outcome).toBeGreaterThan(20)
})
