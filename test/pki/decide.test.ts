import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide, due, type Observed, type Running } from '../../pki/decide.ts'
import { DAY, START } from '../support/fakes.ts'

const SOURCE = 'arn:aws:acm:us-east-1:111122223333:certificate/0123'
const NEW = 'new'
const OLD = 'old'
const finding = { code: 'EXPIRED', certificate: 'leaf', rule: '' } as const
const issued = {
  status: 'issued',
  notBefore: START,
  notAfter: START + 395 * DAY,
  version: NEW,
  renewing: false,
} as const
const labels = (of: Readonly<Record<string, readonly string[]>>) => new Map(Object.entries(of))
const active = (name: string, deployed?: number): Running => ({
  name,
  state: 'active',
  ...(deployed !== undefined && { deployed }),
})
const look = (over: Partial<Observed> = {}): Observed => ({
  source: SOURCE,
  certificate: issued,
  versions: labels({ [NEW]: ['AWSCURRENT'], [OLD]: ['AWSPREVIOUS'] }),
  promoted: { version: NEW, at: START - DAY },
  services: [],
  ...over,
})
const LATE = START + 300 * DAY

describe('a passphrase that is not sealed as it should be', () => {
  test('is sealed anew once everybody runs with the certificate', () => {
    expect(decide(look({ unsealed: true }), START)).toMatchObject({ step: 'reseal' })
    expect(decide(look({ unsealed: false }), START)).toMatchObject({ step: 'done' })
  })

  test('waits for a rollout, and for a renewal, which seals it anyway', () => {
    const late = { unsealed: true, mine: true, services: [active('mesh/color', START - 2 * DAY)] }

    expect(decide(look(late), START)).toMatchObject({ step: 'roll' })
    expect(decide(look({ unsealed: true }), LATE)).toMatchObject({ step: 'renew' })
  })
})

describe('what is seen, and the step that follows', () => {
  const staged = labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['AWSPENDING'] })
  const rejected = labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['REJECTED'] })
  const between = labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['AWSPENDING', 'REJECTED'] })
  test.each<[string, Partial<Observed>, number, string]>([
    ['not issued yet', { certificate: { status: 'pending' } }, START, 'wait'],
    ['gone', { certificate: { status: 'missing' } }, START, 'alarm'],
    ['failed', { certificate: { status: 'failed' } }, START, 'alarm'],
    ['expired', { certificate: { status: 'expired' } }, START, 'alarm'],
    ['revoked', { certificate: { status: 'revoked' } }, START, 'alarm'],
    ['an empty secret', { versions: labels({}) }, START, 'export'],
    [
      'a serial that is not stored',
      { versions: labels({ [OLD]: ['AWSCURRENT'] }) },
      START,
      'export',
    ],
    ['staged, unchecked', { versions: staged }, START, 'check'],
    [
      'staged, another version checked',
      { versions: staged, checked: { version: OLD, findings: [] } },
      START,
      'check',
    ],
    [
      'staged, checked, good',
      { versions: staged, checked: { version: NEW, findings: [] } },
      START,
      'promote',
    ],
    [
      'staged, checked, bad',
      { versions: staged, checked: { version: NEW, findings: [finding] } },
      START,
      'reject',
    ],
    ['rejected', { versions: rejected }, START, 'done'],
    ['rejected, half way', { versions: between }, START, 'done'],
    ['rejected, a renewal due', { versions: rejected }, LATE, 'renew'],
    [
      'moved away by hand',
      { versions: labels({ [OLD]: ['AWSCURRENT'], [NEW]: ['AWSPREVIOUS'] }) },
      START,
      'alarm',
    ],
    ['current, no record of it', { promoted: { version: OLD, at: START } }, START, 'mark'],
    [
      'current, both labels',
      { versions: labels({ [NEW]: ['AWSCURRENT', 'AWSPENDING'] }) },
      START,
      'done',
    ],
    ['current, a service is older', { services: [active('a/b', START - 2 * DAY)] }, START, 'roll'],
    [
      'promoted by this run, a service is older',
      { mine: true, promoted: { version: NEW, at: START }, services: [active('a/b', START - 1)] },
      START,
      'roll',
    ],
    [
      'promoted by another run a moment ago, a service is older',
      { promoted: { version: NEW, at: START }, services: [active('a/b', START - 1)] },
      START + 119_999,
      'wait',
    ],
    [
      'promoted by another run that must be dead, a service is older',
      { promoted: { version: NEW, at: START }, services: [active('a/b', START - 1)] },
      START + 120_000,
      'roll',
    ],
    ['current, a service without a deployment', { services: [active('a/b')] }, START, 'roll'],
    ['current, a service is younger', { services: [active('a/b', START)] }, START, 'done'],
    [
      'current, a service of that very moment',
      { services: [active('a/b', START - DAY)] },
      START,
      'done',
    ],
    [
      'current, idle, draining and gone',
      {
        services: [
          { name: 'a/b', state: 'idle', deployed: 0 },
          { name: 'a/c', state: 'draining', deployed: 0 },
          { name: 'a/d', state: 'gone' },
        ],
      },
      START,
      'done',
    ],
    ['current and due', {}, LATE, 'renew'],
    [
      'current and due, being renewed',
      { certificate: { ...issued, renewing: true } },
      LATE,
      'wait',
    ],
    [
      'current and due, a service is older',
      { services: [active('a/b', START - 2 * DAY)] },
      LATE,
      'roll',
    ],
    ['current and due early', { renewBefore: 200 }, START + 200 * DAY, 'renew'],
    ['current and not due late', { renewBefore: 1 }, START + 200 * DAY, 'done'],
  ])('%s', (_, over, now, step) => {
    expect(decide(look(over), now).step).toBe(step)
  })

  test('only the services that are late are named', () => {
    const services = [active('a/old', START - 2 * DAY), active('a/new', START), active('a/none')]

    expect(decide(look({ services }), START)).toMatchObject({ services: ['a/old', 'a/none'] })
  })

  test('a rejection names the findings, done names its end', () => {
    const checked = {
      version: NEW,
      findings: [finding, { ...finding, code: 'KEY_MISMATCH' as const }],
    }
    const pending = labels({ [NEW]: ['AWSPENDING'] })

    expect(decide(look({ versions: pending, checked }), START)).toMatchObject({
      reason: 'EXPIRED KEY_MISMATCH',
    })
    expect(decide(look(), START)).toMatchObject({ at: due({ source: SOURCE }, issued) })
  })
})

describe('the time of renewal', () => {
  const lifetimes = fc.record({ notBefore: fc.nat(4e12), days: fc.integer({ min: 1, max: 4_000 }) })
  const sources = fc.string({ maxLength: 30 })

  test('is in the second third of the lifetime, whatever is asked for', () => {
    fc.assert(
      fc.property(
        lifetimes,
        sources,
        fc.option(fc.integer({ min: 1, max: 394 }), { nil: undefined }),
        ({ notBefore, days }, source, before) => {
          const notAfter = notBefore + days * DAY
          const at = due(
            { source, ...(before !== undefined && { renewBefore: before }) },
            { notBefore, notAfter },
          )

          expect(at).toBeGreaterThanOrEqual(Math.floor(notBefore + (days * DAY) / 3))
          expect(at).toBeLessThanOrEqual(notBefore + (days * DAY * 2) / 3)
        },
      ),
    )
  })

  test('comes earlier the more days before its end are asked for, never later than without', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 394 }), fc.integer({ min: 1, max: 394 }), (a, b) => {
        const at = (renewBefore: number) => due({ source: SOURCE, renewBefore }, issued)
        expect(at(Math.max(a, b))).toBeLessThanOrEqual(at(Math.min(a, b)))
        expect(at(a)).toBeLessThanOrEqual(due({ source: SOURCE }, issued))
      }),
    )
  })

  test('is spread over days for a fleet, and the same each time for one certificate', () => {
    const times = Array.from({ length: 200 }, (_, at) => due({ source: `${SOURCE}${at}` }, issued))

    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(2 * DAY)
    expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(3 * DAY)
    expect(due({ source: SOURCE }, issued)).toBe(due({ source: SOURCE }, issued))
  })
})

const LABELS = [
  'AWSCURRENT',
  'AWSPENDING',
  'AWSPREVIOUS',
  'REJECTED',
  'DEPLOYED',
  'ROLLEDBACK',
] as const
const moment = fc.integer({ min: START - 500 * DAY, max: START + 500 * DAY })
const versions = fc
  .record(
    Object.fromEntries(
      LABELS.map((label) => [label, fc.constantFrom(NEW, OLD, 'older', undefined)]),
    ),
  )
  .map((holders) => {
    const all = new Map<string, string[]>()
    for (const [label, version] of Object.entries(holders)) {
      if (version !== undefined) all.set(version, [...(all.get(version) ?? []), label])
    }
    return all
  })
const services = fc.array(
  fc.record({
    name: fc.constantFrom('a/1', 'a/2', 'a/3', 'a/4'),
    state: fc.constantFrom(
      'active' as const,
      'idle' as const,
      'draining' as const,
      'gone' as const,
    ),
    deployed: moment,
  }),
  { maxLength: 4 },
)
const observed: fc.Arbitrary<Observed> = fc.record(
  {
    source: fc.constantFrom(SOURCE, `${SOURCE}4`),
    certificate: fc.oneof(
      fc.record({
        status: fc.constantFrom(
          'pending' as const,
          'failed' as const,
          'expired' as const,
          'revoked' as const,
          'missing' as const,
        ),
      }),
      fc
        .record({
          notBefore: moment,
          days: fc.integer({ min: 1, max: 400 }),
          renewing: fc.boolean(),
        })
        .map(({ notBefore, days, renewing }) => ({
          status: 'issued' as const,
          notBefore,
          notAfter: notBefore + days * DAY,
          version: NEW,
          renewing,
        })),
    ),
    versions,
    checked: fc.record({
      version: fc.constantFrom(NEW, OLD),
      findings: fc.constantFrom([], [finding]),
    }),
    renewBefore: fc.integer({ min: 1, max: 394 }),
    promoted: fc.record({ version: fc.constantFrom(NEW, OLD), at: moment }),
    mine: fc.boolean(),
    services,
  },
  { requiredKeys: ['source', 'certificate', 'versions', 'services'] },
)

describe('whatever is seen', () => {
  const property = (claim: (one: Observed, now: number) => void) =>
    fc.assert(fc.property(observed, moment, claim), { numRuns: 2_000 })

  test('there is one step, with a reason and, where one waits, a time', () => {
    property((one, now) => {
      const decision = decide(one, now)
      expect(decision.reason).not.toBe('')
      if (decision.step === 'wait') expect(decision.at).toBeGreaterThan(now)
      if (decision.step === 'done') expect(decision.at).toBeGreaterThan(now)
    })
  })

  test('nothing unchecked or rejected is promoted', () => {
    property((one, now) => {
      if (decide(one, now).step !== 'promote') return
      expect(one.checked).toEqual({ version: NEW, findings: [] })
      expect(one.versions.get(NEW)).not.toContain('REJECTED')
    })
  })

  test('nothing is exported while its serial is known', () => {
    property((one, now) => {
      if (decide(one, now).step === 'export') expect(one.versions.has(NEW)).toBe(false)
    })
  })

  test('no service is rolled that is not active or is younger than the promotion', () => {
    property((one, now) => {
      const decision = decide(one, now)
      if (decision.step !== 'roll') return
      expect(decision.services).not.toEqual([])
      expect(one.versions.get(NEW)).toContain('AWSCURRENT')
      for (const name of decision.services) {
        const rolled = one.services.filter((service) => service.name === name)
        expect(
          rolled.some(
            ({ state, deployed = 0 }) => state === 'active' && deployed < (one.promoted?.at ?? 0),
          ),
        ).toBe(true)
      }
    })
  })

  test('repeating the step ends, with each service rolled at most once and no label moved twice', () => {
    property((one, now) => {
      let at = now
      let seen: Observed = one
      const done: string[] = []
      for (let count = 0; count < 10; count++) {
        const decision = decide(seen, at)
        if (['done', 'wait', 'alarm', 'renew'].includes(decision.step)) break
        done.push(decision.step)
        at += 1
        seen = after(seen, decision, at)
      }
      expect(done.length).toBeLessThanOrEqual(5)
      expect(new Set(done).size).toBe(done.length)
    })
  })
})

/** AWS in a few lines: what the world looks like after a step. */
function after(one: Observed, decision: ReturnType<typeof decide>, now: number): Observed {
  const move = (label: string, to: string | undefined) => {
    const all = [...one.versions].map(
      ([id, list]) => [id, list.filter((has) => has !== label)] as const,
    )
    const moved = all.map(([id, list]) => [id, id === to ? [...list, label] : list] as const)
    return new Map(moved.filter(([, list]) => list.length > 0))
  }
  switch (decision.step) {
    case 'export': {
      const rest = move('AWSPENDING', undefined)
      const first = rest.size === 0 ? ['AWSPENDING', 'AWSCURRENT'] : ['AWSPENDING']
      return { ...one, versions: new Map([...rest, [NEW, first]]) }
    }
    case 'check':
      return {
        ...one,
        checked: { version: NEW, findings: one.services.length % 2 === 0 ? [] : [finding] },
      }
    case 'promote':
      return {
        ...one,
        versions: move('AWSCURRENT', NEW),
        promoted: { version: NEW, at: now },
        mine: true,
      }
    case 'reseal':
      return { ...one, unsealed: false }
    case 'mark':
      return { ...one, promoted: { version: NEW, at: now } }
    case 'reject':
      return { ...one, versions: new Map([...move('AWSPENDING', undefined), [NEW, ['REJECTED']]]) }
    case 'roll': {
      const late = new Set(decision.services)
      const at = Math.max(now, one.promoted?.at ?? 0) + 1
      return {
        ...one,
        services: one.services.map((service) =>
          late.has(service.name) ? { ...service, deployed: at } : service,
        ),
      }
    }
    default:
      return one
  }
}
