import { RelayError } from '../../pki/error.ts'
import type { Keys } from '../../ports/keys.ts'
import { keys as one } from '../support/keys.ts'
import type { World } from './world.ts'

const REGIONS = ['us-east-1', 'us-west-2']
const ARN = 'arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555'

/**
 * Keys in two regions, each of which is out now and then: sealing takes the regions that answer (`MinRegions: 1`), opening any
 * of them. What middleware/failover.ts does to get there is not imitated, only what comes of it.
 */
export function twoRegions(world: World): Keys {
  const all = REGIONS.map((region, nth) => ({
    key: ARN.replaceAll('us-east-1', region),
    nth,
    own: one(),
  }))
  const up = () => {
    const now = world.loop.now()
    const out = world.weather.regions.filter(({ from, to }) => from <= now && now < to)
    return all.filter(({ nth }) => !out.some((one) => one.nth === nth))
  }
  const nobody = () => new RelayError('SERVICE_UNAVAILABLE', 'no region answers; try again')
  return {
    keys: all.map(({ key }) => key),
    async seal(bytes, context) {
      const sealed = await Promise.all(
        up().map(async ({ key, own }) => {
          const { copies } = await own.seal(bytes, context)
          return { key, blob: copies[0]?.blob ?? '' }
        }),
      )
      if (sealed.length === 0) throw nobody()
      if (sealed.length < all.length) world.counts.degraded++
      return { v: 1, copies: sealed }
    },
    async open({ copies }, context) {
      for (const { key, own } of up()) {
        const copy = copies.find((one) => one.key === key)
        if (copy !== undefined) return own.open({ v: 1, copies: [copy] }, context)
      }
      throw nobody()
    },
  }
}
