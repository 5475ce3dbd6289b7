import { describe, expect, test } from 'vitest'
import type { Class } from '../../middleware/classify.ts'
import type { Context, Sealed } from '../../pki/sealed.ts'
import { Secret } from '../../pki/secret.ts'
import { table } from '../support/markdown.ts'
import {
  EAST,
  house,
  type Mood,
  type Region,
  region,
  sdk,
  status,
  still,
  WEST,
} from '../support/regions.ts'

// Each row of the table in docs/kms.md x (region 1, region 2, both) x (seal, open): outcome, calls, audit lines, breakers.

const context: Context = { org: 'acme', purpose: 'passphrase', secret: 'arn:s', version: 'v1' }
const fails = (name: string, code: number): Mood => ({ fails: sdk(name, status(code)) })

interface Row {
  readonly means: Class
  readonly mood: Mood
  readonly code: string
}
const ROWS: readonly (readonly [string, Row])[] = [
  ['transport', row('transport', { fails: sdk('Error', { code: 'ECONNREFUSED' }) })],
  ['server', row('server', fails('KMSInternalException', 500))],
  ['throttle', row('throttle', fails('ThrottlingException', 400))],
  ['key-state', row('key-state', fails('DisabledException', 400), 'KEY_DISABLED')],
  ['denied', row('denied', fails('AccessDeniedException', 400), 'ACCESS_REFUSED')],
  ['credentials', row('credentials', fails('ExpiredTokenException', 400), 'ACCESS_REFUSED')],
  ['integrity', row('integrity', fails('InvalidCiphertextException', 400), 'CONTEXT_MISMATCH')],
  ['caller', row('caller', fails('ValidationException', 400), 'CONFIG_INVALID')],
]
function row(means: Class, mood: Mood, code = 'SERVICE_UNAVAILABLE'): Row {
  return { means, mood, code }
}
const sick = (means: Class) => means === 'transport' || means === 'server' || means === 'throttle'
const WHERE = ['region 1', 'region 2', 'both'] as const

async function sealed(): Promise<Sealed> {
  const time = still()
  const keys = house([region(EAST, time), region(WEST, time)], time)
  return time.until(keys.seal(Secret.from('open sesame'), context))
}

/** Two regions of which some fail, asked four times, so that a breaker may open. */
async function trial(where: (typeof WHERE)[number], mood: Mood, action: 'seal' | 'open') {
  const time = still()
  const [east, west] = [region(EAST, time), region(WEST, time)]
  if (where !== 'region 2') east.mood = mood
  if (where !== 'region 1') west.mood = mood
  const value = await sealed()
  const keys = house([east, west], time)
  const work = (): Promise<unknown> =>
    action === 'seal' ? keys.seal(Secret.from('x'), context) : keys.open(value, context)
  const [first] = await Promise.allSettled([time.until(work())])
  const calls = counts(east, west)
  for (let again = 0; again < 3; again++) await Promise.allSettled([time.until(work())])
  return { first, calls, keys, all: counts(east, west) }
}

const counts = (...regions: readonly Region[]) => regions.map(({ calls }) => calls.length)

describe.each(ROWS)('row %s of docs/kms.md', (_, { means, mood, code }) => {
  describe.each(WHERE)('in %s', (where) => {
    const hit = { 'region 1': [EAST], 'region 2': [WEST], both: [EAST, WEST] }[where]

    test(`open: ${opened(where, means)}`, async () => {
      const { first, calls, keys, all } = await trial(where, mood, 'open')
      const [line] = keys.lines
      const tried = line?.attempts.map((one) => [one['region'], one['lane'], one['outcome']])

      if (where === 'region 2') {
        expect(calls).toEqual([1, 0])
        expect(tried).toEqual([[EAST, 'primary', 'ok']])
        expect([keys.state(EAST), keys.state(WEST)]).toEqual(['closed', 'closed'])
      } else if (!sick(means)) {
        expect(first).toMatchObject({ status: 'rejected', reason: { code } })
        expect(calls).toEqual([1, 0])
        expect(all).toEqual([4, 0])
        expect(line?.line['outcome']).toBe(means)
        expect(tried).toEqual([[EAST, 'primary', means]])
        expect(keys.state(EAST)).toBe('closed')
      } else if (where === 'region 1') {
        expect(first.status).toBe('fulfilled')
        expect(calls).toEqual([1, 1])
        expect(line?.line).toMatchObject({ outcome: 'ok', region: WEST })
        expect(tried).toEqual([
          [EAST, 'primary', means],
          [WEST, 'primary', 'ok'],
        ])
        expect(all).toEqual([3, 4])
        expect([keys.state(EAST), keys.state(WEST)]).toEqual(['open', 'closed'])
      } else {
        expect(first).toMatchObject({ status: 'rejected', reason: { code } })
        expect(calls).toEqual([1, 1])
        expect(line?.line['outcome']).toBe('unavailable')
        expect(tried).toEqual([
          [EAST, 'primary', means],
          [WEST, 'primary', means],
        ])
        expect(all).toEqual([4, 4]) // both open: both are tried anyway
        expect([keys.state(EAST), keys.state(WEST)]).toEqual(['open', 'open'])
      }
      expect(keys.lines).toHaveLength(4)
      expect(keys.warnings.includes('security')).toBe(means === 'integrity' && where !== 'region 2')
    })

    test(`seal: fails with ${code}, because all regions take part`, async () => {
      const { first, calls, keys } = await trial(where, mood, 'seal')
      const [line] = keys.lines

      expect(first).toMatchObject({ status: 'rejected', reason: { code } })
      expect(calls).toEqual([1, 1])
      expect(line?.line['outcome']).toBe(sick(means) ? 'unavailable' : means)
      expect(line?.attempts.map((one) => [one['region'], one['outcome']])).toEqual(
        [EAST, WEST].map((name) => [name, hit.includes(name) ? means : 'ok']),
      )
      expect(keys.lines).toHaveLength(4)
      for (const name of [EAST, WEST])
        expect(keys.state(name)).toBe(sick(means) && hit.includes(name) ? 'open' : 'closed')
    })

    test(`seal with minRegions 1: ${where !== 'both' && sick(means) ? 'degraded' : 'fails'}`, async () => {
      const time = still()
      const [east, west] = [region(EAST, time), region(WEST, time)]
      if (where !== 'region 2') east.mood = mood
      if (where !== 'region 1') west.mood = mood
      const keys = house([east, west], time, { minRegions: 1 })
      const [ended] = await Promise.allSettled([time.until(keys.seal(Secret.from('x'), context))])

      if (where === 'both' || !sick(means)) {
        expect(ended).toMatchObject({ status: 'rejected', reason: { code } })
        return
      }
      const other = where === 'region 1' ? west : east
      expect(ended).toMatchObject({
        status: 'fulfilled',
        value: { copies: [{ key: other.hole.key }] },
      })
      expect(keys.lines).toMatchObject([
        { line: { outcome: 'degraded', region: other.hole.region } },
      ])
      expect(keys.warnings).toEqual(['degraded'])
    })
  })
})

function opened(where: (typeof WHERE)[number], means: Class): string {
  if (where === 'region 2') return 'region 1 answers, region 2 is not asked'
  if (!sick(means)) return 'stops, and no other region is asked'
  return where === 'region 1' ? 'region 2 answers, until its breaker spares region 1' : 'one error'
}

test('every row of docs/kms.md is pointed to by tests here', () => {
  const rows = table('docs/kms.md', 'class')

  expect(ROWS.map(([name]) => name)).toEqual(rows.map(([name]) => name))
  expect(ROWS.map(([name]) => name)).toEqual(ROWS.map(([, { means }]) => means))
  for (const [name, { means }] of ROWS) {
    const [, , then = ''] = rows.find(([one]) => one === name) ?? []
    expect(then, name).toMatch(sick(means) ? /^the next region at once/ : /^stop/)
  }
})

describe('row transport of docs/kms.md, when a region hangs', () => {
  test('in region 1: open is answered by region 2 after the hedge delay, seal fails after the limit', async () => {
    const { first, calls, keys, all } = await trial('region 1', 'hangs', 'open')

    expect(first.status).toBe('fulfilled')
    expect(calls).toEqual([1, 1])
    expect(keys.lines[0]?.attempts).toMatchObject([
      { region: EAST, lane: 'primary', outcome: 'aborted', ms: 155 },
      { region: WEST, lane: 'hedge', outcome: 'ok', ms: 5 },
    ])
    expect(all).toEqual([3, 4])
    expect(keys.state(EAST)).toBe('open')
    expect(await trial('region 1', 'hangs', 'seal')).toMatchObject({
      first: { status: 'rejected', reason: { code: 'SERVICE_UNAVAILABLE' } },
    })
  })

  test('in region 2: nothing is noticed', async () => {
    const { first, all } = await trial('region 2', 'hangs', 'open')

    expect(first.status).toBe('fulfilled')
    expect(all).toEqual([4, 0])
  })

  test('in both: one error within the limits of both', async () => {
    const { first, keys } = await trial('both', 'hangs', 'open')

    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'SERVICE_UNAVAILABLE' } })
    expect(keys.lines[0]?.line['ms']).toBeLessThanOrEqual(2_000)
    expect(keys.metrics).toContainEqual({ metric: 'KmsUnavailable', value: 1, at: '' })
  })
})

test.each(['org', 'secret', 'version'] as const)(
  'a context with another %s is one security event, and no other region is asked',
  async (member) => {
    const time = still()
    const [east, west] = [region(EAST, time), region(WEST, time)]
    const keys = house([east, west], time)
    const open = keys.open(await sealed(), { ...context, [member]: 'other' })

    await expect(time.until(open)).rejects.toMatchObject({ code: 'CONTEXT_MISMATCH' })
    expect(counts(east, west)).toEqual([1, 0])
    expect(keys.warnings).toEqual(['security'])
    expect(keys.metrics).toContainEqual({ metric: 'KmsIntegrity', value: 1, at: '' })
  },
)

test.each([
  ['of another purpose', { org: 'acme', purpose: 'ca', ca: 'arn:s' }],
  ['of another authority', { org: 'acme', purpose: 'ca', ca: 'web' }, 'db'],
  ['of another organization', { org: 'other', purpose: 'ca', ca: 'db' }, 'db'],
] as const)(
  'a context %s is one security event, and no other region is asked',
  async (_, wrong, ca?: string) => {
    const time = still()
    const [east, west] = [region(EAST, time), region(WEST, time)]
    const keys = house([east, west], time)
    const right = ca === undefined ? context : { org: 'acme', purpose: 'ca' as const, ca }
    const value = await time.until(keys.seal(Secret.from('open sesame'), right))
    const open = keys.open(value, wrong)

    await expect(time.until(open)).rejects.toMatchObject({ code: 'CONTEXT_MISMATCH' })
    expect(counts(east, west)).toEqual([2, 1])
    expect(keys.warnings).toEqual(['security'])
    await expect(time.until(keys.open(value, right))).resolves.toBeDefined()
  },
)

test.each([
  ['a member too many', { ...context, ca: 'db' }],
  ['a member of another purpose', { org: 'acme', purpose: 'ca' as const, ca: 'db', version: 'v' }],
  ['no name of its authority', { org: 'acme', purpose: 'ca' as const, ca: '' }],
])('a context with %s is one security event, and nobody is asked', async (_, wrong) => {
  const time = still()
  const [east, west] = [region(EAST, time), region(WEST, time)]
  const keys = house([east, west], time)

  await expect(keys.open(await sealed(), wrong)).rejects.toMatchObject({ code: 'CONTEXT_MISMATCH' })
  await expect(keys.seal(Secret.from('x'), wrong)).rejects.toMatchObject({
    code: 'CONTEXT_MISMATCH',
  })
  expect(counts(east, west)).toEqual([0, 0])
  expect(keys.warnings).toEqual(['security', 'security'])
})

test.each(['org', 'purpose', 'secret', 'version'] as const)(
  'a context without %s is one security event, and nobody is asked',
  async (member) => {
    const time = still()
    const [east, west] = [region(EAST, time), region(WEST, time)]
    const keys = house([east, west], time)
    const wrong = { ...context, [member]: '' }

    await expect(keys.open(await sealed(), wrong)).rejects.toMatchObject({
      code: 'CONTEXT_MISMATCH',
    })
    await expect(keys.seal(Secret.from('x'), wrong)).rejects.toMatchObject({
      code: 'CONTEXT_MISMATCH',
    })
    expect(counts(east, west)).toEqual([0, 0])
    expect(keys.warnings).toEqual(['security', 'security'])
  },
)

test.each([
  ['denied', 'onDenied', 'AccessDeniedException'],
  ['key-state', 'onKeyState', 'DisabledException'],
] as const)(
  '%s goes on with the option %s: next, and says so loudly',
  async (means, option, name) => {
    const time = still()
    const [east, west] = [region(EAST, time, { mood: fails(name, 400) }), region(WEST, time)]
    const keys = house([east, west], time, { [option]: 'next' })
    await time.until(keys.open(await sealed(), context))

    expect(counts(east, west)).toEqual([1, 1])
    expect(keys.lines).toMatchObject([
      { line: { outcome: 'ok', drill: true }, attempts: [{ outcome: means }, { outcome: 'ok' }] },
    ])
    expect(keys.warnings).toEqual(['drill'])
    west.mood = east.mood
    await expect(time.until(keys.open(await sealed(), context))).rejects.toMatchObject({
      code: means === 'denied' ? 'ACCESS_REFUSED' : 'KEY_DISABLED',
    })
  },
)
