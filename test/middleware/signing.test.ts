import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { memory } from '../../middleware/memory.ts'
import { pens } from '../../middleware/signing.ts'
import type { Pen, Turned } from '../../ports/keys.ts'
import type { Fields } from '../../ports/log.ts'
import { EAST, keyOf, type Moved, sdk, status, still, WEST } from '../support/regions.ts'

type Mood = 'well' | 'hangs' | 'forged' | { readonly fails: unknown }

const KEYS = [keyOf(EAST, 'mrk-1'), keyOf(WEST, 'mrk-1')]
const signatureOf = (message: Uint8Array) => createHash('sha256').update(message).digest()
const message = Buffer.from('digest')
const context = { org: 'acme', purpose: 'ca', ca: 'db' } as const

/** Pens in two regions, of which the first has a mood, and what they say. */
function house(time: Moved, mood: Mood) {
  const calls: string[] = []
  const lines: { readonly line: Fields; readonly attempts: readonly Fields[] }[] = []
  const warnings: string[] = []
  const metrics: string[] = []
  const penOf = (key: string): Pen => {
    const region = key.includes(EAST) ? EAST : WEST
    const how = region === EAST ? mood : 'well'
    const work = (bytes: () => Uint8Array) =>
      new Promise<Turned>((resolve, reject) => {
        calls.push(region)
        if (how === 'hangs') return
        time.after(5, () => {
          if (typeof how === 'object') reject(how.fails)
          else resolve({ bytes: bytes(), key, requestId: `${region}-${calls.length}` })
        })
      })
    return {
      ...{ region, key },
      sign: ({ message: given }) =>
        work(() => (how === 'forged' ? Buffer.alloc(32) : signatureOf(given))),
      publicKey: () => work(() => Buffer.from('spki')),
      tag: (name) => work(() => Buffer.from(`${name} of ${region}`)),
      untag: () => work(() => new Uint8Array()),
    }
  }
  const made = pens(penOf, {
    audit: (line, attempts) => void lines.push({ line, attempts }),
    warn: (event) => void warnings.push(event),
    count: (metric) => void metrics.push(metric),
    ...{ time, memory: memory(time.random), remaining: () => 5_000 },
  })
  const heard: string[] = []
  const sign = (ca = 'db') =>
    time.until(
      made.sign(
        {
          ...{ keys: KEYS, signing: 'P-256', message, context: { ...context, ca } },
          proves: (signature) => signatureOf(message).equals(signature),
        },
        ({ region, outcome }) => void heard.push(`${region} ${outcome}`),
      ),
    )
  return { ...made, write: made.sign, sign, calls, lines, warnings, metrics, heard }
}

test('the first region signs, and one line tells of it', async () => {
  const { sign, calls, lines, heard } = house(still(), 'well')

  expect(Buffer.from(await sign()).equals(signatureOf(message))).toBe(true)
  expect(calls).toEqual([EAST])
  expect(heard).toEqual([`${EAST} ok`])
  expect(lines).toMatchObject([
    {
      line: { action: 'sign', org: 'acme', purpose: 'ca', ca: 'db', outcome: 'ok', region: EAST },
      attempts: [{ kmsRequestId: `${EAST}-1`, lane: 'primary' }],
    },
  ])
})

test.each([
  ['hangs', 'hangs', 'hedge'],
  ['is refused', { fails: sdk('Error', { code: 'ECONNREFUSED' }) }, 'primary'],
  ['fails', { fails: sdk('KMSInternalException', status(500)) }, 'primary'],
  ['throttles', { fails: sdk('ThrottlingException', status(400)) }, 'primary'],
] as const)('a region that %s is passed over', async (_, mood, lane) => {
  const { sign, calls, lines, metrics } = house(still(), mood)

  expect(Buffer.from(await sign()).equals(signatureOf(message))).toBe(true)
  expect(calls).toEqual([EAST, WEST])
  expect(lines).toMatchObject([{ line: { outcome: 'ok', region: WEST } }])
  expect(lines[0]?.attempts.at(-1)).toMatchObject({ region: WEST, lane, outcome: 'ok' })
  if (lane === 'primary') expect(metrics).toContain('KmsFailovers')
})

test.each([
  ['denies', 'AccessDeniedException', 'ACCESS_REFUSED'],
  ['has the key disabled', 'DisabledException', 'KEY_DISABLED'],
  ['has another kind of key', 'InvalidKeyUsageException', 'CONFIG_INVALID'],
] as const)('a region that %s ends it', async (_, name, code) => {
  const { sign, calls } = house(still(), { fails: sdk(name, status(400)) })

  await expect(sign()).rejects.toMatchObject({ code })
  expect(calls).toEqual([EAST])
})

test('a signature that does not prove itself is one security event, and never leaves', async () => {
  const { sign, calls, warnings, metrics } = house(still(), 'forged')

  await expect(sign()).rejects.toMatchObject({
    code: 'CONTEXT_MISMATCH',
    message: expect.stringMatching(/sign with the key of authority db: .*tampered/),
  })
  expect(calls).toEqual([EAST])
  expect(warnings).toEqual(['security'])
  expect(metrics).toContain('KmsIntegrity')
})

test('without a whole context nobody is asked', async () => {
  const { sign, calls, warnings } = house(still(), 'well')

  await expect(sign('')).rejects.toMatchObject({ code: 'CONTEXT_MISMATCH' })
  expect(calls).toEqual([])
  expect(warnings).toEqual(['security'])
})

test('tags are asked for in every region, and no use of a key is written down', async () => {
  const time = still()
  const { tags, lines } = house(time, 'well')

  expect(await time.until(tags('owner', { keys: KEYS, context }))).toEqual([
    `owner of ${EAST}`,
    `owner of ${WEST}`,
  ])
  expect(lines).toEqual([])
})

describe('a key that has to be somebody’s by its tag', () => {
  const writing = (value: string, seen = new Set<string>()) => ({
    ...{ keys: KEYS, signing: 'P-256' as const, message, context },
    ...{ proves: () => true, owner: { tag: 'owner', value, seen } },
  })

  test('signs when it is, and is asked once', async () => {
    const time = still()
    const { calls, ...made } = house(time, 'well')
    const one = writing(`owner of ${EAST}`)
    await time.until(made.write(one))
    expect(calls).toEqual([EAST, EAST])
    await time.until(made.write(one))

    expect([calls, [...one.owner.seen]]).toEqual([[EAST, EAST, EAST], [KEYS[0]]])
  })

  test('signs nothing when it is not: one security event, and no other region is asked', async () => {
    const time = still()
    const { calls, warnings, ...made } = house(time, 'well')
    const one = writing(`owner of ${WEST}`)

    await expect(time.until(made.write(one))).rejects.toMatchObject({ code: 'CONTEXT_MISMATCH' })
    expect([calls, warnings, one.owner.seen.size]).toEqual([[EAST], ['security'], 0])
  })

  test('is looked at in the region that signs: one that is out is passed over', async () => {
    const time = still()
    const { calls, ...made } = house(time, { fails: sdk('KMSInternalException', status(500)) })
    await time.until(made.write(writing(`owner of ${WEST}`)))

    expect(calls).toEqual([EAST, WEST, WEST])
  })
})

test('a tag is taken off in every region, and one that cannot is an error', async () => {
  const time = still()
  const well = house(time, 'well')
  const sick = house(time, { fails: sdk('NotFoundException', status(400)) })
  await time.until(well.untag('owner', { keys: KEYS, context }))

  expect([well.calls, well.lines]).toEqual([[EAST, WEST], []])
  await expect(time.until(sick.untag('owner', { keys: KEYS, context }))).rejects.toMatchObject({
    code: 'KEY_DISABLED',
  })
})

test('public keys come from every region, and a region that cannot tell is an error', async () => {
  const time = still()
  const well = house(time, 'well')
  const sick = house(time, { fails: sdk('NotFoundException', status(400)) })
  const told = await time.until(well.publicKeys({ keys: KEYS, context }))

  expect(told.map((one) => Buffer.from(one).toString())).toEqual(['spki', 'spki'])
  expect(well.lines).toEqual([])
  await expect(time.until(sick.publicKeys({ keys: KEYS, context }))).rejects.toMatchObject({
    code: 'KEY_DISABLED',
  })
})
