import { batch } from '../../middleware/batch.ts'
import type { Ports } from '../../ports/index.ts'
import type { Rollout } from '../../ports/queue.ts'
import { reconcile } from '../../workflows/reconcile.ts'
import { retry } from '../../workflows/retry.ts'
import { roll } from '../../workflows/roll.ts'
import { rotate } from '../../workflows/rotate.ts'
import { settle } from '../../workflows/settle.ts'
import { sweep } from '../../workflows/sweep.ts'
import type { Run } from './loop.ts'
import { notice, rollout } from './messages.ts'
import type { Receipt } from './queues.ts'
import type { World } from './world.ts'

/** The functions as Lambda runs them. */
export interface Functions {
  looks(messages: readonly Receipt[], done: (ids: readonly string[]) => void): void
  rollouts(messages: readonly Receipt[], done: (ids: readonly string[]) => void): void
  /** Asynchronous invocations: tried three times. */
  settle(service: string): void
  sweep(): void
  /** One step of a rotation; `ended` hears whether it went well. */
  rotate(step: Step, secret: string, token: string, ended: (well: boolean) => void): void
  /** A person's command. */
  retry(secret: string): void
}

export type Step = 'createSecret' | 'setSecret' | 'testSecret' | 'finishSecret'

const MINUTE = 60_000
const TIMEOUT = 2 * MINUTE
const PLACE = { region: 'us-east-1', account: '111122223333' }

/**
 * The real workflows behind what Lambda does around them: batches with partial failures by the real middleware, a limit of
 * time, and two more tries of what was invoked asynchronously.
 *
 * @param rolling hears which request a run is about to work on
 */
export function functions(
  world: World,
  ports: (run: Run) => Ports,
  rolling: (run: Run, rollout: Rollout) => void,
): Functions {
  const { loop } = world

  function queue<N>(parse: (body: string) => N, work: Work<N>): Functions['looks'] {
    return (messages, done) => {
      const began = loop.now()
      const remaining = () => began + TIMEOUT - loop.now()
      let failed: readonly string[] | undefined
      const run = async (run: Run) => {
        const edge = batch<N>(
          () => [],
          parse,
          (given, one) => work(run, given, one, remaining),
        )
        const all = messages.map((one) => ({ ...one, ...PLACE }))
        const answer = await edge.run(all, {
          ports: ports(run),
          remaining,
          request: `run ${run.id}`,
        })
        failed = answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
      }
      loop.spawn(
        run,
        () => {
          const lost = failed ?? messages.map(({ id }) => id)
          done(messages.map(({ id }) => id).filter((id) => !lost.includes(id)))
        },
        messages.length > 1,
      )
    }
  }

  function invoke(what: string, work: (ports: Ports) => Promise<unknown>, tries = 1): void {
    loop.spawn(
      (run) => work(ports(run)),
      (run, error) => {
        if (error === undefined && !run.dead) return
        world.note('failed', what, error)
        if (tries < 3) loop.after(tries * MINUTE, () => invoke(what, work, tries + 1))
      },
    )
  }

  return {
    looks: queue(notice, (_, given, one, remaining) => {
      world.counts.looks++
      return reconcile(given, one, remaining)
    }),
    rollouts: queue(rollout, (run, given, one) => {
      rolling(run, one)
      return roll(given, one)
    }),
    settle: (service) => invoke('settle', (given) => settle(given, { service })),
    sweep: () => invoke('sweep', sweep),
    retry: (secret) => invoke('retry', (given) => retry(given, { secret })),
    rotate(step, secret, token, ended) {
      loop.spawn(
        (run) => rotate(ports(run), { step, secret, token }),
        (run, error) => {
          if (error !== undefined) world.note(`rotation ${step}`, secret, error)
          ended(error === undefined && !run.dead)
        },
      )
    },
  }
}

type Work<N> = (run: Run, ports: Ports, one: N, remaining: () => number) => Promise<unknown>
