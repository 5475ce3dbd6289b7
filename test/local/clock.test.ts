import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, clock } from '../../local/clock.ts'

const start = Date.parse('2026-11-21T06:00:00Z')
let folder: string
let reports: unknown[]
const clocks: Clock[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'clock-'))
  reports = []
})
afterEach(async () => {
  for (const one of clocks.splice(0)) one.close()
  await rm(folder, { recursive: true })
})

function make(flow = false): Clock {
  const report = (error: unknown) => void reports.push(error)
  const made = clock({ start, flow, file: join(folder, 'clock'), report })
  clocks.push(made)
  return made
}
const words = async () => {
  const bytes = await readFile(join(folder, 'clock'))
  return [...new Float64Array(new Uint8Array(bytes).buffer)]
}

describe('standing still', () => {
  test('time moves only when told, and then by that much', async () => {
    const still = make()
    const before = still.now()
    await new Promise((resolve) => setImmediate(resolve))
    expect(still.now()).toBe(before)

    await still.advance(1_500)

    expect(still.now()).toBe(start + 1_500)
  })

  test('what falls due runs in order of time, then of registration, each at its own time', async () => {
    const still = make()
    const ran: [string, number][] = []
    const note = (name: string) => () => void ran.push([name, still.now() - start])
    still.after(200, note('late'))
    still.after(100, note('first'))
    still.after(100, note('second'))
    still.after(301, note('never'))

    await still.advance(300)

    expect(ran).toEqual([
      ['first', 100],
      ['second', 100],
      ['late', 200],
    ])
    expect(still.now()).toBe(start + 300)
  })

  test('a task that takes a while is waited for, and what it registers within the jump runs too', async () => {
    const still = make()
    const ran: string[] = []
    still.after(100, async () => {
      await new Promise((resolve) => setImmediate(resolve))
      ran.push('slow')
      still.after(50, () => void ran.push('nested'))
    })
    still.after(120, () => void ran.push('next'))

    await still.advance(200)

    expect(ran).toEqual(['slow', 'next', 'nested'])
  })

  test('a repeating task is told where the jump ends', async () => {
    const still = make()
    const ends: number[] = []
    still.after(10, (until) => void ends.push(until - start))

    await still.advance(86_400_000)

    expect(ends).toEqual([86_400_000])
  })

  test('what is past already runs with the next step, not at once', async () => {
    const still = make()
    let ran = 0
    still.at(start - 5, () => void ran++)
    expect(ran).toBe(0)

    await still.advance(0)

    expect(ran).toBe(1)
    expect(still.now()).toBe(start)
  })

  test('a cancelled task does not run, not even when cancelled by another of the same moment', async () => {
    const still = make()
    let ran = 0
    const gone = still.after(10, () => void ran++)
    gone.cancel()
    gone.cancel()
    still.after(20, () => later.cancel())
    const later = still.after(20, () => void ran++)

    await still.advance(100)

    expect(ran).toBe(0)
  })

  test('a task that fails is reported and stops nothing', async () => {
    const still = make()
    const error = new Error('task')
    let ran = false
    still.after(1, () => Promise.reject(error))
    still.after(2, () => {
      ran = true
    })

    await still.advance(10)

    expect(reports).toEqual([error])
    expect(ran).toBe(true)
  })

  test('two jumps at once end where the further one ends, and nothing runs twice', async () => {
    const still = make()
    const seen: number[] = []
    still.after(50, () => void seen.push(still.now() - start))

    await Promise.all([still.advance(100), still.advance(70)])

    expect(seen).toEqual([50])
    expect(still.now()).toBe(start + 100)
  })

  test('sleep ends with the time, or with its signal', async () => {
    const still = make()
    const stop = new AbortController()
    const slept = still.sleep(100).then(() => still.now() - start)
    const broken = expect(still.sleep(100, stop.signal)).rejects.toThrow('enough')
    stop.abort(new Error('enough'))

    await still.advance(100)

    expect(await slept).toBe(100)
    await broken
    await expect(still.sleep(1, stop.signal)).rejects.toThrow('enough')
  })

  test('held work ends before time moves on', async () => {
    const still = make()
    const at: number[] = []
    still.after(10, () => {
      still.hold(
        new Promise<void>((resolve) => {
          setTimeout(resolve, 20)
        }).then(() => void at.push(still.now() - start)),
      )
    })

    await still.advance(1_000)

    expect(at).toEqual([10])
  })

  test('after close nothing runs any more', async () => {
    const still = make()
    let ran = false
    still.after(1, () => {
      ran = true
    })
    still.close()
    still.close()

    await still.advance(10)

    expect(ran).toBe(false)
  })
})

describe('flowing', () => {
  test('time goes on by itself, and tasks run when they fall due', async () => {
    const flowing = make(true)

    const at = await new Promise<number>((resolve) => {
      flowing.after(30, () => resolve(flowing.now()))
    })

    expect(at - start).toBeGreaterThanOrEqual(30)
    expect(at - start).toBeLessThan(5_000)
  })

  test('a jump adds to the time that flows, runs what it passes, and flows on', async () => {
    const flowing = make(true)
    let ran = 0
    flowing.after(3_600_000, () => {
      ran = flowing.now() - start
    })

    await flowing.advance(3_600_100)
    const after = flowing.now()
    await flowing.sleep(10)

    expect(ran).toBeGreaterThanOrEqual(3_600_000)
    expect(ran).toBeLessThan(3_600_100)
    expect(after - start).toBeGreaterThanOrEqual(3_600_100)
    expect(flowing.now()).toBeGreaterThan(after)
  })

  test('time does not go back when a jump begins', async () => {
    const flowing = make(true)
    await flowing.sleep(30)
    const before = flowing.now()

    const jump = flowing.advance(5)
    const during = flowing.now()
    await jump

    expect(during).toBeGreaterThanOrEqual(before)
    expect(flowing.now()).toBeGreaterThanOrEqual(before + 5)
  })

  test('an earlier task registered later still runs first', async () => {
    const flowing = make(true)
    const ran: string[] = []
    const late = flowing.sleep(60).then(() => ran.push('late'))
    const early = flowing.sleep(10).then(() => ran.push('early'))

    await Promise.all([late, early])

    expect(ran).toEqual(['early', 'late'])
  })
})

describe('the file', () => {
  test('says the time and that it stands still', async () => {
    const still = make()
    await still.advance(1_000)

    const [time, , rate] = await words()

    expect([time, rate]).toEqual([start + 1_000, 0])
  })

  test('says at which real time it was that, and that it flows', async () => {
    const flowing = make(true)

    const [time = 0, since = 0, rate] = await words()

    expect(rate).toBe(1)
    expect(Math.abs(time + (Date.now() - since) - flowing.now())).toBeLessThan(50)
  })
})
