import { Worker } from 'node:worker_threads'
import { type History, type Simulation, simulate } from './simulate.ts'

/** Simulates one after the other, on several threads at a time if there are more `jobs` than one: whichever ends first comes first. */
export async function* histories(
  all: Iterable<Simulation>,
  jobs: number,
): AsyncGenerator<History, void, undefined> {
  if (jobs <= 1) {
    for (const one of all) yield await simulate(one)
    return
  }
  const left = all[Symbol.iterator]()
  const threads = Array.from({ length: jobs }, thread)
  const running = new Map<Thread, Promise<readonly [Thread, History]>>()
  const begin = (one: Thread) => {
    const { done, value } = left.next()
    if (done === true) running.delete(one)
    else
      running.set(
        one,
        one.ask(value).then((history) => [one, history]),
      )
  }
  try {
    for (const one of threads) begin(one)
    while (running.size > 0) {
      const [one, history] = await Promise.race(running.values())
      begin(one)
      yield history
    }
  } finally {
    await Promise.all(threads.map((one) => one.end()))
  }
}

interface Thread {
  ask(wanted: Simulation): Promise<History>
  end(): Promise<unknown>
}

/** What a look makes does not live long: with more room it is collected less often. */
const ROOM = { maxYoungGenerationSizeMb: 96 }

function thread(): Thread {
  const worker = new Worker(new URL('./thread.ts', import.meta.url), { resourceLimits: ROOM })
  return {
    ask: (wanted) =>
      new Promise((resolve, reject) => {
        worker.once('message', (history: History) => {
          worker.off('error', reject)
          resolve(history)
        })
        worker.once('error', reject)
        worker.postMessage(wanted)
      }),
    end: () => worker.terminate(),
  }
}
