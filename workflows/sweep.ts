import type { Ports } from '../ports/index.ts'

type Needs = Pick<Ports, 'keeper' | 'queue' | 'log'>

/** Puts every managed secret on the queue, page by page: events get lost, and a look at a fresh secret costs little. */
export async function sweep({ keeper, queue, log }: Needs): Promise<{ readonly queued: number }> {
  let queued = 0
  for await (const page of keeper.managed()) {
    for (const secret of page) {
      await queue.look(secret, queued % 60)
      queued++
    }
  }
  log.info('swept', { queued })
  log.count('Swept', queued)
  return { queued }
}
