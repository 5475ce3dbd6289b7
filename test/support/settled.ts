import { reconcile } from '../../workflows/reconcile.ts'
import { settle } from '../../workflows/settle.ts'
import { sweep } from '../../workflows/sweep.ts'
import { required, type World } from './fakes.ts'

/** Seconds: looks that are left for later than this are not waited for. */
const SOON = 600
const MOST = 60

/**
 * Lets the queues deliver, deployments complete and their events come, until nothing is left to do soon.
 *
 * @param swept beginning with a sweep
 */
export async function rest(world: World, swept = false): Promise<void> {
  if (swept) await sweep(world.ports)
  for (let count = 0; count < MOST; count++) {
    const most = swept && count === 0 ? Infinity : SOON
    const looks = world.looks.splice(0).filter(({ delay }) => delay <= most)
    for (const { secret, waits = 0 } of looks)
      await reconcile(world.ports, { secret, waits }, () => 100_000)
    world.pass(60_000)
    const asked = world.rollouts.length
    await world.begin()
    const running = underway(world)
    for (const name of running) {
      world.pass(1_000)
      world.end(name)
      await settle(world.ports, { service: name })
    }
    if (looks.length + asked + running.length === 0) return
  }
  throw new TypeError('it never comes to rest')
}

function underway({ services }: World): string[] {
  return [...services.keys()].filter(
    (name) => required(services.get(name)).deployments[0]?.state === 'running',
  )
}
