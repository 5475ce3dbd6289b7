import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { keyhole } from '../../aws/kms.ts'
import { type AuditLine, auditLine, join, type TrailEvent, trailEvent } from '../../cli/join.ts'
import type { Credentials } from '../../local/iam.ts'
import { kms } from '../../local/kms/index.ts'
import { type Trail, trail } from '../../local/trail/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { failover } from '../../middleware/failover.ts'
import { memory } from '../../middleware/memory.ts'
import { time as real } from '../../middleware/time.ts'
import { type Context, keyRegion } from '../../pki/sealed.ts'
import { Secret } from '../../pki/secret.ts'
import { client, role } from '../support/client.ts'
import { EAST, WEST } from '../support/regions.ts'

let world: Ground
let history: Trail
let keys: string[]
const clients: KMSClient[] = []
/** Milliseconds by which the clock has gone on while a container was frozen. */
let frozen = 0
const time = { ...real, now: () => real.now() + frozen, random: () => real.random() }
const context: Context = { org: 'acme', purpose: 'passphrase', secret: 'arn:s', version: 'v1' }

beforeAll(async () => {
  world = await open({}, (ground) => {
    history = trail(ground)
    return { services: [kms(ground), history.service], seen: history.seen }
  })
  keys = await Promise.all(
    [EAST, WEST].map(async (region) => {
      const { KeyMetadata } = await connected(region).send(new CreateKeyCommand({}))
      return KeyMetadata?.Arn ?? ''
    }),
  )
})
beforeEach(() => {
  world.faults.clear()
  frozen = 0
})
afterAll(async () => {
  for (const one of clients) one.destroy()
  await world.close()
})

function connected(region: string, identity?: Credentials): KMSClient {
  const settings = client(world, region, identity)
  const patience = { requestTimeout: 1_000, throwOnRequestTimeout: true }
  const one = new KMSClient({ ...settings, requestHandler: patience })
  clients.push(one)
  return one
}

/** A failover over both regions, and what it wrote down. */
function house(identity?: Credentials) {
  const lines: AuditLine[] = []
  const holes = keys.map((key) => {
    const region = keyRegion(key)
    return keyhole(connected(region, identity), region, key)
  })
  const all = failover(holes, {
    audit: (fields, attempts) => {
      const line = auditLine(JSON.stringify({ audit: true, ...fields, attempts }))
      if (line === undefined) throw new TypeError('an audit line that nobody can read')
      lines.push(line)
    },
    warn: () => {},
    count: () => {},
    time,
    memory: memory(time.random),
    remaining: () => 5_000,
    options: { minRegions: 1 },
  })
  return { ...all, lines }
}

function events(): TrailEvent[] {
  return history.events().flatMap(({ record }) => trailEvent(JSON.stringify(record)) ?? [])
}

/** Runs some uses of keys; answers both sides of what they left, once CloudTrail knows so many events. */
async function joined(
  work: (all: ReturnType<typeof house>) => Promise<unknown>,
  count: number,
  identity?: Credentials,
) {
  const before = events().length
  const all = house(identity)
  await work(all)
  await vi.waitFor(() => expect(events().length - before).toBe(count), { timeout: 5_000 })
  return join(all.lines, events().slice(before))
}

const passphrase = () => Secret.from('open sesame')
const sealed = () => house().seal(passphrase(), context)
const shape = (uses: Awaited<ReturnType<typeof joined>>) =>
  uses.map(({ region, lane, outcome, join: how }) => [region, lane, outcome, how]).sort()

describe('every audit line has its CloudTrail event, and every event its line', () => {
  test('when all is well', async () => {
    const uses = await joined(async ({ seal, open: unseal }) => {
      await unseal(await seal(passphrase(), context), context)
    }, 3)

    expect(shape(uses)).toEqual([
      [EAST, 'primary', 'ok', 'joined'],
      [EAST, 'primary', 'ok', 'joined'],
      [WEST, 'primary', 'ok', 'joined'],
    ])
    expect(uses.every(({ who }) => who.includes('administrator') || who.includes('user/'))).toBe(
      true,
    )
  })

  test('when a region is refused on its way, and the next one answers', async () => {
    const value = await sealed()
    world.faults.add({ region: EAST }, { kind: 'refuse' })
    const uses = await joined(({ open: unseal }) => unseal(value, context), 1)

    expect(shape(uses)).toEqual([
      [EAST, 'primary', 'transport (ECONNRESET)', 'not-arrived'],
      [WEST, 'primary', 'ok', 'joined'],
    ])
  })

  test('when the answer is lost: KMS has done it, and nobody read that', async () => {
    const value = await sealed()
    world.faults.add({ region: EAST }, { kind: 'lost' })
    const uses = await joined(({ open: unseal }) => unseal(value, context), 2)

    expect(uses.map((one) => one.join)).toEqual(['joined', 'joined'])
    expect(uses.find(({ region }) => region === EAST)?.kmsRequestId).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('when a region hangs and a hedge wins: the aborted one never arrived', async () => {
    const value = await sealed()
    world.faults.add({ region: EAST }, { kind: 'hang' })
    const uses = await joined(({ open: unseal }) => unseal(value, context), 1)

    expect(shape(uses)).toEqual([
      [EAST, 'primary', 'aborted', 'not-arrived'],
      [WEST, 'hedge', 'ok', 'joined'],
    ])
  })

  test('when a region is slow and a hedge wins: the aborted one was carried out all the same', async () => {
    const value = await sealed()
    world.faults.add({ region: EAST }, { kind: 'latency', ms: 400 })
    const uses = await joined(({ open: unseal }) => unseal(value, context), 2)

    expect(shape(uses)).toEqual([
      [EAST, 'primary', 'aborted', 'joined'],
      [WEST, 'hedge', 'ok', 'joined'],
    ])
  })

  test('when KMS refuses: the refusal has an event too, with the same request id', async () => {
    const value = await sealed()
    const wrong = { ...context, version: 'v2' }
    const denied = role(world, 'sealer', { Effect: 'Allow', Action: 'kms:Encrypt', Resource: '*' })
    const mismatch = await joined(
      ({ open: unseal }) => unseal(value, wrong).catch(() => undefined),
      1,
    )
    const refused = await joined(
      ({ open: unseal }) => unseal(value, context).catch(() => undefined),
      1,
      denied,
    )

    expect(shape(mismatch)).toEqual([
      [EAST, 'primary', 'integrity (InvalidCiphertextException)', 'joined'],
    ])
    expect(shape(refused)).toEqual([[EAST, 'primary', 'denied (AccessDeniedException)', 'joined']])
    expect(refused[0]?.who).toContain('sealer')
  })

  test('when a region that was given up is probed beside the other', async () => {
    const value = await sealed()
    world.faults.add({ region: EAST, times: 3 }, { kind: 'error' })
    world.faults.add({ region: WEST }, { kind: 'latency', ms: 300 })
    const uses = await joined(async ({ open: unseal }) => {
      for (let count = 0; count < 3; count++) await unseal(value, context)
      await unseal(value, context) // region 1 is passed over
      frozen = 3_600_000
      await unseal(value, context)
    }, 6)

    expect(shape(uses)).toEqual([
      ...Array(3).fill([EAST, 'primary', 'server (KMSInternalException)', 'not-arrived']),
      [EAST, 'probe', 'ok', 'joined'],
      [WEST, 'primary', 'aborted', 'joined'],
      ...Array(4).fill([WEST, 'primary', 'ok', 'joined']),
    ])
  })

  test('when forty open at once while a region is throttled, slow and loses answers', async () => {
    const value = await sealed()
    world.faults.add({ region: EAST, share: 0.2 }, { kind: 'throttle' })
    world.faults.add({ region: EAST, share: 0.2 }, { kind: 'lost' })
    world.faults.add({ region: EAST, share: 0.3 }, { kind: 'latency', ms: 250 })
    const before = events().length
    const all = house()
    await Promise.all(Array.from({ length: 40 }, () => all.open(value, context)))
    const odd = () => {
      const uses = join(all.lines, events().slice(before))
      return uses.filter((use) => use.join === 'no-event' || use.join === 'no-line')
    }
    await vi.waitFor(() => expect(odd()).toEqual([]), { timeout: 5_000 })

    expect(all.lines).toHaveLength(40)
    expect(all.lines.every(({ outcome }) => outcome === 'ok')).toBe(true)
    expect(
      new Set(all.lines.flatMap(({ attempts }) => attempts.map((one) => one.outcome))),
    ).toEqual(new Set(['ok', 'aborted', 'throttle', 'transport']))
  })

  test('when sealing is degraded', async () => {
    world.faults.add({ region: WEST }, { kind: 'refuse' })
    const uses = await joined(({ seal }) => seal(passphrase(), context), 1)

    expect(shape(uses)).toEqual([
      [EAST, 'primary', 'ok', 'joined'],
      [WEST, 'primary', 'transport (ECONNRESET)', 'not-arrived'],
      [WEST, 'primary', 'transport (ECONNRESET)', 'not-arrived'], // once more over a fresh connection
    ])
  })
})

test('a use that nobody wrote down is found', async () => {
  const value = await sealed()
  const before = events().length
  await house().open(value, context)

  expect(join([], events().slice(before))).toMatchObject([{ join: 'no-line', action: 'open' }])
})

test('an answer of which CloudTrail does not know yet is not called joined, with or without a request id', async () => {
  const all = house()
  await all.seal(passphrase(), context)
  const nameless = all.lines.map((line) => ({
    ...line,
    attempts: line.attempts.map(({ kmsRequestId: _, ...rest }) => rest),
  }))

  expect(join(all.lines, []).map((one) => one.join)).toEqual(['no-event', 'no-event'])
  expect(join(nameless, []).map((one) => one.join)).toEqual(['no-event', 'no-event'])
})

test.each(['denied', 'integrity', 'key-state', 'caller'])(
  'a decision of KMS (%s) of which CloudTrail does not know is not called turned away',
  async (outcome) => {
    const all = house()
    await all.seal(passphrase(), context)
    const decided = all.lines.map((line) => ({
      ...line,
      attempts: line.attempts.map((one) => ({ ...one, outcome, error: 'Exception' })),
    }))

    expect(new Set(join(decided, []).map((one) => one.join))).toEqual(new Set(['no-event']))
  },
)

test('a refusal whose event tells nothing of the request is joined by its request id, and else is nobody', async () => {
  const value = await sealed()
  const before = events().length
  const denied = role(world, 'mute', { Effect: 'Allow', Action: 'kms:Encrypt', Resource: '*' })
  const all = house(denied)
  await all.open(value, context).catch(() => undefined)
  const records = history.events().map(({ record }) => ({ ...record, requestParameters: null }))
  const mute = records.flatMap((record) => trailEvent(JSON.stringify(record)) ?? []).slice(-1)

  expect(events().length - before).toBe(1)
  expect(join(all.lines, mute)).toMatchObject([
    { join: 'joined', who: expect.stringContaining('mute') },
  ])
  expect(join([], mute)).toEqual([])
})

test('a line and an event under different contexts are not joined', async () => {
  const before = events().length
  const all = house()
  await all.seal(passphrase(), context)
  const forged = all.lines.map((line) => ({ ...line, version: 'v9' }))

  expect(new Set(join(forged, events().slice(before)).map((one) => one.join))).toEqual(
    new Set(['no-event', 'no-line']),
  )
})

test('CloudTrail shows no plaintext and no ciphertext', async () => {
  const value = await sealed()
  await house().open(value, context)
  const text = JSON.stringify(history.events())

  for (const { blob } of value.copies) expect(text).not.toContain(blob)
  expect(text).not.toContain('open sesame')
  expect(text).not.toContain(Buffer.from('open sesame').toString('base64'))
})
