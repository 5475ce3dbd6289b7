import { expect, test } from 'vitest'
import { rotation } from '../support/rotation.ts'

test('three rotations under load fail no request, and each is seen by new connections', async () => {
  const { requests, failed, failures, opened, visibleMs } = await rotation({
    ...{ rotations: 3, seconds: 4, rate: 200 },
  })

  expect(failures).toEqual([])
  expect(failed).toBe(0)
  expect(requests).toBeGreaterThan(700)
  expect(opened).toBeGreaterThan(requests / 3)
  expect(visibleMs).toHaveLength(3)
})
