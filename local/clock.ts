import { closeSync, openSync, writeSync } from 'node:fs'

/** A timer on the clock; cancelling twice is harmless. */
export interface Alarm {
  cancel(): void
}

/**
 * Time of one local AWS, in epoch milliseconds. It stands still until told, or flows with the real clock at an offset.
 * Functions and tasks see the same time through `file` (see `local/preload.mjs`).
 */
export interface Clock {
  readonly flowing: boolean
  /** 24 bytes, three doubles: local time, real time at which it was that, rate (0 or 1). */
  readonly file: string
  now(): number
  /**
   * Runs `task` when the clock reaches `time` (at once, but not synchronously, when it is past).
   * `task` is told where a jump ends, so that a repeating timer can skip what nobody would have seen.
   */
  at(time: number, task: (until: number) => Promise<void> | void): Alarm
  after(milliseconds: number, task: (until: number) => Promise<void> | void): Alarm
  /** Moves on by so many milliseconds, running what falls due in order and waiting for each. */
  advance(milliseconds: number): Promise<void>
  /** False after `close`: time no longer passes. */
  readonly running: boolean
  /** Resolves after so many milliseconds of this clock. @throws Error when the clock is closed meanwhile */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>
  /**
   * Work that was set off at this instant (a delivery, an asynchronous invocation): `advance` lets it end before
   * time moves on and before it returns, so that `advance(0)` means "when everything has settled". Work that takes
   * longer than three real seconds is no longer waited for: it may itself be waiting for something that only time brings.
   */
  hold(work: Promise<unknown>): void
  close(): void
}

/** How long `advance` waits for held work, in real milliseconds. */
const PATIENCE = 3_000

interface Entry {
  readonly time: number
  readonly order: number
  readonly task: (until: number) => Promise<void> | void
  cancelled: boolean
}

/** Builds a clock. `report` hears of a task that failed: a timer has no caller to throw to. */
export function clock(options: {
  readonly start: number
  readonly flow: boolean
  readonly file: string
  readonly report: (error: unknown) => void
}): Clock {
  const { flow, file, report } = options
  const descriptor = openSync(file, 'w', 0o600)
  const entries: Entry[] = []
  let order = 0
  let base = options.start
  let since = Date.now()
  let wake: NodeJS.Timeout | undefined
  let closed = false
  let busy = 0

  const now = () => (flow && busy === 0 ? base + (Date.now() - since) : base)
  const settle = (time: number, moving: boolean) => {
    base = time
    since = Date.now()
    const words = new Float64Array([base, since, moving ? 1 : 0])
    if (!closed) writeSync(descriptor, new Uint8Array(words.buffer), 0, 24, 0)
  }
  const due = (limit: number): Entry | undefined => {
    const first = entries[0]
    if (first === undefined || first.time > limit) return undefined
    entries.shift()
    return first
  }
  /** What fails because everything ends is no news. */
  const tell = (error: unknown) => {
    if (!closed) report(error)
  }
  const run = async (entry: Entry, until: number) => {
    if (entry.cancelled || closed) return
    try {
      await entry.task(until)
    } catch (error) {
      tell(error)
    }
  }
  const arm = () => {
    clearTimeout(wake)
    wake = undefined
    const first = entries[0]
    if (!flow || closed || busy > 0 || first === undefined) return
    const delay = Math.min(Math.max(0, first.time - now()), 2 ** 31 - 1)
    wake = setTimeout(() => {
      for (let entry = due(now()); entry !== undefined; entry = due(now())) void run(entry, now())
      arm()
    }, delay)
  }
  const at = (time: number, task: Entry['task']): Alarm => {
    const entry: Entry = { time, order: order++, task, cancelled: false }
    let low = 0
    let high = entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = entries[middle]
      if (other !== undefined && other.time <= time) low = middle + 1
      else high = middle
    }
    entries.splice(low, 0, entry)
    if (low === 0) arm()
    return {
      cancel() {
        entry.cancelled = true
        const index = entries.indexOf(entry)
        if (index >= 0) entries.splice(index, 1)
      },
    }
  }
  /** What is waited for, and how to stop waiting. */
  const held = new Map<Promise<unknown>, () => void>()
  const hold = (work: Promise<unknown>) => {
    let leave = () => {}
    const patience = new Promise<void>((resolve) => {
      leave = resolve
    })
    const tired = setTimeout(leave, PATIENCE)
    const ended = work.catch(tell)
    const watched = Promise.race([ended, patience]).finally(() => {
      clearTimeout(tired)
      held.delete(watched)
    })
    held.set(watched, leave)
    if (closed) leave()
  }
  const settled = async () => {
    // One turn of the event loop lets what was just set off begin, and be held, before it is looked at.
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve))
      if (held.size === 0) return
      await Promise.all(held.keys())
    }
  }
  const advance = async (milliseconds: number) => {
    const from = now()
    const until = from + milliseconds
    busy++
    clearTimeout(wake)
    settle(from, false)
    try {
      await settled()
      for (let entry = due(until); entry !== undefined; entry = due(until)) {
        if (entry.time > base) settle(entry.time, false)
        await run(entry, until)
        await settled()
      }
      if (until > base) settle(until, false)
    } finally {
      busy--
      if (busy === 0) settle(base, flow)
      arm()
    }
  }
  const sleepers = new Set<() => void>()
  const sleep = (milliseconds: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      const end = () => {
        sleepers.delete(wakeUp)
        signal?.removeEventListener('abort', stop)
      }
      const stop = () => {
        end()
        alarm.cancel()
        reject(signal?.reason)
      }
      const wakeUp = () => {
        end()
        reject(new Error('the local AWS is closed'))
      }
      const alarm = at(now() + milliseconds, () => {
        end()
        resolve()
      })
      sleepers.add(wakeUp)
      if (closed) wakeUp()
      else if (signal?.aborted) stop()
      else signal?.addEventListener('abort', stop, { once: true })
    })
  settle(base, flow)
  return {
    flowing: flow,
    file,
    get running() {
      return !closed
    },
    now,
    at,
    after: (milliseconds, task) => at(now() + milliseconds, task),
    advance,
    sleep,
    hold,
    close() {
      if (closed) return
      closed = true
      clearTimeout(wake)
      entries.length = 0
      for (const leave of held.values()) leave()
      for (const wakeUp of [...sleepers]) wakeUp()
      closeSync(descriptor)
    },
  }
}
