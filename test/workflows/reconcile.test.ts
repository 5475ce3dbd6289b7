import { describe, expect, test } from 'vitest'
import { RelayError } from '../../pki/error.ts'
import { readTags } from '../../pki/tags.ts'
import type { Exported } from '../../ports/authority.ts'
import { certificate } from '../../workflows/certificate.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { settle } from '../../workflows/settle.ts'
import { trust } from '../../workflows/trust.ts'
import { asks, holder, labels, trusted, wanted } from '../support/asks.ts'
import { DAY, fakes, type Options, required, START, type World } from '../support/fakes.ts'

const plenty = () => 100_000
const MINUTE = 60_000
/** A world with one secret, which its service runs with. */
async function running(options: Options = {}) {
  const world = await fakes(options)
  const { physicalId: secret, data } = await certificate.make(world.ports, asks(wanted()))
  world.pass(DAY)
  world.serve('mesh/color')
  world.pass(DAY)
  await look(world, secret)
  return { world, secret, source: data['CertificateArn'] ?? '', first: data['VersionId'] ?? '' }
}
const look = (world: World, secret: string) => reconcile(world.ports, { secret }, plenty)
/** Everything that was asked for begins, and completes. */
const rollOut = async (world: World, secret: string) => {
  world.pass(MINUTE)
  await world.begin()
  for (const name of world.services.keys()) world.end(name)
  return look(world, secret)
}
const events = (world: World) => world.lines.map(({ event }) => event)

describe('a new serial', () => {
  test('is exported, staged, checked, promoted and recorded, and its rollout is asked for, in one look', async () => {
    const { world, secret, source, first } = await running({ sealing: true })
    await world.renewed(source)
    const [end] = await reconcile(world.ports, { source, why: 'ACM Certificate Available' }, plenty)

    const current = required(holder(world, secret, 'AWSCURRENT'))
    const now = world.ports.clock.now()
    expect(end).toMatchObject({ secret, step: 'wait' })
    expect(current).not.toBe(first)
    expect(labels(world, secret)).toEqual({
      [first]: ['AWSPREVIOUS', 'DEPLOYED'],
      [current]: ['AWSCURRENT', 'AWSPENDING'],
    })
    expect(world.rollouts).toEqual([
      { service: 'mesh/color', secret, version: current, since: now },
    ])
    expect(world.rolls).toEqual([])
    const { notBefore, notAfter } = required(world.issues.get(source)).material
    expect(readTags(required(world.shelf.get(secret)).tags)).toMatchObject({
      promoted: { version: current, at: now },
      previous: { version: first },
      notBefore,
      notAfter,
    })
    expect(events(world)).toEqual(
      expect.arrayContaining([
        'export',
        'check',
        'promote',
        'promoted',
        'roll',
        'rollout-asked',
        'wait',
      ]),
    )
    expect(await rollOut(world, secret)).toMatchObject([{ step: 'done' }])
    expect(world.rolls).toEqual(['mesh/color'])
    expect(holder(world, secret, 'DEPLOYED')).toBe(current)
  })

  test('rolls each service once, however often it is told', async () => {
    const { world, secret, source } = await running()
    await world.renewed(source)
    for (let count = 0; count < 3; count++) await look(world, secret)
    expect(world.rollouts).toHaveLength(3)
    await rollOut(world, secret)
    for (let count = 0; count < 3; count++) await look(world, secret)

    expect(world.rollouts).toEqual([])
    expect(world.rolls).toEqual(['mesh/color'])
  })

  test('does not roll what is idle, draining or gone, and says so once', async () => {
    const world = await fakes()
    const services = ['a/idle', 'a/draining', 'a/gone', 'a/foreign', 'a/active']
    const { physicalId: secret, data } = await certificate.make(
      world.ports,
      asks(wanted({ services })),
    )
    for (const state of ['idle', 'draining', 'foreign', 'active'] as const)
      world.services.set(`a/${state}`, { name: `a/${state}`, state, deployments: [] })
    world.pass(DAY)
    await world.renewed(data['CertificateArn'] ?? '')
    await look(world, secret)

    expect(world.rollouts.map(({ service }) => service)).toEqual(['a/active'])
    const skipped = world.lines.filter(({ event }) => event === 'service-skipped')
    expect(skipped.map(({ fields }) => fields['target'])).toEqual([
      'a/idle',
      'a/draining',
      'a/gone',
      'a/foreign',
    ])
  })

  test('that nobody told us of is found all the same', async () => {
    const { world, secret, source, first } = await running()
    await world.renewed(source)
    await look(world, secret)

    expect(holder(world, secret, 'AWSCURRENT')).not.toBe(first)
  })

  test('goes into every secret that has the certificate, one now and the others by the queue', async () => {
    const { world, secret, source } = await running()
    const adopted = wanted({
      origin: { certificate: source },
      names: [],
      secret: 'second',
      services: [],
    })
    const { physicalId: second } = await certificate.make(
      world.ports,
      asks(adopted, { owner: 'x/Second' }),
    )
    await world.renewed(source)
    const ends = await reconcile(world.ports, { source, why: 'x' }, plenty)

    expect(ends).toHaveLength(1)
    const queued = world.looks.filter(({ delay }) => delay === 0).map((one) => one.secret)
    expect([ends[0]?.secret, ...queued].sort()).toEqual([second, secret].sort())
  })
})

describe('a bad certificate', () => {
  const cases: readonly [string, (exported: Exported, other: Exported) => Exported, string][] = [
    ['without its chain', (exported) => ({ ...exported, chain: '' }), 'CHAIN_BROKEN'],
    [
      "with another certificate's key",
      (exported, other) => ({ ...exported, privateKey: other.privateKey }),
      'KEY_UNREADABLE',
    ],
    [
      'with a key that is not encrypted',
      (exported) => ({ ...exported, privateKey: exported.certificate }),
      'KEY_UNREADABLE',
    ],
  ]
  test.each(cases)(
    '%s is rejected: AWSCURRENT does not move and nothing is rolled',
    async (_, spoil, finding) => {
      let first: Exported | undefined
      const tamper = (exported: Exported) => {
        const changed = first === undefined ? exported : spoil(exported, first)
        first ??= exported
        return changed
      }
      const { world, secret, source, first: current } = await running({ tamper })
      await world.renewed(source)
      const [end] = await look(world, secret)

      const rejected = required(holder(world, secret, 'REJECTED'))
      expect(end?.step).toBe('done')
      expect(labels(world, secret)).toEqual({
        [current]: ['AWSCURRENT', 'DEPLOYED'],
        [rejected]: ['REJECTED'],
      })
      expect(world.rollouts).toEqual([])
      expect(world.news.at(-1)).toMatchObject({ kind: 'Rejected', version: rejected })
      expect(world.lines).toContainEqual(
        expect.objectContaining({
          level: 'error',
          event: 'rejected',
          fields: expect.objectContaining({ code: finding, secret, version: rejected }),
        }),
      )
      expect(world.lines).toContainEqual(
        expect.objectContaining({ level: 'count', event: 'Rejected' }),
      )
    },
  )

  test('is followed by the next good one', async () => {
    let bad = false
    const { world, secret, source } = await running({
      tamper: (exported) => (bad ? { ...exported, chain: '' } : exported),
    })
    bad = true
    await world.renewed(source)
    await look(world, secret)
    const rejected = holder(world, secret, 'REJECTED')
    bad = false
    await world.renewed(source)
    await look(world, secret)

    expect(holder(world, secret, 'AWSCURRENT')).not.toBe(rejected)
    expect(holder(world, secret, 'REJECTED')).toBe(rejected)
    await rollOut(world, secret)
    expect(world.rolls).toEqual(['mesh/color'])
  })

  test('is not stored at all as the first version of a secret', async () => {
    const { world, source } = await running({
      tamper: (exported, issue) => (issue.exports > 1 ? { ...exported, chain: '' } : exported),
    })
    const tags = { 'certrelay:source': source }
    const empty = await world.ports.vault.create('empty', { replicas: [] }, tags)

    expect(await look(world, empty)).toMatchObject([
      { step: 'alarm', reason: expect.stringMatching(/^CHAIN_BROKEN: .*nothing was stored$/) },
    ])
    expect(world.shelf.get('empty')?.versions.size).toBe(0)
  })

  test('of an older end than the current one is rejected', async () => {
    const { world, secret, source } = await running()
    await world.renewed(source)
    const end = new Date(START + 900 * DAY).toISOString()
    await world.ports.keeper.tag(secret, { 'certrelay:not-after': end })
    await look(world, secret)

    expect(world.lines).toContainEqual(
      expect.objectContaining({
        event: 'rejected',
        fields: expect.objectContaining({ code: 'NOT_NEWER' }),
      }),
    )
  })

  test('whose stored bytes somebody changed is rejected, as is a sealed passphrase of another version', async () => {
    const { world, secret, source } = await running()
    await world.renewed(source)
    const put = world.ports.vault.put
    const vault: World['ports']['vault'] = {
      ...world.ports.vault,
      async put(one, version, content, label) {
        await put(one, version, content, label)
        required(world.shelf.get(one)).versions.set(version, {
          content: 'changed',
          labels: new Set(['AWSPENDING']),
        })
      },
    }
    await reconcile({ ...world.ports, vault }, { secret }, plenty)

    expect(world.lines).toContainEqual(
      expect.objectContaining({
        event: 'rejected',
        fields: expect.objectContaining({ code: 'PEM_INVALID' }),
      }),
    )
  })
})

describe('a renewal', () => {
  test('is asked for when two thirds of the lifetime are over, and looked after a quarter of an hour later', async () => {
    const { world, secret, source } = await running()
    world.pass(262 * DAY)
    const [end] = await look(world, secret)

    expect(end).toMatchObject({ step: 'wait', reason: 'a renewal is under way' })
    expect(world.issues.get(source)?.renewing).toBe(true)
    expect(world.looks.at(-1)).toEqual({ secret, delay: 900, waits: 1 })
  })

  test('that ACM has begun without telling us is waited for', async () => {
    const { world, secret, source } = await running()
    world.pass(262 * DAY)
    const renew = async () => {
      throw new RelayError('CERTIFICATE_PENDING', 'a renewal is running')
    }
    const ports = { ...world.ports, authority: { ...world.ports.authority, renew } }

    expect(await reconcile(ports, { secret }, plenty)).toMatchObject([{ step: 'wait' }])
    expect(world.issues.get(source)?.renewing).toBe(false)
  })

  test('that ACM will never make needs a person', async () => {
    const { world, secret } = await running()
    world.pass(262 * DAY)
    const renew = async () => {
      throw new RelayError('CERTIFICATE_REFUSED', 'not eligible')
    }
    const ports = { ...world.ports, authority: { ...world.ports.authority, renew } }

    expect(await reconcile(ports, { secret }, plenty)).toMatchObject([
      { step: 'alarm', reason: 'CERTIFICATE_REFUSED: not eligible' },
    ])
    expect(world.lines).toContainEqual(
      expect.objectContaining({ level: 'count', event: 'Attention' }),
    )
  })

  test('over years: each certificate is renewed, rolled out once and never expires', async () => {
    const { world, secret, source } = await running()
    for (let day = 0; day < 1_500; day += 5) {
      await look(world, secret)
      const issue = required(world.issues.get(source))
      expect(issue.material.notAfter).toBeGreaterThan(world.ports.clock.now() + 100 * DAY)
      if (issue.renewing) await world.renewed(source)
      await look(world, secret)
      await rollOut(world, secret)
      world.pass(5 * DAY)
    }

    expect(world.rolls.length).toBeGreaterThanOrEqual(4)
    expect(world.rolls.length).toBe(required(world.shelf.get(secret)).versions.size - 1)
  })
})

describe('what somebody did by hand', () => {
  const renewed = async () => {
    const made = await running()
    await made.world.renewed(made.source)
    await look(made.world, made.secret)
    await rollOut(made.world, made.secret)
    return { ...made, current: required(holder(made.world, made.secret, 'AWSCURRENT')) }
  }

  test('AWSCURRENT that was moved back is not moved again, whatever labels it left', async () => {
    const { world, secret, first, current } = await renewed()
    expect(labels(world, secret)[current]).toContain('AWSPENDING')
    await world.ports.vault.move(secret, 'AWSCURRENT', current, first)

    expect(await look(world, secret)).toMatchObject([{ step: 'alarm' }])
    expect(holder(world, secret, 'AWSCURRENT')).toBe(first)
  })

  test('the next certificate is promoted all the same', async () => {
    const { world, secret, source, first, current } = await renewed()
    await world.ports.vault.move(secret, 'AWSCURRENT', current, first)
    await world.renewed(source)
    await look(world, secret)

    expect([first, current]).not.toContain(holder(world, secret, 'AWSCURRENT'))
  })
})

describe('what is not ours', () => {
  test.each([
    ['a secret that does not exist', async () => 'nothing'],
    [
      'a secret without our tag',
      (world: World) => world.ports.vault.create('x', { replicas: [] }, { team: 'blue' }),
    ],
    [
      'a trust bundle',
      async (world: World) => (await trust.make(world.ports, asks(trusted()))).physicalId,
    ],
  ])('%s is left alone', async (_, prepare) => {
    const world = await fakes()
    const secret = await prepare(world)
    const before = structuredClone(world.shelf.kept)

    expect(await look(world, secret)).toMatchObject([{ step: 'unmanaged' }])
    expect(world.shelf.kept).toEqual(before)
  })

  test('a certificate that no secret has is left alone', async () => {
    const { world } = await running()

    expect(await reconcile(world.ports, { source: 'arn:other', why: 'x' }, plenty)).toEqual([])
    expect(events(world)).toContain('not-managed')
  })

  test('a secret that waits for its deletion is left alone', async () => {
    const { world, secret, source, first } = await running()
    await world.renewed(source)
    await world.ports.keeper.remove(secret)

    expect(await look(world, secret)).toMatchObject([{ step: 'unmanaged' }])
    expect(holder(world, secret, 'AWSCURRENT')).toBe(first)
  })
})

describe('runs that meet', () => {
  test('at once promote one version and roll it out once', async () => {
    const { world, secret, source, first } = await running({ sealing: true })
    await world.renewed(source)
    const ends = await Promise.all([look(world, secret), look(world, secret), look(world, secret)])

    expect(ends.flat().map(({ step }) => step)).toEqual(['wait', 'wait', 'wait'])
    expect(await rollOut(world, secret)).toMatchObject([{ step: 'done' }])
    expect(world.rolls).toEqual(['mesh/color'])
    expect(world.shelf.get(secret)?.versions.size).toBe(2)
    expect(holder(world, secret, 'AWSPREVIOUS')).toBe(first)
  })

  test('a version that lost all its labels is found again, not exported for ever', async () => {
    const { world, secret, source } = await running()
    await world.renewed(source)
    const kept = required(world.shelf.get(secret))
    await look(world, secret)
    await rollOut(world, secret)
    const current = required(holder(world, secret, 'AWSCURRENT'))
    kept.versions.get(current)?.labels.clear()
    const exports = required(world.issues.get(source)).exports
    const [end] = await look(world, secret)

    expect(end?.step).toBe('alarm')
    expect(holder(world, secret, 'AWSPENDING')).toBe(current)
    expect(required(world.issues.get(source)).exports).toBe(exports + 1)
  })

  test('without time left hand the rest to the queue', async () => {
    const { world, secret, source, first } = await running()
    await world.renewed(source)
    const [end] = await reconcile(world.ports, { secret }, () => 9_000)

    expect(end?.step).toBe('wait')
    expect(world.looks.at(-1)).toEqual({ secret, delay: 1, waits: 1 })
    expect(holder(world, secret, 'AWSCURRENT')).toBe(first)
  })

  test('a certificate that is not issued yet is looked at again in a minute', async () => {
    const { world, secret, source } = await running()
    required(world.issues.get(source)).status = 'pending'
    Object.assign(required(world.issues.get(source)), { ready: Number.POSITIVE_INFINITY })

    expect(await look(world, secret)).toMatchObject([{ step: 'wait' }])
    expect(world.looks.at(-1)).toEqual({ secret, delay: 60, waits: 1 })
  })
})

describe('looks for later', () => {
  /** A certificate whose rollout failed and was taken back: it comes again in a quarter of an hour. */
  const waiting = async () => {
    const made = await running()
    const { world, secret, source } = made
    await world.renewed(source)
    await look(world, secret)
    world.pass(MINUTE)
    await world.begin()
    world.end('mesh/color', 'failed')
    await look(world, secret)
    await rollOut(world, secret)
    return made
  }

  test('are left twelve times in a row when there is nothing to do but wait, then the sweep is next', async () => {
    const { world, secret } = await waiting()
    let waits = 0
    for (let count = 0; count < 20; count++) {
      const left = world.looks.length
      await reconcile(world.ports, { secret, waits }, plenty)
      if (world.looks.length === left) break
      waits = world.looks.at(-1)?.waits ?? 0
    }

    expect(waits).toBe(12)
  })

  test('are counted anew when something was brought about', async () => {
    const { world, secret } = await waiting()
    world.pass(20 * MINUTE)
    await reconcile(world.ports, { secret, waits: 12 }, plenty)

    expect(world.looks.at(-1)).toEqual({ secret, delay: 300, waits: 1 })
  })

  test('are not left where a person has to act: the sweep says it again, once an hour', async () => {
    const { world, secret, source } = await running()
    world.issues.delete(source)
    const left = world.looks.length
    await look(world, secret)

    expect(world.looks.length).toBe(left)
  })

  test('are not left when all is well; that it is so is written down, twice a day at most', async () => {
    const { world, secret } = await running()
    const looked = () => readTags(required(world.shelf.get(secret)).tags)?.looked
    const before = looked()
    const left = world.looks.length
    world.pass(DAY / 4)
    await look(world, secret)
    expect(looked()).toBe(before)
    world.pass(DAY / 2)
    await look(world, secret)

    expect(looked()).toBe(world.ports.clock.now())
    expect(world.looks.length).toBe(left)
  })

  test('find nothing to do once what they waited for is done, and do not ask ACM for it', async () => {
    const { world, secret, source } = await running()
    await world.renewed(source)
    await look(world, secret)
    world.pass(MINUTE)
    await world.begin()
    world.end('mesh/color')
    await settle(world.ports, { service: 'mesh/color' })
    const unasked = async () => {
      throw new TypeError('ACM was asked')
    }
    const authority = { ...world.ports.authority, describe: unasked }
    const [end] = await reconcile({ ...world.ports, authority }, { secret, waits: 1 }, plenty)

    expect(end).toMatchObject({ step: 'done', reason: 'what was waited for is done' })
  })

  test('whose turn comes later than SQS can wait are put off again', async () => {
    const { world, secret } = await running()
    const [end] = await reconcile(world.ports, { secret, rest: 5_000 }, plenty)

    expect(end?.step).toBe('wait')
    expect(world.looks.at(-1)).toMatchObject({ secret, delay: 5_000 })
  })
})

test('an event that comes before what it tells of leads to one more look, and no more', async () => {
  const { world, secret, source } = await running()
  world.looks.length = 0
  const why = 'ACM Certificate Available'
  const [end] = await reconcile(world.ports, { source, why }, plenty)
  const [again] = world.looks.splice(0)
  const [idle] = await reconcile(world.ports, { secret, waits: 12 }, plenty)
  const left = world.looks.length
  await world.renewed(source)
  const [then] = await reconcile(world.ports, { secret, waits: 12 }, plenty)

  expect(end).toMatchObject({ step: 'done' })
  expect(again).toMatchObject({ secret, delay: 60 })
  expect(idle).toMatchObject({ step: 'done' })
  expect(left).toBe(0)
  expect(then).toMatchObject({ step: 'wait' })
})
