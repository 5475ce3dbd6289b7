import type { Ports } from '../ports/index.ts'
import type { Rollout } from '../ports/queue.ts'

type Needs = Pick<Ports, 'fleet' | 'clock' | 'log'>

/** After a deployment began ECS may not show it for a moment; until it does, nobody else may look at the service. */
const LOOKS = 5
const PAUSE = 500

/**
 * Starts the deployment that a promotion needs, unless one began since: for another secret of the service, or because this was
 * asked before. Requests for one service come one after the other, so that no two begin at once.
 *
 * @throws SERVICE_UNAVAILABLE when it is not known whether one began: the next try finds out
 */
export async function roll(
  { fleet, clock, log }: Needs,
  { service: target, secret, version, since }: Rollout,
): Promise<void> {
  const about = { secret, version, target }
  const [found] = await fleet.look([target], since)
  const state = found?.state ?? 'gone'
  if (state !== 'active') {
    log.warn('service-skipped', { ...about, state })
    return
  }
  if (found !== undefined && found.deployments.length > 0) {
    log.info('rollout-shared', about)
    return
  }
  const deployment = await fleet.roll(target)
  log.info('rollout-started', { ...about, deployment })
  log.count('Rollouts', 1)
  for (let count = 1; count < LOOKS; count++) {
    const [now] = await fleet.look([target], since)
    if (now === undefined || now.deployments.length > 0) return
    await clock.sleep(PAUSE * count)
  }
}
