import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Decision, decide, type Observed } from '../../pki/decide.ts'
import { holder } from '../../pki/labels.ts'
import { sameCertificate } from '../../pki/version.ts'
import { DAY } from '../support/fakes.ts'
import { after, type Hidden } from './model.ts'
import { FOREIGN, finding, HOUR, MINUTE, NEW, OLD, SOURCE, START } from './states.ts'

const OLDER = `${OLD.slice(0, -1)}0`
const VERSIONS = [NEW, `${NEW}-1`, OLD, OLDER, FOREIGN] as const
const LABELS = ['AWSCURRENT', 'AWSPENDING', 'AWSPREVIOUS', 'REJECTED', 'DEPLOYED', 'ROLLEDBACK']
const STATES = ['active', 'active', 'idle', 'draining', 'gone', 'foreign'] as const

/** Mostly close together: what is decided depends on what came before what. */
const moment = fc.oneof(
  fc.integer({ min: START - HOUR, max: START + HOUR }),
  fc.integer({ min: START - 500 * DAY, max: START + 500 * DAY }),
)
const version = fc.constantFrom(...VERSIONS)
const versions = fc
  .tuple(...LABELS.map(() => fc.option(version, { nil: undefined, freq: 2 })))
  .map((holders) => {
    const all = new Map<string, string[]>()
    holders.forEach((one, index) => {
      const label = LABELS[index] ?? ''
      if (one !== undefined) all.set(one, [...(all.get(one) ?? []), label])
    })
    return all
  })
const deployments = fc
  .array(
    fc.record({
      began: moment,
      state: fc.constantFrom('running' as const, 'completed' as const, 'failed' as const),
    }),
    { maxLength: 3 },
  )
  .map((all) => all.sort((a, b) => b.began - a.began))
const services = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('a/1', 'a/2', 'a/3'),
    state: fc.constantFrom(...STATES),
    deployments,
    breaker: fc.boolean(),
  }),
  { maxLength: 3, selector: ({ name }) => name },
)
const certificate: fc.Arbitrary<Hidden['certificate']> = fc.oneof(
  fc.record({
    status: fc.constantFrom(...(['pending', 'failed', 'expired', 'revoked', 'missing'] as const)),
  }),
  fc.constant({ status: 'unsigned' as const }),
  fc
    .record({ notBefore: moment, days: fc.integer({ min: 1, max: 400 }), renewing: fc.boolean() })
    .chain(({ notBefore, days, renewing }) =>
      fc.record(
        {
          status: fc.constant('issued' as const),
          notBefore: fc.constant(notBefore),
          notAfter: fc.constant(notBefore + days * DAY),
          version: fc.constantFrom(NEW, `${NEW}-1`),
          renewing: fc.constant(renewing),
          refused: fc.record({ at: moment, why: fc.constant('PCA_ACCESS_DENIED') }),
        },
        { requiredKeys: ['status', 'notBefore', 'notAfter', 'version', 'renewing'] },
      ),
    ),
)
const observed: fc.Arbitrary<Observed> = fc.record(
  {
    source: fc.constantFrom(SOURCE, `${SOURCE}4`),
    certificate,
    versions,
    checked: fc.record({ version, findings: fc.constantFrom([], [finding]) }),
    renewBefore: fc.integer({ min: 1, max: 394 }),
    promoted: fc.record({ version, at: moment }),
    previous: fc.record({ version, notAfter: moment }, { requiredKeys: ['version'] }),
    attempts: fc.record({ version, count: fc.integer({ min: 1, max: 7 }), at: moment }),
    notAfter: moment,
    services,
    deadline: fc.integer({ min: MINUTE, max: 3 * HOUR }),
    asked: fc.boolean(),
    rotating: fc.boolean(),
    signs: fc.boolean(),
    taken: version,
    unsealed: fc.boolean(),
  },
  { requiredKeys: ['source', 'versions', 'services'] },
)
/** Half of them while the promotion on record is under way, and a failure counted for it. */
const seen = fc.oneof(
  observed,
  observed.map((one) => {
    const current = holder(one.versions, 'AWSCURRENT')
    if (current === undefined) return one
    const promoted = { version: current, at: one.promoted?.at ?? START }
    const { attempts, ...rest } = one
    const counted = attempts !== undefined && attempts.count < 3
    return { ...rest, promoted, ...(counted && { attempts: { ...attempts, at: promoted.at } }) }
  }),
)

const property = (claim: (one: Observed, now: number) => void) =>
  fc.assert(fc.property(seen, moment, claim), { numRuns: 2_000 })
const known = ({ certificate }: Observed) =>
  certificate?.status === 'issued' ? certificate.version : undefined

describe('whatever is seen', () => {
  test('there is one step, with a reason and, where one waits, a time to come', () => {
    property((one, now) => {
      const decision = decide(one, now)

      expect(decision.reason).not.toBe('')
      if (decision.step === 'wait') expect(decision.at).toBeGreaterThan(now)
      if (decision.step === 'done') expect(decision.at).toBeGreaterThan(now)
      if (decision.step === 'alarm' && decision.at !== undefined)
        expect(decision.at).toBeGreaterThan(now)
    })
  })

  test('nothing is promoted that is unchecked, failed its check, was rejected or is current', () => {
    property((one, now) => {
      if (decide(one, now).step !== 'promote') return
      const labels = one.versions.get(known(one) ?? '')

      expect(one.checked).toEqual({ version: known(one), findings: [] })
      expect(labels).not.toContain('REJECTED')
      expect(labels).not.toContain('AWSCURRENT')
    })
  })

  test('nothing is exported while its serial is known, nor over what somebody else has pending', () => {
    property((one, now) => {
      const decision = decide(one, now)
      if (decision.step !== 'export') return
      const pending = holder(one.versions, 'AWSPENDING')

      expect(one.versions.has(known(one) ?? '')).toBe(false)
      if (pending === FOREIGN && !one.versions.get(FOREIGN)?.includes('AWSCURRENT'))
        expect([one.rotating, decision.version]).toEqual([true, FOREIGN])
    })
  })

  test('a source that signs at once is never asked to renew or to export, and one that does not is not asked to sign', () => {
    property((one, now) => {
      const { step } = decide(one, now)

      if (one.signs === true) expect(['renew', 'export']).not.toContain(step)
      else if (one.certificate?.status !== 'unsigned') expect(step).not.toBe('sign')
    })
  })

  test('nothing is signed over what somebody else has pending', () => {
    property((one, now) => {
      const decision = decide(one, now)
      if (decision.step !== 'sign') return
      const pending = holder(one.versions, 'AWSPENDING')

      if (pending === FOREIGN && !one.versions.get(FOREIGN)?.includes('AWSCURRENT'))
        expect([one.rotating, decision.version]).toEqual([true, FOREIGN])
    })
  })

  test('no deployment is asked for while one since the promotion runs or has completed', () => {
    property((one, now) => {
      const decision = decide(one, now)
      if (decision.step !== 'roll') return
      const { promoted, deadline = 30 * MINUTE } = one
      const since = promoted?.at ?? Infinity

      expect(decision.services).not.toEqual([])
      expect(decision.since).toBeGreaterThanOrEqual(since)
      for (const { name, state, deployments, breaker } of one.services) {
        if (!decision.services.includes(name)) continue
        const own = deployments.filter(({ began }) => began >= since)
        expect(state).toBe('active')
        expect(own.filter(({ state }) => state === 'completed')).toEqual([])
        const limit = breaker === true ? Math.max(deadline, 12 * HOUR) : deadline
        expect(own[0]?.state === 'running' && now < own[0].began + limit).toBe(false)
        expect(own.filter(({ began }) => began >= decision.since)).toEqual([])
        if (own[0] !== undefined) expect(now - own[0].began).toBeGreaterThanOrEqual(15 * MINUTE)
      }
    })
  })

  test('nothing else is begun while a deployment runs that may still prove the current version', () => {
    property((one, now) => {
      const { promoted, attempts, versions, services, deadline = 30 * MINUTE } = one
      const current = holder(versions, 'AWSCURRENT') ?? ''
      if (promoted === undefined || !sameCertificate(promoted.version, current)) return
      if (attempts?.at === promoted.at || [...versions].some(([, has]) => has.includes('DEPLOYED')))
        return
      const busy = services
        .filter(({ state }) => state === 'active')
        .map(({ deployments }) => deployments.filter(({ began }) => began >= promoted.at))
      if (busy.length === 0 || busy.some((all) => all[0]?.state !== 'running')) return
      if (busy.some((all) => all.some(({ state }) => state === 'completed'))) return
      if (busy.some((all) => now >= (all[0]?.began ?? 0) + deadline)) return

      expect(decide(one, now).step).toBe('wait')
    })
  })

  test('nothing is taken back while its deployments run that ECS itself gives up, before twelve hours are over', () => {
    property((one, now) => {
      const { promoted, attempts, versions, services, deadline = 30 * MINUTE } = one
      const current = holder(versions, 'AWSCURRENT') ?? ''
      if (promoted === undefined || !sameCertificate(promoted.version, current)) return
      if (attempts?.at === promoted.at) return
      const busy = services
        .filter(({ state }) => state === 'active')
        .map(({ breaker, deployments }) => ({
          limit: breaker === true ? Math.max(deadline, 12 * HOUR) : deadline,
          newest: deployments.find(({ began }) => began >= promoted.at),
        }))
      const well = busy.every(
        ({ newest, limit }) =>
          newest !== undefined && newest.state !== 'failed' && now < newest.began + limit,
      )

      if (well) expect(decide(one, now).step).not.toBe('rollback')
    })
  })

  test('the way back leads only to the version before, when it lasts and never failed', () => {
    property((one, now) => {
      const decision = decide(one, now)
      if (decision.step !== 'rollback') return
      const { to, version } = decision
      const labels = one.versions.get(to)

      expect(one.previous).toMatchObject({ version: to })
      expect(sameCertificate(one.promoted?.version ?? '', version)).toBe(true)
      if (labels?.includes('AWSCURRENT')) {
        expect(one.attempts?.at).toBe(one.promoted?.at) // ours, and cut short after the label moved
        return
      }
      expect(labels).toContain('AWSPREVIOUS')
      expect(labels).not.toContain('REJECTED')
      expect(labels).not.toContain('ROLLEDBACK')
      expect(one.previous?.notAfter).toBeGreaterThan(now + HOUR)
      expect(one.versions.get(version)).toContain('AWSCURRENT')
    })
  })

  test('what somebody moved AWSCURRENT away from is not promoted again', () => {
    property((one, now) => {
      const version = known(one) ?? ''
      const labels = one.versions.get(version) ?? []
      const away = one.promoted?.version === version && !labels.includes('AWSCURRENT')
      if (!away || labels.includes('ROLLEDBACK')) return

      expect(['check', 'promote']).not.toContain(decide(one, now).step)
    })
  })
})

describe('repeating the step that it names', () => {
  const RESTS = ['done', 'wait', 'alarm']
  const run = (one: Observed, hidden: Hidden, now: number) => {
    const steps: Decision['step'][] = []
    let state = one
    for (let count = 0; count < 12; count++) {
      const decision = decide(state, now + count)
      steps.push(decision.step)
      if (RESTS.includes(decision.step)) return steps
      state = after(state, decision, hidden, now + count)
    }
    return steps
  }
  const hidden = fc.record({ certificate, sound: fc.boolean() })
  /** As a run begins: nothing is known of the source, nothing is checked or asked for. */
  const begin = ({ certificate: _, checked: __, asked: ___, ...rest }: Observed) => rest

  test('ends in done, wait or alarm, within one run of reconcile', () => {
    fc.assert(
      fc.property(seen, hidden, moment, (one, world, now) => {
        expect(RESTS).toContain(run(begin(one), world, now).at(-1))
      }),
      { numRuns: 2_000 },
    )
  })

  test('promotes, goes back, exports, renews, signs and rolls out once at most', () => {
    fc.assert(
      fc.property(seen, hidden, moment, (one, world, now) => {
        const steps = run(begin(one), world, now)
        const twice = steps.filter((step, index) => steps.indexOf(step) !== index)

        // a record is mended before a step and after it, two certificates may be settled one after the other, and what is
        // signed in place of one that was rejected is checked as well
        const often = ['mark', 'settle', ...(one.signs === true ? ['check', 'reject'] : [])]
        expect(twice.filter((step) => !often.includes(step))).toEqual([])
      }),
      { numRuns: 2_000 },
    )
  })
})
