import { describe, expect, test } from 'vitest'
import { DAY } from '../../pki/due.ts'
import { quiet, standing } from '../../pki/fresh.ts'
import { type Registration, writeTags } from '../../pki/tags.ts'
import { nextVersion } from '../../pki/version.ts'
import { FOREIGN, HOUR, issued, labels, MINUTE, NEW, OLD, SOURCE, START } from './states.ts'

const ARN = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:mesh/color-AbCdEf'
const NOW = START + 10 * DAY
const SET = '0123456789abcdef'
const usual: Registration = {
  source: SOURCE,
  services: ['mesh/color'],
  promoted: { version: NEW, at: START },
  notBefore: issued.notBefore,
  notAfter: issued.notAfter,
  looked: NOW - HOUR,
}
const deployed = { [NEW]: ['AWSCURRENT', 'DEPLOYED'], [OLD]: ['AWSPREVIOUS'] }
const stand = (
  over: Partial<Registration> = {},
  held: Readonly<Record<string, readonly string[]>> = deployed,
  { now = NOW, set }: { readonly now?: number; readonly set?: string } = {},
) =>
  standing(
    { arn: ARN, tags: writeTags({ ...usual, ...over }), versions: labels(held) },
    now,
    ...(set === undefined ? [] : [set]),
  )
const without = (name: string) => {
  const { [`certrelay:${name}`]: _, ...tags } = writeTags(usual)
  return standing({ arn: ARN, tags, versions: labels(deployed) }, NOW)
}

describe('a secret is provably fresh', () => {
  test('when it is deployed, not due and was looked at today', () => {
    expect(stand()).toEqual({
      fresh: true,
      stuck: false,
      source: SOURCE,
      version: NEW,
      notBefore: issued.notBefore,
      notAfter: issued.notAfter,
      days: 385,
      near: false,
      unseen: 0,
    })
  })

  test('without services when it is promoted', () => {
    expect(stand({ services: [] }, { [NEW]: ['AWSCURRENT'] }).fresh).toBe(true)
  })

  test('when the label DEPLOYED is on the same certificate under another seal', () => {
    const held = { [nextVersion(NEW)]: ['AWSCURRENT'], [NEW]: ['AWSPREVIOUS', 'DEPLOYED'] }

    expect(stand({}, held).fresh).toBe(true)
  })

  test('when AWSPENDING is on the current version too', () => {
    expect(stand({}, { [NEW]: ['AWSCURRENT', 'AWSPENDING', 'DEPLOYED'] }).fresh).toBe(true)
  })

  test('when it is known to be sealed under exactly the keys there are', () => {
    const sealed = { version: NEW, set: SET }

    expect(stand({ sealed }, deployed, { set: SET }).fresh).toBe(true)
  })
})

test.each(['REJECTED', 'ROLLEDBACK'])(
  'a secret is provably fresh although an older version is labeled %s',
  (label) => {
    expect(stand({}, { ...deployed, [OLD]: [label] }).fresh).toBe(true)
  },
)

describe('a secret is not provably fresh', () => {
  test.each<[string, Partial<Registration>, Readonly<Record<string, readonly string[]>>]>([
    ['when it is empty', {}, {}],
    ['when a service may not have it', {}, { [NEW]: ['AWSCURRENT'], [OLD]: ['DEPLOYED'] }],
    ['when another version is pending', {}, { ...deployed, [FOREIGN]: ['AWSPENDING'] }],
    ['when one was rolled back', {}, { ...deployed, [OLD]: ['AWSPREVIOUS', 'ROLLEDBACK'] }],
    ['when somebody moved AWSCURRENT', {}, { [OLD]: ['AWSCURRENT', 'DEPLOYED'] }],
    ['when it was not looked at since yesterday', { looked: NOW - DAY }, deployed],
    ['when it is due', { notBefore: NOW - 300 * DAY, notAfter: NOW + 95 * DAY }, deployed],
    ['when it is due as early as was asked for', { renewBefore: 390 - 4 }, deployed],
  ])('%s', (_, over, held) => {
    const now = over.renewBefore === undefined ? NOW : START + 140 * DAY

    expect(stand({ ...over, ...(now !== NOW && { looked: now }) }, held, { now }).fresh).toBe(false)
  })

  test.each(['promoted', 'not-before', 'not-after', 'looked'])('without its tag %s', (name) => {
    expect(without(name).fresh).toBe(false)
  })

  test.each([
    ['nothing is known of its seal', {}],
    ['another version was seen', { sealed: { version: OLD, set: SET } }],
    ['it was under other keys', { sealed: { version: NEW, set: 'f'.repeat(16) } }],
  ])('with keys, when %s', (_, over) => {
    expect(stand(over, deployed, { set: SET }).fresh).toBe(false)
  })
})

test('looks at a fleet are spread over four hours of the day', () => {
  const tags = writeTags({ ...usual, looked: NOW - 22 * HOUR })
  const all = Array.from({ length: 400 }, (_, at) =>
    standing({ arn: `${ARN}${at}`, tags, versions: labels(deployed) }, NOW),
  )

  expect(all.filter(({ fresh }) => fresh).length).toBeGreaterThan(150)
  expect(all.filter(({ fresh }) => !fresh).length).toBeGreaterThan(150)
})

describe('the end that counts', () => {
  test('is in whole days, 0 on the last, below when it is over', () => {
    const days = (left: number) => stand({ notAfter: NOW + left }).days

    expect([days(DAY), days(DAY - 1), days(0), days(-1)]).toEqual([1, 0, 0, -1])
  })

  test('is that of the version before when AWSCURRENT was moved back by hand', () => {
    const previous = { version: OLD, notAfter: NOW + 3 * DAY }

    expect(stand({ previous }, { [OLD]: ['AWSCURRENT'] })).toMatchObject({ version: OLD, days: 3 })
    expect(stand({ previous }).days).toBe(385)
  })
})

describe('while services have not proved the new certificate', () => {
  const previous = { version: OLD, notBefore: NOW - 392 * DAY, notAfter: NOW + 3 * DAY }
  const open = { [NEW]: ['AWSCURRENT'], [OLD]: ['AWSPREVIOUS'] }
  const promoted = { version: NEW, at: NOW - HOUR }
  const looked = NOW - 2 * HOUR
  const old = { version: OLD, days: 3, near: true, passed: 3 }
  const own = { version: NEW, days: 385, near: false }

  test('the end that counts is that of the one before, which tasks go on with', () => {
    expect(stand({ previous, promoted, looked }, open)).toMatchObject(old)
    expect(stand({ previous, promoted, looked }, deployed)).toMatchObject(own)
  })

  test('it is not when a look has found since that none of them runs, or there are none', () => {
    expect(stand({ previous, promoted, looked: NOW }, open)).toMatchObject(own)
    expect(stand({ previous, promoted, looked, services: [] }, open)).toMatchObject(own)
  })

  test('it is not when the one before ends later', () => {
    const later = { ...previous, notAfter: NOW + 500 * DAY }

    expect(stand({ previous: later, promoted, looked }, open)).toMatchObject(own)
  })
})

describe('a secret is quiet', () => {
  const tags = writeTags(usual)

  test('when nothing is under way or due, whenever it was looked at', () => {
    const { 'certrelay:looked': _, ...unseen } = tags

    expect(quiet({ tags: unseen, versions: labels(deployed) }, NOW)).toBe(true)
  })

  test('not when a rollout is under way, or the time for a renewal has come', () => {
    const due = NOW + 300 * DAY

    expect(quiet({ tags, versions: labels({ [NEW]: ['AWSCURRENT'] }) }, NOW)).toBe(false)
    expect(quiet({ tags, versions: labels(deployed) }, due)).toBe(false)
  })

  test('not as long as a person is needed, and then it is not fresh either', () => {
    const called = { attention: NOW - HOUR }

    expect(
      quiet({ tags: writeTags({ ...usual, ...called }), versions: labels(deployed) }, NOW),
    ).toBe(false)
    expect(stand(called).fresh).toBe(false)
    expect(stand({ attention: NOW - 2 * HOUR }).fresh).toBe(true)
  })

  test('not when it is none of ours, or holds nothing', () => {
    expect(quiet({ tags: {}, versions: labels(deployed) }, NOW)).toBe(false)
    expect(quiet({ tags, versions: labels({}) }, NOW)).toBe(false)
  })
})

describe('a secret is stuck', () => {
  const held = { [NEW]: ['AWSCURRENT'], [OLD]: ['AWSPREVIOUS'] }
  const promoted = { version: NEW, at: NOW - 2 * HOUR - MINUTE }

  test('when its rollout has not ended in two hours', () => {
    expect(stand({ promoted, looked: 0 }, held).stuck).toBe(true)
    const at = NOW - 2 * HOUR
    expect(stand({ promoted: { version: NEW, at }, looked: 0 }, held).stuck).toBe(false)
    expect(stand({ promoted: { version: NEW, at: at - 1 }, looked: 0 }, held).stuck).toBe(true)
  })

  test('not when a look since then found that none of its services runs', () => {
    expect(stand({ promoted, looked: NOW - HOUR }, held).stuck).toBe(false)
  })

  test('not without services', () => {
    expect(stand({ promoted, looked: 0, services: [] }, held).stuck).toBe(false)
  })

  test('when a certificate has failed six rollouts, and not before', () => {
    const undone = { [OLD]: ['AWSCURRENT', 'DEPLOYED'], [NEW]: ['AWSPREVIOUS', 'ROLLEDBACK'] }
    const failed = (count: number) =>
      stand({ attempts: { version: NEW, count, at: START } }, undone).stuck

    expect([failed(5), failed(6)]).toEqual([false, true])
  })

  test('no longer when a newer certificate has taken its place', () => {
    const attempts = { version: OLD, count: 6, at: START }
    const over = { [NEW]: ['AWSCURRENT', 'DEPLOYED'], [OLD]: ['ROLLEDBACK'] }

    expect(stand({ attempts }, over).stuck).toBe(false)
  })
})

describe('somebody is to be told', () => {
  const end = NOW + 14 * DAY
  const at = (days: number, told?: Registration['told']) =>
    stand({ notBefore: end - 395 * DAY, notAfter: end, ...(told && { told }) }, deployed, {
      now: end - days * DAY,
    }).passed

  test('at each threshold that has been passed, the last of several, until it was done', () => {
    expect([15, 14.1, 14, 8, 7, 5, 3, 2, 1, 0, -1].map((days) => at(days))).toEqual([
      ...[undefined, undefined, 14, 14, 7, 7, 3, 3, 1, 1, 1],
    ])
    const told = { version: NEW, days: 7 }
    expect([7, 4, 3, 1].map((days) => at(days, told))).toEqual([undefined, undefined, 3, 1])
  })

  test('again of another certificate', () => {
    expect(at(7, { version: OLD, days: 1 })).toBe(7)
    expect(at(7, { version: nextVersion(NEW), days: 1 })).toBeUndefined()
  })
})

describe('a certificate of a day', () => {
  const life = { notBefore: START, notAfter: START + DAY }

  test('is told of when a sixth, a twelfth, a 28th and an 84th of its life is left', () => {
    const told = (left: number) => stand(life, deployed, { now: life.notAfter - left }).passed
    const sixth = [4, 2, 24 / 28, 24 / 84]

    expect(sixth.map((hours) => told(hours * HOUR - MINUTE))).toEqual([14, 7, 3, 1])
    expect(told(8 * HOUR)).toBeUndefined()
  })

  test('is near its end when its renewal is late, and not before', () => {
    const near = (hours: number) =>
      stand({ ...life, looked: START }, deployed, { now: START + hours * HOUR }).near

    expect([1, 15, 19, 20, 23, 25].map(near)).toEqual([false, false, false, true, true, true])
    expect(stand({ ...life, looked: START }, deployed, { now: START + 15 * HOUR }).days).toBe(0)
  })

  test('is due between 14.8 and 16 hours, so that two hourly sweeps may fail', () => {
    const fresh = (hours: number) =>
      stand(
        { ...life, promoted: { version: NEW, at: START }, looked: START + (hours - 1) * HOUR },
        deployed,
        {
          now: START + hours * HOUR,
        },
      ).fresh

    expect([1, 14.7, 16].map(fresh)).toEqual([true, true, false])
  })
})
