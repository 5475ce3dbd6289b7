import { describe, expect, test } from 'vitest'
import { decide, type Observed, rollout } from '../../pki/decide.ts'
import { due } from '../../pki/due.ts'
import type { Running } from '../../pki/rollout.ts'
import { nextVersion, versionId } from '../../pki/version.ts'
import { DAY } from '../support/fakes.ts'
import {
  breaking,
  FOREIGN,
  finding,
  HOUR,
  issued,
  labels,
  look,
  MINUTE,
  NEW,
  OLD,
  SOURCE,
  START,
  service,
} from './states.ts'

const DUE = START + 300 * DAY
const step = (over: Partial<Observed>, now = START) => decide(look(over), now).step
const reason = (over: Partial<Observed>, now = START) => decide(look(over), now).reason

/** Promoted and on the way into the services. */
const rolling = labels({ [NEW]: ['AWSCURRENT', 'AWSPENDING'], [OLD]: ['AWSPREVIOUS', 'DEPLOYED'] })
const staged = labels({ [OLD]: ['AWSCURRENT', 'DEPLOYED'], [NEW]: ['AWSPENDING'] })
const before = { promoted: { version: OLD, at: START - DAY } }
/** Taken back. */
const undone = {
  versions: labels({ [OLD]: ['AWSCURRENT', 'DEPLOYED'], [NEW]: ['AWSPREVIOUS', 'ROLLEDBACK'] }),
  promoted: { version: OLD, at: START },
  attempts: { version: NEW, count: 1, at: START - HOUR },
}

describe('first what is under way in the services, without a word from the source', () => {
  const under = (over: Partial<Observed>, now = START + MINUTE) => {
    const { certificate: _, ...rest } = look({ versions: rolling, ...over })
    return decide(rest, now).step
  }
  test.each<[string, Partial<Observed>, number, string]>([
    ['a service without a deployment since: roll', { services: [service('a/b')] }, 1, 'roll'],
    ['asked for by this run: wait', { services: [service('a/b')], asked: true }, 1, 'wait'],
    ['a deployment that runs: wait', { services: [service('a/b', ['running', 0])] }, 1, 'wait'],
    [
      'a deployment that completed: settle',
      { services: [service('a/b', ['completed', 0])] },
      1,
      'settle',
    ],
    [
      'one completed, one runs: wait',
      { services: [service('a/b', ['completed', 0]), service('a/c', ['running', 0])] },
      1,
      'wait',
    ],
    [
      'one completed, one late: roll',
      { services: [service('a/b', ['completed', 0]), service('a/c')] },
      1,
      'roll',
    ],
    [
      'one completed, the other gone: settle',
      { services: [service('a/b', ['completed', 0]), { ...service('a/c'), state: 'gone' }] },
      1,
      'settle',
    ],
    [
      'one runs, the other is not for us to deploy: wait',
      { services: [service('a/b', ['running', 0]), { ...service('a/c'), state: 'foreign' }] },
      1,
      'wait',
    ],
    [
      'the first certificate, one completed, the other is not for us to deploy: settle',
      {
        previous: { version: NEW },
        services: [service('a/b', ['completed', 0]), { ...service('a/c'), state: 'foreign' }],
      },
      1,
      'settle',
    ],
    [
      'the only one was deployed by somebody else: settle',
      { services: [{ ...service('a/b', ['completed', 0]), state: 'foreign' }] },
      1,
      'settle',
    ],
    [
      'a deployment that failed: rollback',
      { services: [service('a/b', ['failed', 0])] },
      1,
      'rollback',
    ],
    [
      'one failed, one runs: rollback for both',
      { services: [service('a/b', ['running', 0]), service('a/c', ['failed', 0])] },
      1,
      'rollback',
    ],
    [
      'one failed, one late: rollback, nothing more is begun',
      { services: [service('a/b'), service('a/c', ['failed', 0])] },
      1,
      'rollback',
    ],
    [
      'it failed after one that completed: settle, it is not the certificate',
      { services: [service('a/b', ['failed', 5], ['completed', 0])] },
      10,
      'settle',
    ],
    [
      'still running a moment before the deadline: wait',
      { services: [service('a/b', ['running', 0])] },
      30 - 1 / 60,
      'wait',
    ],
    [
      'still running at the deadline: rollback',
      { services: [service('a/b', ['running', 0])] },
      30,
      'rollback',
    ],
    [
      'still running at a longer deadline of its own: wait',
      { services: [service('a/b', ['running', 0])], deadline: 60 * MINUTE },
      30,
      'wait',
    ],
    [
      'still running at the deadline, with the circuit breaker: wait, ECS says when it fails',
      { services: [breaking(service('a/b', ['running', 0]))] },
      30,
      'wait',
    ],
    [
      'failed, with the circuit breaker: rollback at once',
      { services: [breaking(service('a/b', ['failed', 0]))] },
      1,
      'rollback',
    ],
    [
      'still running after twelve hours, with the circuit breaker: rollback',
      { services: [breaking(service('a/b', ['running', 0]))] },
      720,
      'rollback',
    ],
    [
      'one slow with the circuit breaker, one at the deadline without: rollback',
      {
        services: [
          breaking(service('a/b', ['running', 0])),
          service('a/c', ['completed', 1]),
          service('a/d', ['running', 0]),
        ],
      },
      30,
      'rollback',
    ],
    [
      'the failure was counted, the label not moved: rollback goes on',
      { attempts: { version: NEW, count: 1, at: START } },
      1,
      'rollback',
    ],
    [
      'nothing but services that do not run: on to the source',
      { services: [{ ...service('a/b'), state: 'idle' }] },
      1,
      'describe',
    ],
    ['no services: on to the source', {}, 1, 'describe'],
    [
      'DEPLOYED: on to the source',
      {
        versions: labels({ [NEW]: ['AWSCURRENT', 'DEPLOYED'] }),
        services: [service('a/b', ['failed', 0])],
      },
      1,
      'describe',
    ],
    [
      'DEPLOYED under another seal: on to the source',
      {
        versions: labels({
          [nextVersion(NEW)]: ['AWSCURRENT'],
          [NEW]: ['DEPLOYED', 'AWSPREVIOUS'],
        }),
        services: [service('a/b', ['failed', 0])],
      },
      1,
      'describe',
    ],
    [
      'the label is back, the record is not: rollback goes on',
      { versions: undone.versions, attempts: { version: NEW, count: 1, at: START } },
      1,
      'rollback',
    ],
    [
      'a promotion that is not on record: on to the source',
      { promoted: { version: OLD, at: START } },
      1,
      'describe',
    ],
  ])('%s', (_, over, minutes, expected) => {
    expect(under(over, START + minutes * MINUTE)).toBe(expected)
  })

  test('only the services that are late are named', () => {
    const services = [service('a/old'), service('a/new', ['running', 0]), service('a/none')]

    expect(decide(look({ versions: rolling, services }), START)).toMatchObject({
      services: ['a/old', 'a/none'],
      since: START,
    })
  })

  test('a deployment of before the promotion proves nothing', () => {
    expect(under({ services: [service('a/b', ['completed', -1])] })).toBe('roll')
  })

  test('the wait ends with the deadline, or after five minutes', () => {
    const services = [service('a/b', ['running', 0])]
    const at = (minutes: number) =>
      decide(look({ versions: rolling, services }), START + minutes * MINUTE)

    expect(at(1)).toMatchObject({ at: START + 6 * MINUTE })
    expect(at(28)).toMatchObject({ at: START + 30 * MINUTE })
  })

  test('a slow deployment is told by its service and how long it takes, and does not hold up the next certificate for ever', () => {
    const services = [
      breaking(service('a/b', ['running', 0])),
      breaking(service('a/c', ['running', 5])),
    ]
    const at = (minutes: number, over = {}) =>
      decide(look({ versions: rolling, services, ...over }), START + minutes * MINUTE)
    const third = { certificate: { ...issued, version: 'a third' } }

    expect(at(28)).toMatchObject({ at: START + 30 * MINUTE })
    expect(at(40)).toMatchObject({
      step: 'wait',
      reason: 'deployments are under way: a/b a/c, slow is a/b (40 minutes) a/c (35 minutes)',
      at: START + 45 * MINUTE,
    })
    expect(at(119)).toMatchObject({ at: START + 120 * MINUTE })
    expect(at(119, third).step).toBe('wait')
    expect(at(190)).toMatchObject({
      step: 'alarm',
      reason:
        "deployments do not end: a/b (3 hours) a/c (3 hours); the circuit breaker has not given them up, see in ECS's events what their tasks wait for: after 12 hours they count as failed",
      at: START + 720 * MINUTE,
    })
    expect(at(190, third).step).toBe('export')
    expect([at(120).step, at(720 - 1 / 60).step, at(720).step]).toEqual([
      ...['alarm', 'alarm', 'rollback'],
    ])
  })

  test('a deadline that is longer than twelve hours is what the circuit breaker is given', () => {
    const slow = {
      services: [breaking(service('a/b', ['running', 0]))],
      deadline: 20 * HOUR,
    }

    expect(decide(look({ versions: rolling, ...slow }), START + 20 * HOUR - 1)).toMatchObject({
      step: 'wait',
      at: START + 20 * HOUR,
    })
    expect(step({ versions: rolling, ...slow }, START + 20 * HOUR)).toBe('rollback')
  })

  test('sidecars that take it by themselves are given five minutes and asked again every minute, then there is a deployment', () => {
    const serving = { ...service('a/b'), serving: [[OLD]] }
    const hot = { versions: rolling, services: [serving], hot: true }
    const at = (minutes: number, over = {}) =>
      decide(look({ ...hot, ...over }), START + minutes * MINUTE)

    expect(at(1)).toMatchObject({
      step: 'wait',
      reason: 'the tasks of a/b take it by themselves',
      at: START + 2 * MINUTE,
    })
    expect(at(4.5)).toMatchObject({ at: START + 5 * MINUTE })
    expect(at(5).step).toBe('roll')
    expect(at(1, { services: [{ ...serving, serving: [[NEW]] }] }).step).toBe('settle')
    expect(at(1, { hot: false }).step).toBe('roll')
  })

  test('a deployment that never begins is waited for until the deadline', () => {
    const late = { versions: rolling, services: [service('a/b')], asked: true, waits: 6 }
    const at = (milliseconds: number) => step(late, START + 30 * MINUTE + milliseconds)

    expect(at(-1)).toBe('wait')
    expect(at(0)).toBe('alarm')
  })

  test('a deployment that was asked for just now may yet begin, however long ago the promotion was', () => {
    const late = { versions: rolling, services: [service('a/b')], asked: true }
    const after = (waits: number) => step({ ...late, waits }, START + DAY)

    expect([0, 5, 6].map(after)).toEqual(['wait', 'wait', 'alarm'])
  })

  test('one that has begun and is slow is no deployment that never begins', () => {
    const services = [breaking(service('a/b', ['running', 0]))]
    const slow = { versions: rolling, services, asked: true, waits: 6 }

    expect(step(slow, START + 31 * MINUTE)).toBe('wait')
  })

  test('a deployment that never begins raises an alarm, and does not hold up the next certificate', () => {
    const late = { versions: rolling, services: [service('a/b')], asked: true, waits: 6 }

    expect(decide(look(late), START + 31 * MINUTE)).toMatchObject({
      step: 'alarm',
      reason: expect.stringContaining('no deployment of a/b has begun'),
    })
    expect(
      step({ ...late, certificate: { ...issued, version: 'a third' } }, START + 31 * MINUTE),
    ).toBe('export')
    expect(step({ ...late }, DUE)).toBe('renew')
  })

  test('only our own way back goes on: what somebody else moved meanwhile is not ours to record', () => {
    const moved = labels({ [FOREIGN]: ['AWSCURRENT'], [NEW]: ['AWSPREVIOUS', 'ROLLEDBACK'] })
    const attempts = { version: NEW, count: 1, at: START }

    expect(rollout(look({ versions: moved, attempts }), START)).toBeUndefined()
  })
})

describe('the way back', () => {
  const failed = { services: [service('a/b', ['failed', 0])] }
  const back = (over: Partial<Observed> = {}) =>
    decide(look({ versions: rolling, ...failed, ...over }), START + MINUTE)

  test('leads to the version before, and says which service failed', () => {
    expect(back()).toEqual({
      step: 'rollback',
      reason: 'the rollout of a/b failed',
      version: NEW,
      to: OLD,
    })
  })

  test.each<[string, Partial<Observed>]>([
    ['ends within the hour', { previous: { version: OLD, notAfter: START + HOUR } }],
    ['has an end that nobody knows', { previous: { version: OLD } }],
    ['is not the one on record', { previous: { version: FOREIGN, notAfter: DUE } }],
    ['is not on record at all', { previous: { version: '' } }],
    [
      'was rolled back itself',
      { versions: labels({ [NEW]: ['AWSCURRENT'], [OLD]: ['AWSPREVIOUS', 'ROLLEDBACK'] }) },
    ],
    [
      'was rejected',
      { versions: labels({ [NEW]: ['AWSCURRENT'], [OLD]: ['AWSPREVIOUS', 'REJECTED'] }) },
    ],
    ['does not exist', { versions: labels({ [NEW]: ['AWSCURRENT'] }) }],
  ])('is an alarm when the version before %s', (_, over) => {
    expect(back(over)).toMatchObject({
      step: 'alarm',
      reason: expect.stringContaining('no certificate to go back to'),
    })
  })

  test('leads to a version that lasts for more than an hour', () => {
    const lasting = (milliseconds: number) =>
      back({ previous: { version: OLD, notAfter: START + MINUTE + HOUR + milliseconds } }).step

    expect(lasting(1)).toBe('rollback')
    expect(lasting(0)).toBe('alarm')
  })

  describe('that leads nowhere', () => {
    const alone = { versions: labels({ [NEW]: ['AWSCURRENT'] }) }
    const at = (minutes: number, over: Partial<Observed>) =>
      decide(look({ ...alone, ...over }), START + minutes * MINUTE)

    test('gets the services that fail another deployment after a quarter of an hour, then after an hour and so forth', () => {
      const once = { services: [service('a/b', ['failed', 0])] }
      const twice = { services: [service('a/b', ['failed', 20], ['failed', 0])] }

      expect(at(14, once)).toMatchObject({ step: 'alarm', at: START + 19 * MINUTE })
      expect(at(15, once)).toMatchObject({
        step: 'roll',
        services: ['a/b'],
        since: START + 13 * MINUTE,
      })
      expect(at(79, twice).step).toBe('alarm')
      expect(at(80, twice)).toMatchObject({ step: 'roll', since: START + 78 * MINUTE })
    })

    test('calls a person all the same', () => {
      const asked = { services: [service('a/b', ['failed', 0])], asked: true }

      expect(at(15, asked)).toMatchObject({ step: 'alarm', at: START + 20 * MINUTE })
    })

    test('leaves services alone that have it, or whose turn has not come', () => {
      const services = [
        service('a/well', ['completed', 0]),
        service('a/first', ['failed', 0]),
        service('a/second', ['failed', 3]),
        service('a/third', ['failed', 12], ['failed', 0]),
      ]

      expect(at(18, { services })).toMatchObject({
        step: 'roll',
        services: ['a/first', 'a/second'],
        since: START + 16 * MINUTE,
      })
    })

    test('begins first where nothing has begun', () => {
      const services = [service('a/failed', ['failed', 0]), service('a/late')]

      expect(at(20, { services })).toMatchObject({ step: 'roll', services: ['a/late'] })
    })

    test('says when the first of them is tried again', () => {
      const services = [service('a/b', ['failed', 3]), service('a/c', ['failed', 5], ['failed', 0])]
      const one = look({ ...alone, services })

      expect(rollout(one, START + 6 * MINUTE)).toMatchObject({ at: START + 18 * MINUTE })
      expect(rollout(one, START + 45 * 24 * HOUR)).toMatchObject({ step: 'roll' })
    })

    test('is an alarm also while a renewal is under way, which is looked at when that is due', () => {
      const services = [service('a/b', ['failed', 24 * 60])]
      const certificate = { ...issued, renewing: true, notBefore: START - 300 * DAY }
      const one = at(24 * 60 + 1, { services, certificate })

      expect(one).toMatchObject({ step: 'alarm', at: START + (24 * 60 + 15) * MINUTE })
    })

    test('has no time of its own when nothing is tried any more', () => {
      const failures = [29 * 24 * 60, 5, 4, 3, 2].map((minutes) => ['failed', minutes] as const)
      const one = look({ ...alone, services: [service('a/b', ...failures)] })

      expect(rollout(one, START + 31 * DAY)).not.toHaveProperty('at')
    })

    test('ends after thirty days, and the alarm does not', () => {
      const failures = [29 * 24 * 60, 5, 4, 3, 2].map((minutes) => ['failed', minutes] as const)
      const services = [service('a/b', ...failures)]

      expect(at(31 * 24 * 60, { services })).toEqual({
        step: 'alarm',
        reason:
          'the rollout of a/b failed, and there is no certificate to go back to that lasts: see why its tasks do not start',
        at: due({ source: SOURCE }, issued),
      })
    })

    test('is settled by a deployment that completes, though the failure was counted', () => {
      const services = [service('a/b', ['completed', 5], ['failed', 0])]
      const attempts = { version: NEW, count: 1, at: START }

      expect(at(10, { services, attempts }).step).toBe('settle')
    })
  })

  test('is no reason to hold up a newer certificate', () => {
    const none = labels({ [NEW]: ['AWSCURRENT'] })
    const newer = { ...issued, version: OLD }

    expect(back({ versions: none, certificate: newer })).toMatchObject({ step: 'export' })
  })
})

describe('then the certificate at its source', () => {
  test.each<[string, Partial<Observed>, number, string]>([
    ['not issued yet: wait', { certificate: { status: 'pending' } }, START, 'wait'],
    ['gone: alarm', { certificate: { status: 'missing' } }, START, 'alarm'],
    ['failed: alarm', { certificate: { status: 'failed' } }, START, 'alarm'],
    ['expired: alarm', { certificate: { status: 'expired' } }, START, 'alarm'],
    ['revoked: alarm', { certificate: { status: 'revoked' } }, START, 'alarm'],
    ['an empty secret: export', { versions: labels({}) }, START, 'export'],
    [
      'a serial that is not stored: export',
      { versions: labels({ [OLD]: ['AWSCURRENT'] }) },
      START,
      'export',
    ],
    ['staged, unchecked: check', { versions: staged, ...before }, START, 'check'],
    [
      'staged, another version checked: check',
      { versions: staged, ...before, checked: { version: OLD, findings: [] } },
      START,
      'check',
    ],
    [
      'staged, checked, good: promote',
      { versions: staged, ...before, checked: { version: NEW, findings: [] } },
      START,
      'promote',
    ],
    [
      'staged, checked, bad: reject',
      { versions: staged, ...before, checked: { version: NEW, findings: [finding] } },
      START,
      'reject',
    ],
    [
      'rejected: done, a newer one is awaited',
      { versions: labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['REJECTED'] }), ...before },
      START,
      'done',
    ],
    [
      'rejected, cut short before AWSPENDING went: check, and then reject it again',
      { versions: labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['AWSPENDING', 'REJECTED'] }), ...before },
      START,
      'check',
    ],
    [
      'rejected, and time to renew: renew',
      { versions: labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['REJECTED'] }), ...before },
      DUE,
      'renew',
    ],
    [
      'rejected a day ago, and the one in use ends in two weeks: renew',
      {
        versions: labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['REJECTED'] }),
        ...before,
        notAfter: START + 14 * DAY,
      },
      START + DAY,
      'renew',
    ],
    [
      'rejected a day ago, and the one in use is not what is wished for: renew',
      {
        versions: labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['REJECTED'] }),
        ...before,
        certificate: { ...issued, unmet: true },
      },
      START + DAY,
      'renew',
    ],
    [
      'rejected just now, and the one in use ends in two weeks: done',
      {
        versions: labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['REJECTED'] }),
        ...before,
        notAfter: START + 14 * DAY,
      },
      START + HOUR,
      'done',
    ],
    ['current, not on record: mark', { promoted: { version: OLD, at: START } }, START, 'mark'],
    [
      'current under a later seal: done',
      {
        certificate: { ...issued, version: nextVersion(NEW) },
        versions: labels({ [nextVersion(NEW)]: ['AWSCURRENT'] }),
      },
      START,
      'done',
    ],
    ['current and due: renew', {}, DUE, 'renew'],
    [
      'current and due, being renewed: wait',
      { certificate: { ...issued, renewing: true } },
      DUE,
      'wait',
    ],
    [
      'current and due early, as asked for: renew',
      { renewBefore: 200 },
      START + 200 * DAY,
      'renew',
    ],
    [
      'current, and a day before its end asked for: two thirds come first',
      { renewBefore: 1 },
      START + 262 * DAY,
      'done',
    ],
    [
      'refused five hours ago: alarm',
      { certificate: { ...issued, refused: { at: DUE - 5 * HOUR, why: 'PCA_ACCESS_DENIED' } } },
      DUE,
      'alarm',
    ],
    [
      'refused six hours ago: renew',
      { certificate: { ...issued, refused: { at: DUE - 6 * HOUR, why: 'PCA_ACCESS_DENIED' } } },
      DUE,
      'renew',
    ],
    [
      'refused, but not due: done',
      { certificate: { ...issued, refused: { at: START, why: 'x' } } },
      START,
      'done',
    ],
    [
      'a renewal that does not come, 44 days before the end: alarm',
      { certificate: { ...issued, renewing: true } },
      issued.notAfter - 43 * DAY,
      'alarm',
    ],
    [
      'a renewal under way 45 days before the end: wait',
      { certificate: { ...issued, renewing: true } },
      issued.notAfter - 45 * DAY,
      'wait',
    ],
    ['not sealed as it should be: reseal', { unsealed: true }, START, 'reseal'],
    [
      'not sealed as it should be, and due: renew, which seals anew',
      { unsealed: true },
      DUE,
      'renew',
    ],
    [
      'not sealed as it should be, a rollout under way: that first',
      { unsealed: true, versions: rolling, services: [service('a/b')] },
      START,
      'roll',
    ],
  ])('%s', (_, over, now, expected) => {
    expect(step(over, now)).toBe(expected)
  })

  test('current and never promoted on record: mark', () => {
    const { promoted: _, ...rest } = look()

    expect(decide(rest, START).step).toBe('mark')
  })

  test('what was rejected before is rejected again, even if it passed the check this time', () => {
    const versions = labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['AWSPENDING', 'REJECTED'] })
    const checked = { version: NEW, findings: [] }

    expect(step({ versions, ...before, checked })).toBe('reject')
  })

  test('a certificate that failed says why', () => {
    expect(reason({ certificate: { status: 'failed', why: 'PCA_INVALID_STATE' } })).toBe(
      'ACM could not issue the certificate: PCA_INVALID_STATE',
    )
  })

  test('a rejection names the findings, done names its end', () => {
    const findings = [finding, { ...finding, code: 'KEY_MISMATCH' as const }]
    const checked = { version: NEW, findings }

    expect(reason({ versions: staged, ...before, checked })).toBe('EXPIRED KEY_MISMATCH')
    expect(decide(look(), START)).toMatchObject({ at: due({ source: SOURCE }, issued) })
  })

  describe('a promotion that no rollout of ours can carry on', () => {
    const gone: Running = { ...service('a/gone'), state: 'gone' }
    const theirs: Running = { ...service('a/theirs'), state: 'foreign' }
    const idle: Running = { ...service('a/idle'), state: 'idle' }
    const ours = service('a/ours', ['completed', 0])
    const end = (services: readonly Running[], over: Partial<Observed> = {}) =>
      decide(look({ versions: rolling, services, ...over }), START + MINUTE)

    test('calls a person as long as tasks may run with the certificate before', () => {
      expect(end([ours, theirs])).toMatchObject({
        step: 'alarm',
        reason: expect.stringMatching(/^the deployments of a\/theirs are not ECS's own: /),
      })
      expect(end([gone, idle])).toMatchObject({
        step: 'alarm',
        reason: expect.stringMatching(/^there is no service a\/gone: /),
      })
    })

    test('calls nobody for the first certificate, and not for services that stand still', () => {
      const previous = { version: NEW }

      expect(end([idle]).step).toBe('done')
      expect(
        [end([gone], { previous }), end([theirs], { previous })].map(({ step }) => step),
      ).toEqual(['done', 'done'])
    })

    test('does not hold up the next certificate', () => {
      const version = versionId(SOURCE, '3')

      expect(end([theirs], { certificate: { ...issued, version } })).toMatchObject({
        step: 'export',
        version,
      })
    })
  })

  test('services that do not run are said to be the reason that nothing was rolled out', () => {
    const idle = { versions: rolling, services: [{ ...service('a/b'), state: 'idle' as const }] }

    expect(reason(idle)).toBe('current; none of its services runs')
    const deployed = labels({ [NEW]: ['AWSCURRENT', 'DEPLOYED'] })
    expect(reason({ ...idle, versions: deployed })).toBe('current and rolled out')
    expect(reason({})).toBe('current and rolled out')
  })
})

test('in place of a certificate that was rejected a newer one is asked for two weeks before the end of the one in use', () => {
  const notAfter = START + 60 * DAY
  const rejected = labels({ [OLD]: ['AWSCURRENT', 'DEPLOYED'], [NEW]: ['REJECTED'] })

  expect(decide(look({ versions: rejected, ...before, notAfter }), START)).toMatchObject({
    step: 'done',
    at: START + 46 * DAY,
  })
})

describe('what somebody else did', () => {
  const moved = labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['AWSPREVIOUS', 'DEPLOYED'] })

  test('AWSCURRENT that was moved back by hand stays where it is', () => {
    expect(step({ versions: moved })).toBe('alarm')
  })

  test('so it does while AWSPENDING is still on the version that was promoted', () => {
    const pending = labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['AWSPREVIOUS', 'AWSPENDING'] })

    expect(step({ versions: pending, checked: { version: NEW, findings: [] } })).toBe('alarm')
  })

  test('a newer certificate is taken all the same', () => {
    expect(step({ versions: moved, certificate: { ...issued, version: 'a third' } })).toBe('export')
  })

  test("somebody else's version under AWSPENDING is not overwritten, and needs a person", () => {
    const versions = labels({ [OLD]: ['AWSCURRENT'], [FOREIGN]: ['AWSPENDING'] })

    expect(decide(look({ versions }), START)).toMatchObject({
      step: 'alarm',
      reason: expect.stringContaining(FOREIGN),
    })
  })

  test('under rotation it takes the certificate, unless it holds something else', () => {
    const versions = labels({ [OLD]: ['AWSCURRENT'], [FOREIGN]: ['AWSPENDING'] })
    const rotating = { versions, rotating: true }

    expect(decide(look(rotating), START)).toMatchObject({ step: 'export', version: FOREIGN })
    expect(step({ ...rotating, taken: FOREIGN })).toBe('alarm')
  })

  test('a rotation whose certificate was renewed again before its promotion does not hold up the newer one', () => {
    const versions = labels({ [OLD]: ['AWSCURRENT'], [FOREIGN]: ['AWSPENDING'] })

    expect(decide(look({ versions, rotating: true, rotated: FOREIGN }), START)).toMatchObject({
      step: 'export',
      version: NEW,
    })
  })

  test("a label AWSPENDING of theirs that is current too, or of ours, is in nobody's way", () => {
    const theirs = labels({ [FOREIGN]: ['AWSCURRENT', 'AWSPENDING'] })
    const ours = labels({ [FOREIGN]: ['AWSCURRENT'], [OLD]: ['AWSPENDING'] })

    expect(decide(look({ versions: theirs }), START)).toMatchObject({
      step: 'export',
      version: NEW,
    })
    expect(decide(look({ versions: ours }), START)).toMatchObject({ step: 'export', version: NEW })
  })
})

describe('a certificate whose rollout failed', () => {
  test.each<[string, Partial<Observed>, number, string]>([
    ['comes again after 15 minutes', {}, 15, 'check'],
    ['and not before', {}, 14, 'wait'],
    [
      'after a second failure in an hour',
      { attempts: { version: NEW, count: 2, at: 0 } },
      59,
      'wait',
    ],
    [
      'after a sixth it calls a person',
      { attempts: { version: NEW, count: 6, at: 0 }, notAfter: START + 100 * DAY },
      60 * 24 * 86 - 1,
      'alarm',
    ],
    [
      'and comes 14 days before the end of the one in use',
      { attempts: { version: NEW, count: 6, at: 0 }, notAfter: START + 100 * DAY },
      60 * 24 * 86,
      'check',
    ],
    [
      'whose end nobody knows: only by a person',
      { attempts: { version: NEW, count: 6, at: 0 } },
      60 * 24 * 100,
      'alarm',
    ],
    [
      'at once when the failures were of another certificate',
      { attempts: { version: FOREIGN, count: 6, at: 0 } },
      0,
      'check',
    ],
    [
      'sooner when the one in use ends in two hours',
      { notAfter: START + 2 * HOUR, attempts: { version: NEW, count: 4, at: 0 } },
      12,
      'check',
    ],
  ])('%s', (_, over, minutes, expected) => {
    const services = [service('a/b', ['completed', 0])]

    expect(decide(look({ ...undone, services, ...over }), START + minutes * MINUTE).step).toBe(
      expected,
    )
  })

  test('says which attempt comes next and when, and after the sixth that a person is needed', () => {
    const notAfter = START + 100 * DAY
    const failed = (count: number) =>
      decide(look({ ...undone, attempts: { version: NEW, count, at: 0 }, notAfter }), START)

    expect(failed(2)).toEqual({
      step: 'wait',
      reason: 'its rollout failed: attempt 3 comes later',
      at: START + HOUR,
    })
    expect(failed(5).step).toBe('wait')
    expect(failed(6)).toEqual({
      step: 'alarm',
      reason: 'its rollout failed 6 times: mend the service, then npx certrelay retry',
      at: START + 86 * DAY,
    })
  })

  test('has no time to come again when nobody knows the end of the one in use', () => {
    const attempts = { version: NEW, count: 6, at: 0 }

    expect(decide(look({ ...undone, attempts }), START)).not.toHaveProperty('at')
  })

  test('comes at once when a person had its failures forgotten', () => {
    const { attempts: _, ...forgotten } = undone

    expect(decide(look(forgotten), START).step).toBe('check')
  })

  test('is replaced by a newer one when its own time has come', () => {
    expect(decide(look(undone), DUE).step).toBe('renew')
  })
})

describe('a source that signs at once', () => {
  const signs = true
  const day = { ...issued, notAfter: START + DAY }

  test.each<[string, Partial<Observed>, number, string]>([
    ['has signed nothing yet: sign', { certificate: { status: 'unsigned' } }, 0, 'sign'],
    ['is due: sign, nothing is waited for', { certificate: day }, 16, 'sign'],
    ['is not due: done', { certificate: day }, 14, 'done'],
    [
      'has signed what is not shown yet: wait',
      { certificate: { ...day, version: versionId(SOURCE, '9') } },
      0,
      'wait',
    ],
    [
      'has signed what is staged: check',
      { certificate: day, versions: staged, ...before },
      1,
      'check',
    ],
  ])('%s', (_, over, hours, expected) => {
    expect(step({ signs, ...over }, START + hours * HOUR)).toBe(expected)
  })

  test('signs under the id that a rotation waits with, and under no other version of somebody else', () => {
    const versions = labels({ [NEW]: ['AWSCURRENT'], [FOREIGN]: ['AWSPENDING'] })
    const at = START + 16 * HOUR
    const over = { signs, certificate: day, versions }

    expect(decide(look({ ...over, rotating: true }), at)).toMatchObject({ version: FOREIGN })
    expect(step(over, at)).toBe('alarm')
    expect(step({ ...over, rotating: true, taken: FOREIGN }, at)).toBe('alarm')
  })

  test('signs anew in place of a certificate that was rejected, when its time has come', () => {
    const versions = labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['REJECTED'] })
    const over = { signs, certificate: day, versions, notAfter: START + 8 * HOUR }

    expect(step(over, START + HOUR / 2)).toBe('done')
    expect(step(over, START + HOUR)).toBe('sign')
  })
})
