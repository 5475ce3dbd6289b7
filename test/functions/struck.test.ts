import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seeded } from '../../local/random.ts'
import { blow, straight, where } from '../support/blows.ts'
import { CASES } from '../support/deeds.ts'
import { KINDS, type Kind } from '../support/striker.ts'
import { type Scene, scene } from '../support/struck.ts'

/** Of all points; `npm run nightly -- struck` takes them all. */
const SHARE = 1 / 6
const SEED = 4

/** How many versions there are in the end (and of the secret where anchors are published), and how many deployments of each service, with the one that it began with. */
const ENDS: Readonly<
  Record<string, readonly [versions: number | readonly number[], deployments: number]>
> = {
  'a create': [1, 2],
  'an update of the name': [2, 2],
  'a delete': [1, 1],
  'the publication of anchors': [1, 0],
  'a look at a new serial': [2, 2],
  'a look at one that is due': [2, 2],
  'a create by an authority of our own': [[1, 1], 2],
  'a look at one of its that is due': [[2, 1], 2],
  'the start of deployments': [2, 2],
  'the end of rollouts': [2, 2],
  'the end of a rollout that failed': [2, 4], // there, back, and there again
  'a rotation': [2, 2],
  'a sweep': [2, 2],
  'a retry': [2, 4],
}

const found = { calls: 0, points: 0, chosen: 0, struck: 0, kinds: new Set<Kind>() }
const dice = seeded(SEED)
let on: Scene

beforeAll(async () => {
  on = await scene()
})

afterAll(async () => {
  await on.close()
  const { calls, points, struck } = found
  process.stdout.write(`${calls} calls to AWS, ${points} points, ${struck} of them struck\n`)
  expect(struck).toBe(found.chosen)
  expect(points).toBeGreaterThan(4 * calls)
  expect(struck).toBeGreaterThan((points * SHARE) / 2)
  expect(found.kinds.size).toBe(Object.keys(KINDS).length)
})

describe.each(Object.keys(CASES))('%s', (name) => {
  it('ends with one version and one rollout a service, whichever call to AWS is struck', async () => {
    const expected = await straight(on, name)
    const chosen = expected.points.filter(() => dice.next() < SHARE)
    const [versions, deployments] = ENDS[name] ?? []
    expect(expected.remains.secrets.map((one) => one.versions.length)).toEqual([versions].flat())
    for (const [, ...statuses] of expected.remains.services)
      expect(statuses).toHaveLength(deployments ?? 0)
    expect(expected.remains.left).toEqual({ looks: 0, rollouts: 0, letters: 0 })
    found.calls += expected.calls
    found.points += expected.points.length
    found.chosen += chosen.length

    for (const point of chosen) {
      const { struck, remains } = await blow(on, name, point)

      expect(remains, where(name, point)).toEqual(expected.remains)
      found.struck += struck ? 1 : 0
      found.kinds.add(point.kind)
    }
  }, 120_000)
})
