import { describe, expect, test } from 'vitest'
import type { Context } from '../../pki/sealed.ts'
import { Secret } from '../../pki/secret.ts'
import { EAST, house, keyOf, region, sdk, status, still, WEST } from '../support/regions.ts'

const context: Context = { org: 'acme', purpose: 'passphrase', secret: 'arn:s', version: 'v1' }

/** A house that is content with one copy, and region 1 of which hung until its breaker opened. */
async function sick() {
  const time = still()
  const east = region(EAST, time, { mood: 'hangs' })
  const west = region(WEST, time, { mood: { ms: 70 } })
  const keys = house([east, west], time, { minRegions: 1 })
  /** Seals; answers how long it took and under which keys. */
  const seal = async () => {
    const began = time.elapsed()
    const { copies } = await time.until(keys.seal(Secret.from('x'), context))
    return { ms: time.elapsed() - began, under: copies.map(({ key }) => key) }
  }
  const waited = [await seal(), await seal(), await seal()]
  expect(waited.map(({ ms }) => ms)).toEqual([1_000, 1_000, 1_000])
  expect(keys.state(EAST)).toBe('open')
  keys.lines.length = 0
  return { time, east, west, keys, seal }
}

describe('degraded sealing, with the breaker of a region open,', () => {
  test('takes no longer than the other region, and asks the sick one nothing', async () => {
    const { east, keys, seal } = await sick()
    const calls = east.calls.length

    expect(await seal()).toEqual({ ms: 70, under: [keyOf(WEST)] })
    expect(east.calls.length).toBe(calls)
    expect(keys.lines).toMatchObject([
      { line: { outcome: 'degraded', region: WEST }, attempts: [{ region: WEST }] },
    ])
    expect(keys.metrics).toContainEqual({ metric: 'KmsDegraded', value: 1, at: '' })
  })

  test('probes it beside the other region when it may be back, and waits for half a second at most', async () => {
    const { time, east, keys, seal } = await sick()
    await time.pass(1_000)

    expect(await seal()).toEqual({ ms: 500, under: [keyOf(WEST)] })
    expect(keys.lines[0]?.attempts).toMatchObject([
      { region: EAST, lane: 'probe', outcome: 'transport', error: 'TimeoutError', ms: 500 },
      { region: WEST, lane: 'primary', outcome: 'ok', ms: 70 },
    ])
    expect(keys.state(EAST)).toBe('open')
    expect(await seal()).toMatchObject({ ms: 70 })
    east.mood = { ms: 210 } // it has to make a connection first
    await time.pass(2_000)

    expect(await seal()).toEqual({ ms: 210, under: [keyOf(EAST), keyOf(WEST)] })
    expect(keys.lines.at(-1)?.line).toMatchObject({ outcome: 'ok' })
    expect(keys.state(EAST)).toBe('closed')
  })

  test('probes once, however many seal at once', async () => {
    const { time, east, keys } = await sick()
    await time.pass(1_000)
    const calls = east.calls.length
    await time.until(
      Promise.all(Array.from({ length: 20 }, () => keys.seal(Secret.from('x'), context))),
    )

    expect(east.calls.length - calls).toBe(1)
  })

  test('asks it after all when the other region fails', async () => {
    const { east, west, keys, seal } = await sick()
    west.mood = { fails: sdk('KMSInternalException', status(500)), ms: 70 }
    east.mood = { ms: 5 }

    expect(await seal()).toEqual({ ms: 75, under: [keyOf(EAST)] })
    expect(keys.lines[0]?.attempts.map((one) => [one['region'], one['outcome']])).toEqual([
      [WEST, 'server'],
      [EAST, 'ok'],
    ])
  })

  test('ends when the other region denies: what was spared is not a way around', async () => {
    const { time, east, west, keys } = await sick()
    west.mood = { fails: sdk('AccessDeniedException', status(400)) }
    east.mood = { ms: 5 }
    const calls = east.calls.length

    await expect(time.until(keys.seal(Secret.from('x'), context))).rejects.toMatchObject({
      code: 'ACCESS_REFUSED',
    })
    expect(east.calls.length).toBe(calls)
  })
})

test('sealing that needs every region asks every region, whatever their breakers say', async () => {
  const time = still()
  const east = region(EAST, time, { mood: 'hangs' })
  const keys = house([east, region(WEST, time)], time)
  for (let count = 0; count < 3; count++)
    await Promise.allSettled([time.until(keys.seal(Secret.from('x'), context))])
  expect(keys.state(EAST)).toBe('open')
  east.mood = { ms: 5 }
  const { copies } = await time.until(keys.seal(Secret.from('x'), context))

  expect(copies).toHaveLength(2)
})
