import { expect, test } from 'vitest'
import { keys } from '../../middleware/keys.ts'
import type { Context } from '../../pki/sealed.ts'
import { Secret } from '../../pki/secret.ts'
import type { Wired } from '../../ports/index.ts'
import type { Keys } from '../../ports/keys.ts'
import type { Log } from '../../ports/log.ts'
import { recorder } from '../support/recorder.ts'
import { EAST, region, sdk, still, WEST } from '../support/regions.ts'

const context: Context = { org: 'acme', purpose: 'passphrase', secret: 'arn:s', version: 'v1' }

interface Prepared {
  readonly getRemainingTimeInMillis: () => number
  keys?: (log: Log) => Keys | undefined
}

/** A warm function: `visit` is one invocation of it. */
function warm(sealing: Wired['sealing'] = {}) {
  const time = still()
  const [east, west] = [region(EAST, time), region(WEST, time)]
  const { before } = keys(() => ({ keyholes: [east.hole, west.hole], sealing }), time)
  const { log, lines } = recorder()
  const visit = (remaining = 30_000) => {
    const prepared: Prepared = { getRemainingTimeInMillis: () => remaining }
    before({ event: {}, context: prepared })
    const port = prepared.keys?.(log)
    if (port === undefined) throw new TypeError('keys are configured')
    return port
  }
  return { time, east, west, visit, lines }
}

test('what one invocation learns of a region the next one knows', async () => {
  const { time, east, visit } = warm()
  const value = await time.until(visit().seal(Secret.from('x'), context))
  east.mood = { fails: sdk('Error', { code: 'ECONNREFUSED' }) }
  for (let count = 0; count < 3; count++) await time.until(visit().open(value, context))
  const calls = east.calls.length
  await time.until(visit().open(value, context))

  expect(east.calls.length).toBe(calls)
})

test('two functions know nothing of each other', async () => {
  const [one, other] = [warm(), warm()]
  const value = await one.time.until(one.visit().seal(Secret.from('x'), context))
  one.east.mood = { fails: sdk('Error', { code: 'ECONNREFUSED' }) }
  for (let count = 0; count < 4; count++) await one.time.until(one.visit().open(value, context))
  await other.time.until(other.visit().open(value, context))

  expect(other.east.calls).toEqual(['decrypt'])
})

test('half a second of the invocation is left for everything else', async () => {
  const { time, east, west, visit, lines } = warm()
  east.mood = 'hangs'
  west.mood = 'hangs'
  const began = time.elapsed()
  await expect(time.until(visit(1_200).seal(Secret.from('x'), context))).rejects.toMatchObject({
    code: 'SERVICE_UNAVAILABLE',
  })

  expect(time.elapsed() - began).toBe(700)
  expect(lines.find(({ level }) => level === 'audit')?.fields).toMatchObject({ budget: 700 })
})

test('without KMS keys there is no port', () => {
  const prepared: Prepared = { getRemainingTimeInMillis: () => 1 }
  keys(() => ({ keyholes: [] })).before({ event: {}, context: prepared })

  expect(prepared.keys?.(recorder().log)).toBeUndefined()
})

test('the rules of the configuration hold', async () => {
  const { time, west, visit, lines } = warm({ minRegions: 1, onDenied: 'next' })
  west.mood = { fails: sdk('TimeoutError') }
  const { copies } = await time.until(visit().seal(Secret.from('x'), context))

  expect(copies).toHaveLength(1)
  expect(lines.map(({ event }) => event)).toEqual(expect.arrayContaining(['drill', 'degraded']))
})
