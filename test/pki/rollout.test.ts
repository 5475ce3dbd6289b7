import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEADLINE, progress, type Running } from '../../pki/rollout.ts'
import { breaking, HOUR, MINUTE, NEW, OLD, START, service } from './states.ts'

const seen = (services: readonly Running[], minutes = 1, deadline?: number) => {
  const { late, running, proven, failed } = progress(
    services,
    START,
    START + minutes * MINUTE,
    deadline === undefined ? {} : { deadline },
  )
  return { late, running, proven, failed: failed.map(({ name }) => name) }
}
const none: Readonly<Record<'late' | 'running' | 'proven' | 'failed', readonly string[]>> = {
  late: [],
  running: [],
  proven: [],
  failed: [],
}

describe('a service is', () => {
  test.each<[string, Running, number, Partial<typeof none>]>([
    ['late without a deployment', service('s'), 1, { late: ['s'] }],
    ['late with one from before', service('s', ['completed', -1]), 1, { late: ['s'] }],
    [
      'running with one that began with the promotion',
      service('s', ['running', 0]),
      1,
      { running: ['s'] },
    ],
    ['proven by one that completed', service('s', ['completed', 0]), 1, { proven: ['s'] }],
    [
      'proven though a later one runs',
      service('s', ['running', 1], ['completed', 0]),
      2,
      { proven: ['s'] },
    ],
    [
      'proven though a later one failed',
      service('s', ['failed', 1], ['completed', 0]),
      2,
      { proven: ['s'] },
    ],
    [
      'running though an earlier one failed',
      service('s', ['running', 1], ['failed', 0]),
      2,
      { running: ['s'] },
    ],
    ['failed with the newest', service('s', ['failed', 1], ['running', 0]), 2, { failed: ['s'] }],
    [
      'failed when it is not done in half an hour',
      service('s', ['running', 0]),
      30,
      { failed: ['s'] },
    ],
    ['not failed a minute before', service('s', ['running', 0]), 29, { running: ['s'] }],
  ])('%s', (_, one, minutes, expected) => {
    expect(seen([one], minutes)).toEqual({ ...none, ...expected })
  })

  test('told as foreign until a deployment of somebody else since then has completed', () => {
    const foreign = (...deployments: Parameters<typeof service>[1][]) => {
      const one = { ...service('s', ...deployments), state: 'foreign' } as const
      const { proven, foreign: left } = progress([one], START, START + MINUTE)
      return { proven, left }
    }

    expect(foreign()).toEqual({ proven: [], left: ['s'] })
    expect(foreign(['completed', -1])).toEqual({ proven: [], left: ['s'] })
    expect(foreign(['running', 1])).toEqual({ proven: [], left: ['s'] })
    expect(foreign(['running', 1], ['completed', 0])).toEqual({ proven: ['s'], left: [] })
  })

  test('proven though it is foreign when its tasks say that they serve the version', () => {
    const one = { ...service('s'), state: 'foreign', serving: [[NEW]] } as const
    const at = (minutes: number, serving: readonly (readonly string[])[]) =>
      progress([{ ...one, serving }], START, START + minutes * MINUTE, { hot: NEW })

    expect(at(1, [[NEW]])).toMatchObject({ proven: ['s'], foreign: [] })
    expect(at(1, [[OLD]])).toMatchObject({ taking: ['s'], foreign: [] })
    expect(at(5, [[OLD]])).toMatchObject({ taking: [], foreign: ['s'] })
  })

  test.each(['idle', 'draining', 'gone', 'foreign'] as const)('left out when it is %s', (state) => {
    expect(seen([{ ...service('s', ['failed', 0]), state }])).toEqual(none)
  })

  test('told with how often it failed since the promotion, and when its newest deployment began', () => {
    const one = service('s', ['failed', 5], ['failed', 2], ['failed', -1])

    expect(progress([one], START, START + 6 * MINUTE).failed).toEqual([
      { name: 's', times: 2, began: START + 5 * MINUTE },
    ])
  })

  test('left to ECS for twelve hours when it has the circuit breaker, and told as slow from its deadline on', () => {
    const one = [breaking(service('s', ['running', 0]))]
    const at = (minutes: number) => progress(one, START, START + minutes * MINUTE)
    const slow = [{ name: 's', began: START, limit: 12 * HOUR }]

    expect(at(29)).toMatchObject({ running: ['s'], slow: [], deadline: START + 30 * MINUTE })
    expect(at(30)).toMatchObject({ running: ['s'], slow, deadline: START + 2 * HOUR })
    expect(at(120)).toMatchObject({ running: ['s'], slow, deadline: START + 12 * HOUR })
    expect(at(12 * 60 - 1)).toMatchObject({ running: ['s'], failed: [] })
    expect(at(12 * 60)).toMatchObject({ running: [], slow: [], failed: [{ name: 's' }] })
  })

  test('given as long as its deadline says', () => {
    const one = [service('s', ['running', 0])]

    expect(seen(one, 59, 60 * MINUTE)).toMatchObject({ running: ['s'] })
    expect(seen(one, 60, 60 * MINUTE)).toMatchObject({ failed: ['s'] })
    expect(DEADLINE).toBe(30 * MINUTE)
  })
})

test('every service that runs is in one list, and the deadline is that of the first to run out', () => {
  const state = fc.constantFrom('running' as const, 'completed' as const, 'failed' as const)
  const one = fc.record({
    state: fc.constantFrom('active' as const, 'idle' as const),
    deployments: fc.array(fc.record({ state, began: fc.integer({ min: -50, max: 50 }) })),
  })
  fc.assert(
    fc.property(fc.array(one), (all) => {
      const services = all.map(({ state, deployments }, at) => ({
        name: `a/${at}`,
        state,
        deployments: [...deployments].sort((a, b) => b.began - a.began),
      }))
      const { late, running, proven, failed, deadline } = progress(services, 0, 60, {
        deadline: 40,
      })

      expect([...late, ...running, ...proven, ...failed.map(({ name }) => name)].sort()).toEqual(
        services.flatMap(({ name, state }) => (state === 'active' ? [name] : [])).sort(),
      )
      expect(deadline).toBeGreaterThan(60)
      expect(deadline === Infinity).toBe(running.length === 0)
    }),
  )
})

describe('sidecars that take a version by themselves', () => {
  const HOT = 'a1b2c3d4-0000-8000-a000-000000000001'
  const hot = (
    serving: readonly (readonly string[])[],
    minutes: number,
    deployments = service('a/1').deployments,
  ) =>
    progress(
      [{ name: 'a/1', state: 'active', deployments, serving }],
      START,
      START + minutes * MINUTE,
      { hot: HOT },
    )

  test('prove it when every running task says that it serves it, sealed anew or not', () => {
    expect(hot([[HOT], [`${HOT}-1`, 'trust']], 1)).toMatchObject({ proven: ['a/1'], late: [] })
  })

  test('are given five minutes, then there is a deployment', () => {
    for (const serving of [[], [[HOT], []], [['another']]]) {
      expect(hot(serving, 4)).toMatchObject({ taking: ['a/1'], deadline: START + 5 * MINUTE })
      expect(hot(serving, 5)).toMatchObject({ taking: [], late: ['a/1'] })
    }
  })

  test('are not asked once a deployment has begun', () => {
    const begun = [{ began: START + 1, state: 'running' as const }]
    expect(hot([[HOT]], 1, begun)).toMatchObject({ running: ['a/1'], proven: [] })
  })
})
