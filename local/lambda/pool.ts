import { AwsError } from '../service.ts'
import type { Invocation, Outcome, Sandbox } from './sandbox.ts'

/** The warm environments of one function version. */
export interface Pool {
  /**
   * Runs an invocation in a free environment, a new one, or, when there are as many as may be, the next that gets
   * free. `undefined` when nothing may run (none is reserved), or `wait` is false and all that is reserved is in use.
   */
  run(invocation: Invocation, wait: boolean): Promise<Outcome | undefined>
  /** Ends the environments that are idle now, and the others when they have finished. */
  retire(): void
  /** Ends all of them now. */
  close(): Promise<void>
  /** Process ids of the environments that are there. */
  pids(): readonly number[]
}

/** Environments of one version at a time, whatever is reserved: this is one machine. */
const MOST = 8
/** Real milliseconds after which an idle environment ends. */
const IDLE = 60_000

/** `reserved` is asked for each time; `start` starts an environment. */
export function pool(start: () => Promise<Sandbox>, reserved: () => number | undefined): Pool {
  const all = new Set<Sandbox>()
  const idle = new Map<Sandbox, NodeJS.Timeout>()
  const starting = new Set<Promise<Sandbox>>()
  const queue: (() => void)[] = []
  let busy = 0
  let closed = false

  const acquire = async (): Promise<Sandbox> => {
    for (const [box, timer] of [...idle].reverse()) {
      clearTimeout(timer)
      idle.delete(box)
      if (box.alive()) return box
      all.delete(box)
    }
    if (closed) throw new AwsError('ServiceException', 'The local AWS is closed.', 500)
    const coming = begin()
    starting.add(coming)
    return coming.finally(() => starting.delete(coming))
  }
  const begin = async () => {
    const box = await start()
    all.add(box)
    return box
  }
  const discard = async (box: Sandbox) => {
    await box.stop()
    all.delete(box)
  }
  const release = (box: Sandbox, fresh: boolean) => {
    if (!fresh || !box.alive()) return void discard(box)
    const timer = setTimeout(() => {
      idle.delete(box)
      void discard(box)
    }, IDLE)
    timer.unref()
    idle.set(box, timer)
  }
  let generation = 0

  return {
    async run(invocation, wait) {
      const limit = reserved() ?? Number.POSITIVE_INFINITY
      if (limit === 0 || (!wait && busy >= limit)) return undefined
      while (busy >= Math.min(MOST, limit)) {
        await new Promise<void>((resolve) => queue.push(resolve))
      }
      busy++
      const mine = generation
      try {
        for (;;) {
          const box = await acquire()
          const outcome = await box.run(invocation)
          release(box, mine === generation)
          if (outcome !== undefined) return outcome
        }
      } finally {
        busy--
        queue.shift()?.()
      }
    },
    retire() {
      generation++
      for (const [box, timer] of idle) {
        clearTimeout(timer)
        idle.delete(box)
        void discard(box)
      }
    },
    async close() {
      closed = true
      for (const timer of idle.values()) clearTimeout(timer)
      await Promise.allSettled(starting)
      await Promise.all([...all].map((box) => box.stop()))
      all.clear()
    },
    pids: () => [...all].flatMap(({ pid, alive }) => (pid !== undefined && alive() ? [pid] : [])),
  }
}
