import { rollout } from '../pki/decide.ts'
import type { Ports } from '../ports/index.ts'
import { lost } from './lost.ts'
import { observe, START } from './observe.ts'
import { rollback } from './rollback.ts'
import { settled } from './settled.ts'

type Needs = Pick<
  Ports,
  'vault' | 'keeper' | 'fleet' | 'queue' | 'bus' | 'deadline' | 'clock' | 'log'
>

/** A deployment of this service (`cluster/service`) has ended, well or badly. */
export interface Ended {
  readonly service: string
}

/** Label DEPLOYED, or the way back: two steps at most, and one more look when another run was quicker. */
const MOST_STEPS = 3

/**
 * Sees what the end of a deployment means for the secrets of its service: marks them as deployed or takes them back at once,
 * beside the queue, in which other secrets may be waiting. Everything else that turns out to be due is left to the queue.
 */
export async function settle(ports: Needs, { service }: Ended): Promise<void> {
  for await (const page of ports.keeper.managed({ service })) {
    for (const { arn } of page) await judge(ports, arn)
  }
}

async function judge(ports: Needs, secret: string): Promise<void> {
  for (let count = 0; count < MOST_STEPS; count++) {
    const seen = await observe({ ...ports, keys: undefined }, secret, START)
    if ('unmanaged' in seen) return
    const decision = rollout(seen.observed, ports.clock.now())
    if (decision === undefined || decision.step === 'wait') return
    const { step, reason } = decision
    ports.log.info(step, { secret, reason })
    if (step === 'settle') await settled(ports, seen, decision.version).catch(lost)
    else if (step === 'rollback') await rollback(ports, seen, decision).catch(lost)
    else break
  }
  await ports.queue.look(secret, 0)
}
