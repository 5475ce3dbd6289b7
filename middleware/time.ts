/** Time as the failover sees it; tests bring their own. */
export interface Time {
  /** Epoch milliseconds: goes on while a container is frozen. */
  now(): number
  /** Monotonic milliseconds, for durations. */
  elapsed(): number
  /** Runs `task` after so many milliseconds; returns what cancels it. */
  after(milliseconds: number, task: () => void): () => void
  /** From 0 to 1. */
  random(): number
}

/** The real one. */
export const time: Time = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(milliseconds, task) {
    const timer = setTimeout(task, milliseconds)
    return () => clearTimeout(timer)
  },
  random: () => Math.random(),
}
