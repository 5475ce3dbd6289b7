import { afterEach, expect, test } from 'vitest'
import { material, pair, root, stopAll, until } from '../support/sidecar.ts'

afterEach(stopAll)

test('no connection outlives its time, however busy it is', async () => {
  const ca = await root()
  const { server, url } = await pair(
    () => material(ca, { names: ['color.local'] }),
    () => material(ca, { names: ['gateway.local'] }),
    { server: { LIFETIME: 1 } },
  )
  const ended = async () => {
    const [count = 0] = (
      await server.admin.stats(/^http\.in\.downstream_cx_max_duration_reached$/)
    ).values()
    return count > 0
  }
  const answers = new Set<number>()

  await until(async () => {
    answers.add((await fetch(url)).status)
    return ended()
  })
  answers.add((await fetch(url)).status)

  const counted = await server.admin.stats(/^listener\.in\.ssl\.handshake$/)
  expect([...answers]).toEqual([200])
  expect([...counted.values()][0]).toBeGreaterThan(1)
})
