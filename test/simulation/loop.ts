/** Virtual time, and what happens in it. Times in epoch milliseconds. */
export interface Loop {
  now(): number
  /** Has something happen at a time, or at once when that is past; at the same time in the order asked. */
  at(time: number, what: () => void): void
  after(milliseconds: number, what: () => void): void
  /**
   * Starts code of ours; `ended` is told how it ended, once.
   *
   * @param wide it may make several calls at a time
   */
  spawn(
    work: (run: Run) => Promise<unknown>,
    ended: (run: Run, error?: unknown) => void,
    wide?: boolean,
  ): Run
  /** Lets time pass until `until`: one event after the other, and none before all code has come to rest. */
  play(until: number): Promise<void>
}

/** Code of ours between its start and its end. */
export interface Run {
  readonly id: number
  /** Time passes inside the run. */
  pause(milliseconds: number): Promise<void>
  /** The process dies: the code never goes on, not even into its `finally`. */
  die(): Promise<never>
  readonly dead: boolean
}

interface Happening {
  readonly at: number
  readonly order: number
  readonly what: () => void
}

const DONE = Promise.resolve()

/** Until all code that was woken waits again: Node runs immediates after the last microtask. */
function rest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/**
 * A discrete-event loop: the clock jumps from one event to the next, and only when all code that was woken waits again. No
 * real time, no timers: the same seeds make the same history.
 */
export function loop(start: number): Loop {
  const heap: Happening[] = []
  let now = start
  let until = start
  let order = 0
  let runs = 0
  let live = 0 // runs that have not ended
  let woken = false // code of ours goes on

  const at = (time: number, what: () => void) => {
    push(heap, { at: Math.max(time, now), order: order++, what })
  }

  function spawn(
    work: (run: Run) => Promise<unknown>,
    ended: (run: Run, error?: unknown) => void,
    wide = false,
  ) {
    let dead = false
    const run: Run = {
      id: ++runs,
      get dead() {
        return dead
      },
      pause(milliseconds) {
        const time = now + Math.max(0, milliseconds)
        const next = heap[0]
        if (live === 1 && !wide && time <= until && (next === undefined || next.at > time)) {
          now = time // nothing else can happen before
          return DONE
        }
        return new Promise((resolve) => {
          at(time, () => {
            if (dead) return
            woken = true
            resolve()
          })
        })
      },
      die() {
        if (!dead) {
          dead = true // whoever hears of its end asks
          end()
        }
        return new Promise(() => {}) // one of its own: whoever waits for it is forgotten with it
      },
    }
    const end = (error?: unknown) => {
      live--
      ended(run, error)
    }
    live++
    woken = true
    work(run).then(() => end(), end)
    return run
  }

  async function play(to: number): Promise<void> {
    until = to
    for (let next = heap[0]; next !== undefined && next.at <= to; next = heap[0]) {
      pop(heap)
      now = Math.max(now, next.at)
      next.what()
      if (!woken) continue
      woken = false
      await rest()
    }
    now = to
  }

  return { now: () => now, at, after: (ms, what) => at(now + ms, what), spawn, play }
}

function before(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

/** A binary heap: the earliest first. */
function push(heap: Happening[], one: Happening): void {
  let place = heap.length
  heap.push(one)
  while (place > 0) {
    const above = (place - 1) >> 1
    const parent = heap[above]
    if (parent === undefined || before(parent, one)) break
    heap[place] = parent
    place = above
  }
  heap[place] = one
}

function pop(heap: Happening[]): void {
  const last = heap.pop()
  if (last === undefined || heap.length === 0) return
  let place = 0
  for (;;) {
    const left = heap[2 * place + 1]
    const right = heap[2 * place + 2]
    if (left === undefined) break
    const child = right !== undefined && before(right, left) ? right : left
    if (before(last, child)) break
    heap[place] = child
    place = child === left ? 2 * place + 1 : 2 * place + 2
  }
  heap[place] = last
}
