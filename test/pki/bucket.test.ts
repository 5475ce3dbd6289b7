import { expect, test } from 'vitest'
import { buckets } from '../../pki/bucket.ts'

test('a name gets its burst at once, and then as many as time brings', () => {
  const wait = buckets({ burst: 3, rate: 2 })

  expect([wait('a', 0), wait('a', 0), wait('a', 0), wait('a', 0)]).toEqual([0, 0, 0, 500])
  expect([wait('a', 250), wait('a', 500), wait('a', 500)]).toEqual([250, 0, 500])
})

test('names do not share', () => {
  const wait = buckets({ burst: 1, rate: 1 })

  expect([wait('a', 0), wait('a', 0), wait('b', 0)]).toEqual([0, 1_000, 0])
})

test('nothing is saved up beyond the burst, and a clock that goes back brings nothing', () => {
  const wait = buckets({ burst: 2, rate: 1 })

  expect([wait('a', 0), wait('a', 1e9), wait('a', 1e9), wait('a', 1e9)]).toEqual([0, 0, 0, 1_000])
  expect(wait('a', 0)).toBe(1_000)
})

test('who has rested is forgotten, who has not is remembered, however many there are', () => {
  const wait = buckets({ burst: 1, rate: 1 })
  wait('old', 0)
  for (let index = 0; index < 2_000; index++) wait(`name ${index}`, 500)

  expect(wait('name 0', 600)).toBe(900)
  expect(wait('old', 1_000)).toBe(0)
})
