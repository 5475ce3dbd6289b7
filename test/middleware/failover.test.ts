import { describe, expect, test } from 'vitest'
import { memory } from '../../middleware/memory.ts'
import { RelayError } from '../../pki/error.ts'
import type { Context, Sealed } from '../../pki/sealed.ts'
import { Secret } from '../../pki/secret.ts'
import type { Keys } from '../../ports/keys.ts'
import { leaks, PASSPHRASE } from '../support/canary.ts'
import {
  EAST,
  house,
  keyOf,
  type Mood,
  type Moved,
  region,
  sdk,
  status,
  still,
  WEST,
} from '../support/regions.ts'

const context: Context = { org: 'acme', purpose: 'passphrase', secret: 'arn:s', version: 'v1' }
const text = (secret: Secret) => Buffer.from(secret.reveal()).toString('utf8')
const refuses: Mood = { fails: sdk('Error', { code: 'ECONNREFUSED' }), ms: 1 }

/** Two regions 5 and 70 ms away, a value that both can open, and a failover over them. */
async function pair(time: Moved, options: Parameters<typeof house>[2] = {}) {
  const east = region(EAST, time, { mood: { ms: 5 } })
  const west = region(WEST, time, { mood: { ms: 70 } })
  const value = await time.until(
    house([east, west], time).seal(Secret.from('open sesame'), context),
  )
  east.calls.length = 0
  west.calls.length = 0
  const keys = house([east, west], time, options)
  /** Milliseconds that one open takes. */
  const open = async () => {
    const began = time.elapsed()
    expect(text(await time.until(keys.open(value, context)))).toBe('open sesame')
    return time.elapsed() - began
  }
  const outcome = () => Promise.allSettled([time.until(keys.open(value, context))])
  return { east, west, keys, value, open, outcome }
}

describe('the hedge', () => {
  test('asks the next region after 150 ms at first, and aborts the loser', async () => {
    const time = still()
    const { east, open, keys } = await pair(time)
    east.mood = 'hangs'

    expect(await open()).toBe(220)
    expect(east.aborted).toBe(1)
    expect(keys.metrics).toContainEqual({ metric: 'KmsHedges', value: 1, at: '' })
    expect(keys.metrics).toContainEqual({ metric: 'KmsHedgesWon', value: 1, at: '' })
  })

  test("then after twice the region's own p95, 30 ms at least", async () => {
    const time = still()
    const { east, open } = await pair(time)
    for (let count = 0; count < 20; count++) expect(await open()).toBe(5)
    east.mood = 'hangs'

    expect(await open()).toBe(100)
  })

  test('and 300 ms at most', async () => {
    const time = still()
    const { east, open } = await pair(time)
    east.mood = { ms: 149 }
    for (let count = 0; count < 20; count++) await open()
    east.mood = { ms: 290 }
    for (let count = 0; count < 64; count++) await open()
    east.mood = 'hangs'

    expect(await open()).toBe(370)
  })

  test('takes the first good answer, whoever gives it', async () => {
    const time = still()
    const { east, west, open, keys } = await pair(time)
    east.mood = { ms: 160 }

    expect(await open()).toBe(160)
    expect(west.aborted).toBe(1)
    expect(keys.lines[0]?.attempts).toMatchObject([
      { lane: 'primary', outcome: 'ok' },
      { lane: 'hedge', outcome: 'aborted' },
    ])
    expect(keys.lines[0]?.attempts[1]?.['kmsRequestId']).toBeUndefined()
  })

  test('costs a token: five, then a tenth of what is asked', async () => {
    const time = still()
    const { east, west, open } = await pair(time)
    east.mood = { ms: 200 } // slower than the hedge, faster than region 2 after it
    for (let count = 0; count < 7; count++) await open()
    const burst = west.calls.length
    for (let count = 0; count < 100; count++) await open()

    expect(burst).toBe(5)
    expect(west.calls.length).toBeLessThanOrEqual(15)
  })

  test('is not needed for an error, which moves on at once and costs no token', async () => {
    const time = still()
    const remembered = memory(time.random)
    const { east, open } = await pair(time, { memory: remembered })
    east.mood = refuses

    expect(await open()).toBe(71)
    for (let token = 0; token < 5; token++) expect(remembered.bucket.take()).toBe(true)
  })
})

describe('the breaker', () => {
  test('spares a region after three failures in a row', async () => {
    const time = still()
    const { east, open, keys } = await pair(time)
    east.mood = refuses
    const took = [await open(), await open(), await open(), await open(), await open()]

    expect(took).toEqual([71, 71, 71, 70, 70])
    expect(east.calls).toHaveLength(3)
    expect(keys.metrics).toContainEqual({ metric: 'KmsBreakerOpen', value: 1, at: EAST })
  })

  test('spares a region of which half of the last 20 answers failed', async () => {
    const time = still()
    const { east, open, keys } = await pair(time)
    for (let count = 0; count < 20; count++) {
      east.mood = count % 2 === 0 ? refuses : { ms: 5 }
      await open()
    }

    expect(keys.state(EAST)).toBe('open')
    expect(east.calls).toHaveLength(19)
  })

  test('lets one probe find out, beside the healthy region, after a second', async () => {
    const time = still()
    const { east, west, open, keys } = await pair(time)
    east.mood = refuses
    for (let count = 0; count < 3; count++) await open()
    await time.pass(1_000)
    east.mood = { ms: 5 }

    expect(await open()).toBe(5)
    expect(keys.lines.at(-1)?.attempts).toMatchObject([
      { region: WEST, lane: 'primary', outcome: 'aborted' },
      { region: EAST, lane: 'probe', outcome: 'ok' },
    ])
    expect(keys.state(EAST)).toBe('closed')
    expect(west.aborted).toBe(1)
    expect(await open()).toBe(5)
  })

  test('rests twice as long after each failed probe, 30 s at most', async () => {
    const time = still()
    const { east, open, keys } = await pair(time)
    east.mood = refuses
    for (let count = 0; count < 3; count++) await open()
    const rests: number[] = []
    for (let round = 0; round < 8; round++) {
      const began = time.elapsed()
      while (keys.state(EAST) === 'open') await time.pass(100)
      rests.push(Math.round((time.elapsed() - began) / 1_000))
      expect(await open()).toBe(70) // the probe costs no time
    }

    expect(rests).toEqual([1, 2, 4, 8, 16, 30, 30, 30])
  })

  test('takes the slot back from a probe that was aborted too early to tell', async () => {
    const time = still()
    const { east, west, open, keys } = await pair(time)
    east.mood = refuses
    for (let count = 0; count < 3; count++) await open()
    await time.pass(1_000)
    east.mood = { ms: 20 }
    west.mood = { ms: 10 }

    expect(await open()).toBe(10)
    expect(keys.lines.at(-1)?.attempts[1]).toMatchObject({ lane: 'probe', outcome: 'aborted' })
    expect(keys.state(EAST)).toBe('half-open')
    west.mood = { ms: 70 }
    expect(await open()).toBe(20)
    expect(keys.state(EAST)).toBe('closed')
  })

  test('counts a probe that says nothing for longer than a hedge would wait as failed', async () => {
    const time = still()
    const { east, west, open, keys } = await pair(time)
    for (let count = 0; count < 10; count++) await open()
    east.mood = refuses
    for (let count = 0; count < 3; count++) await open()
    await time.pass(1_000)
    east.mood = 'hangs'
    await open()

    expect(keys.state(EAST)).toBe('open')
    expect(west.calls.length).toBe(4)
  })

  test('when both are open tries both anyway', async () => {
    const time = still()
    const { east, west, open, outcome, keys } = await pair(time)
    east.mood = refuses
    west.mood = refuses
    for (let count = 0; count < 3; count++) await outcome()
    expect([keys.state(EAST), keys.state(WEST)]).toEqual(['open', 'open'])
    west.mood = { ms: 70 }

    expect(await open()).toBe(71)
    expect(keys.state(WEST)).toBe('closed')
  })

  test('when both are open lets the hedge ask as well', async () => {
    const time = still()
    const { east, west, open, outcome } = await pair(time)
    east.mood = refuses
    west.mood = refuses
    for (let count = 0; count < 3; count++) await outcome()
    east.mood = 'hangs'
    west.mood = { ms: 70 }

    expect(await open()).toBe(220)
  })

  test('when none is closed begins with a region that may be back', async () => {
    const time = still()
    const remembered = memory(time.random)
    const { east, west, open, keys } = await pair(time, { memory: remembered })
    const fail = (name: string) => {
      for (let count = 0; count < 3; count++) remembered.of(name).breaker.fail(time.now())
    }
    fail(WEST)
    await time.pass(900)
    fail(EAST)
    await time.pass(100)
    expect([keys.state(EAST), keys.state(WEST)]).toEqual(['open', 'half-open'])

    expect(await open()).toBe(70)
    expect([east.calls, west.calls]).toEqual([[], ['decrypt']])
  })

  test('is on record with each operation while it is open', async () => {
    const time = still()
    const { east, open, keys } = await pair(time)
    east.mood = refuses
    for (let count = 0; count < 3; count++) await open()
    keys.metrics.length = 0
    await open() // region 1 is not asked any more

    expect(keys.metrics).toContainEqual({ metric: 'KmsBreakerOpen', value: 1, at: EAST })
    expect(keys.metrics).not.toContainEqual({ metric: 'KmsBreakerOpen', value: 1, at: WEST })
  })

  test('is shut by any answer, also by a refusal', async () => {
    const time = still()
    const { east, outcome, open, keys } = await pair(time)
    east.mood = refuses
    for (let count = 0; count < 3; count++) await open()
    await time.pass(1_000)
    east.mood = { fails: sdk('AccessDeniedException', status(400)), ms: 5 }
    const [ended] = await outcome()

    expect(ended).toMatchObject({ status: 'rejected', reason: { code: 'ACCESS_REFUSED' } })
    expect(keys.state(EAST)).toBe('closed')
  })
})

describe('a warm container', () => {
  test('that was frozen for hours probes at once, and has lost nothing', async () => {
    const time = still()
    const { east, open, keys } = await pair(time)
    east.mood = refuses
    for (let count = 0; count < 3; count++) await open()
    time.freeze(6 * 3_600_000)
    east.mood = { ms: 5 }

    expect(await open()).toBe(5)
    expect(keys.state(EAST)).toBe('closed')
  })

  test('that was frozen in the middle of a probe probes again', async () => {
    const time = still()
    const { east, west, open, keys, value } = await pair(time)
    east.mood = refuses
    for (let count = 0; count < 3; count++) await open()
    await time.pass(1_000)
    east.mood = 'hangs'
    west.mood = 'hangs'
    const left = keys.open(value, context).catch(() => undefined) // its invocation has ended
    time.freeze(3_600_000)
    east.mood = { ms: 5 }

    expect(await open()).toBe(5)
    await time.until(left)
    expect(await open()).toBe(5)
  })

  test.each(['ECONNRESET', 'EPIPE'])(
    'finds the kept connections of both regions dead (%s), and goes on over fresh ones',
    async (code) => {
      const time = still()
      const { east, west, open, keys, value } = await pair(time)
      const dead: Mood = { fails: sdk('TimeoutError', { code }), ms: 1 }
      const thawed = () => {
        for (const one of [east, west]) {
          one.mood = dead
          one.onceCalled = () => {
            one.mood = { ms: 5 }
          }
        }
      }
      thawed()
      expect(await open()).toBe(7)
      expect(keys.lines[0]?.attempts.map((one) => [one['region'], one['outcome']])).toEqual([
        [EAST, 'transport'],
        [WEST, 'transport'],
        [EAST, 'ok'],
      ])
      expect(keys.lines[0]?.attempts[0]?.['error']).toBe(code)
      thawed()
      const again = await time.until(keys.seal(Secret.from('open sesame'), context))

      expect(again.copies.map(({ key }) => key)).toEqual(value.copies.map(({ key }) => key))
      expect([keys.state(EAST), keys.state(WEST)]).toEqual(['closed', 'closed'])
    },
  )

  test('asks a region whose connections keep breaking twice, and no more', async () => {
    const time = still()
    const { east, west, outcome } = await pair(time)
    east.mood = { fails: sdk('TimeoutError', { code: 'ECONNRESET' }) }
    west.mood = east.mood
    const [ended] = await outcome()

    expect(ended).toMatchObject({ status: 'rejected', reason: { code: 'SERVICE_UNAVAILABLE' } })
    expect([east.calls.length, west.calls.length]).toEqual([2, 2])
  })

  test('forgets what failed: the next operation asks anew', async () => {
    const time = still()
    const { east, west, open, outcome } = await pair(time)
    east.mood = { fails: sdk('ExpiredTokenException', status(400)) }
    await outcome()
    east.mood = { ms: 5 }

    expect(await open()).toBe(5)
    expect(west.calls).toEqual([])
  })

  test('whose clock is set back is not locked out', async () => {
    const time = still()
    const { east, open, keys } = await pair(time)
    east.mood = refuses
    for (let count = 0; count < 3; count++) await open()
    time.freeze(-3_600_000)

    expect(keys.state(EAST)).toBe('half-open')
  })
})

describe('the budget', () => {
  test('is shared by the regions, so that the last one gets its turn', async () => {
    const time = still()
    const remembered = memory(time.random)
    while (remembered.bucket.take());
    const { east, open } = await pair(time, { remaining: 400, memory: remembered })
    east.mood = 'hangs'

    expect(await open()).toBe(270)
  })

  test('ends an operation in time when no region answers', async () => {
    const time = still()
    const { east, west, outcome, keys } = await pair(time, { remaining: 300 })
    east.mood = 'hangs'
    west.mood = 'hangs'
    const began = time.elapsed()
    const [ended] = await outcome()

    expect(ended).toMatchObject({ status: 'rejected', reason: { code: 'SERVICE_UNAVAILABLE' } })
    expect(time.elapsed() - began).toBeLessThanOrEqual(300)
    expect(keys.lines[0]?.line).toMatchObject({ budget: 300, outcome: 'unavailable' })
  })

  test('that is used up asks nobody', async () => {
    const time = still()
    const { east, west, outcome } = await pair(time, { remaining: -5 })
    const [ended] = await outcome()

    expect(ended).toMatchObject({ status: 'rejected', reason: { code: 'SERVICE_UNAVAILABLE' } })
    expect([east.calls, west.calls]).toEqual([[], []])
  })

  test('gives one attempt a second at most', async () => {
    const time = still()
    const { east, open } = await pair(time)
    east.mood = { fails: sdk('late'), ms: 60_000 }
    const remembered = memory(time.random)
    while (remembered.bucket.take());
    const again = await pair(time, { memory: remembered })
    again.east.mood = 'hangs'

    expect(await open()).toBe(220)
    expect(await again.open()).toBe(1_070)
  })
})

describe('500 opens while a region dies and comes back', () => {
  const wave = (keys: Keys, value: Sealed, count: number) =>
    Array.from({ length: count }, () => keys.open(value, context))
  const good = async (time: Moved, opens: readonly Promise<Secret>[]) => {
    for (const opened of await time.until(Promise.all(opens)))
      expect(text(opened)).toBe('open sesame')
  }

  test('all succeed when all are under way at once; hedges stay within their tokens', async () => {
    const time = still()
    const { east, west, keys, value } = await pair(time)
    const flying = wave(keys, value, 150)
    east.mood = 'hangs'
    flying.push(...wave(keys, value, 200))
    east.mood = { ms: 5 }
    flying.push(...wave(keys, value, 150))
    await good(time, flying)

    const tried = keys.lines.flatMap(({ attempts }) => attempts)
    const lanes = tried.map(({ lane }) => lane)
    expect(keys.lines).toHaveLength(500)
    expect(keys.lines.every(({ line }) => line['outcome'] === 'ok')).toBe(true)
    expect(lanes.filter((lane) => lane === 'hedge')).toHaveLength(5) // no time passes for more
    expect(tried.filter(({ outcome }) => outcome === 'ok')).toHaveLength(500)
    expect(tried).toHaveLength(500 + 200) // each of the 200 that hung was asked for once more
    expect(east.calls.length + west.calls.length).toBe(tried.length)
    expect(time.elapsed()).toBeLessThanOrEqual(1_200)
  })

  test('all succeed when one begins each millisecond; calls and waiting are bounded', async () => {
    const time = still()
    const { east, west, keys, value } = await pair(time)
    const flying: Promise<Secret>[] = []
    const began = time.elapsed()
    for (let ms = 0; ms < 500; ms++) {
      if (ms === 100) east.mood = 'hangs'
      if (ms === 400) east.mood = { ms: 5 }
      flying.push(keys.open(value, context))
      await time.pass(1)
    }
    await good(time, flying)
    await time.pass(2_000)
    await good(time, wave(keys, value, 1))

    const lanes = keys.lines.flatMap(({ attempts }) => attempts.map(({ lane }) => lane))
    const count = (name: string) => lanes.filter((lane) => lane === name).length
    const asked = Math.max(...keys.lines.map(({ attempts }) => attempts.length))
    expect(keys.lines.every(({ line }) => line['outcome'] === 'ok')).toBe(true)
    expect(count('hedge')).toBeLessThanOrEqual(5 + 500 / 10)
    expect(count('probe')).toBeLessThanOrEqual(1)
    expect(asked).toBeLessThanOrEqual(2)
    expect(east.calls.length + west.calls.length).toBe(lanes.length)
    expect(time.elapsed() - began).toBeLessThan(500 + 1_100 + 2_100)
    expect(keys.state(EAST)).toBe('closed')
  })

  test('all succeed when they come in waves; one probe finds out that it is back', async () => {
    const time = still()
    const { east, west, keys, value } = await pair(time)
    await good(time, wave(keys, value, 100))
    const flying = wave(keys, value, 150)
    await time.pass(2)
    east.mood = 'hangs' // those under way are answered, those after it are not
    await good(time, [...flying, ...wave(keys, value, 150)])
    await time.pass(2_000)
    east.mood = { ms: 5 }
    await good(time, wave(keys, value, 100))

    const lanes = keys.lines.flatMap(({ attempts }) => attempts.map(({ lane }) => lane))
    const hedges = lanes.filter((lane) => lane === 'hedge').length
    expect(keys.lines).toHaveLength(500)
    expect(keys.lines.every(({ line }) => line['outcome'] === 'ok')).toBe(true)
    expect(hedges).toBeLessThanOrEqual(5 + 500 / 10)
    expect(lanes.filter((lane) => lane === 'probe')).toHaveLength(1)
    expect(east.calls.length + west.calls.length).toBe(lanes.length)
    expect(keys.state(EAST)).toBe('closed')
  })
})

describe('sealing', () => {
  test('makes a copy in each region, and each opens it alone', async () => {
    const time = still()
    const { east, west, value } = await pair(time)

    expect(value.copies.map(({ key }) => key)).toEqual([keyOf(EAST), keyOf(WEST)])
    for (const one of [east, west]) {
      const only = { ...value, copies: value.copies.filter(({ key }) => key === one.hole.key) }
      const opened = await time.until(house([one], time).open(only, context))
      expect(text(opened)).toBe('open sesame')
    }
  })

  test('under one multi-Region key asks KMS once, lists the blob under each ARN, and fails over', async () => {
    const time = still()
    const mrk = { id: 'mrk-0123456789abcdef' }
    const [east, west] = [region(EAST, time, mrk), region(WEST, time, mrk)]
    const keys = house([east, west], time)
    const whole = await time.until(keys.seal(Secret.from('x'), context))
    expect([east.calls, west.calls]).toEqual([['encrypt'], []])
    expect(new Set(whole.copies.map(({ blob }) => blob)).size).toBe(1)
    east.mood = 'hangs'
    const again = await time.until(keys.seal(Secret.from('x'), context))

    expect(again.copies.map(({ key }) => key)).toEqual([east.hole.key, west.hole.key])
    expect(keys.lines.map(({ line }) => line['outcome'])).toEqual(['ok', 'ok'])
    expect(text(await time.until(keys.open(again, context)))).toBe('x')
  })

  test('takes 4,096 bytes and refuses one more before any call', async () => {
    const time = still()
    const one = region(EAST, time)
    const keys = house([one], time)
    await time.until(keys.seal(Secret.of(Buffer.alloc(4_096)), context))

    await expect(keys.seal(Secret.of(Buffer.alloc(4_097)), context)).rejects.toMatchObject({
      code: 'SEALED_INVALID',
    })
    expect(one.calls).toHaveLength(1)
    expect(keys.lines.at(-1)).toMatchObject({ line: { outcome: 'refused' }, attempts: [] })
  })

  test('leaves former keys out, which go on opening', async () => {
    const time = still()
    const { east, value } = await pair(time)
    const former = region(WEST, time, { former: true })
    const keys = house([east, former], time)
    const fresh = await time.until(keys.seal(Secret.from('x'), context))
    east.mood = refuses

    expect(keys.keys).toEqual([keyOf(EAST)])
    expect(fresh.copies.map(({ key }) => key)).toEqual([keyOf(EAST)])
    expect(text(await time.until(keys.open(value, context)))).toBe('open sesame')
  })
})

describe('refused', () => {
  test('a copy under a key that is not configured, before any call', async () => {
    const time = still()
    const { east, value } = await pair(time)
    const keys = house([east], time)

    await expect(keys.open(value, context)).rejects.toMatchObject({ code: 'SEALED_INVALID' })
    expect(east.calls).toEqual([])
    expect(keys.lines).toMatchObject([{ line: { outcome: 'refused' }, attempts: [] }])
  })

  test('the answer of another key, and an answer under another context', async () => {
    const time = still()
    const { east, west, value } = await pair(time)
    for (const wrong of [{ key: keyOf('eu-west-1') }, { context: { ...context, version: 'v2' } }]) {
      const hole = {
        ...east.hole,
        decrypt: async (...all: Parameters<typeof east.hole.decrypt>) => ({
          ...(await east.hole.decrypt(...all)),
          ...wrong,
        }),
      }
      const keys = house([{ ...east, hole }, west], time)

      await expect(time.until(keys.open(value, context))).rejects.toMatchObject({
        code: 'CONTEXT_MISMATCH',
      })
      expect(keys.lines).toMatchObject([
        { attempts: [{ outcome: 'integrity', kmsRequestId: /us-east-1-\d/ }] },
      ])
    }
    expect(west.calls).toEqual([])
  })
})

describe('the record', () => {
  test('is one line an operation, with every attempt', async () => {
    const time = still()
    const { east, open, keys } = await pair(time)
    east.mood = { fails: sdk('ThrottlingException', status(400, 'k-1')), ms: 4 }
    await open()

    expect(keys.lines).toEqual([
      {
        line: {
          ...{ action: 'open', org: 'acme', purpose: 'passphrase', secret: 'arn:s', version: 'v1' },
          ...{ outcome: 'ok', region: WEST, budget: 10_000, ms: 74 },
        },
        attempts: [
          {
            ...{ id: expect.stringMatching(/^[0-9a-z]{10}$/), region: EAST, key: keyOf(EAST) },
            ...{ lane: 'primary', ms: 4, outcome: 'throttle', error: 'ThrottlingException' },
            kmsRequestId: 'k-1',
          },
          {
            ...{ id: expect.stringMatching(/^[0-9a-z]{10}$/), region: WEST, key: keyOf(WEST) },
            ...{ lane: 'primary', ms: 70, outcome: 'ok', error: undefined },
            kmsRequestId: 'us-west-2-1',
          },
        ],
      },
    ])
    expect(keys.metrics).toEqual([
      { metric: 'KmsAttempts', value: 1, at: `${EAST} throttle` },
      { metric: 'KmsLatency', value: 4, at: `${EAST} throttle` },
      { metric: 'KmsAttempts', value: 1, at: `${WEST} ok` },
      { metric: 'KmsLatency', value: 70, at: `${WEST} ok` },
      { metric: 'KmsFailovers', value: 1, at: '' },
    ])
  })

  test('of a total failure is one error that holds every attempt', async () => {
    const time = still()
    const { east, west, outcome } = await pair(time)
    east.mood = refuses
    west.mood = { fails: sdk('KMSInternalException', status(500)) }
    const [ended] = await outcome()
    const reason: unknown = ended?.status === 'rejected' ? ended.reason : undefined

    expect(reason).toBeInstanceOf(RelayError)
    expect(reason).toMatchObject({
      code: 'SERVICE_UNAVAILABLE',
      cause: {
        errors: [{ cause: { code: 'ECONNREFUSED' } }, { cause: { name: 'KMSInternalException' } }],
      },
    })
  })

  test('and errors show nothing of what is sealed', async () => {
    const time = still()
    const quoting = (name: string) => ({
      fails: Object.assign(sdk(name, status(400)), { message: 'bad' }),
    })
    for (const name of [
      'AccessDeniedException',
      'InvalidCiphertextException',
      'ThrottlingException',
    ]) {
      const east = region(EAST, time, { mood: quoting(name) })
      const keys = house([east], time)
      const [ended] = await Promise.allSettled([
        time.until(keys.seal(Secret.from(PASSPHRASE), context)),
      ])
      expect(ended?.status).toBe('rejected')
      expect(leaks([ended, keys.lines, keys.warnings])).toEqual([])
    }
  })

  test('of an answer that came too late is wiped, not kept', async () => {
    const time = still()
    const { east, west, value } = await pair(time)
    const late: Uint8Array[] = []
    const hole = {
      ...east.hole,
      decrypt: async () => {
        await new Promise<void>((resolve) => void time.after(500, resolve))
        const bytes = Buffer.from('open sesame')
        late.push(bytes)
        return { bytes, key: east.hole.key, requestId: 'r' }
      },
    }
    await time.until(house([{ ...east, hole }, west], time).open(value, context))
    await time.pass(1_000)

    expect(late).toHaveLength(1)
    expect([...(late[0] ?? [])].every((byte) => byte === 0)).toBe(true)
  })
})
