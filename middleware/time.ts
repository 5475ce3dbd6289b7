/** Time as the failover sees it; tests bring their own. */
export interface Time {
  /** Epoch milliseconds: goes on while a container is frozen. */
  now(): number
  /** Monotonic milliseconds, for durations. */
  elapsed(): number
  /**
   * Runs `task` after so many milliseconds, and after whatever had come from the network by then: a process that was busy or
   * frozen for so long must not take its own silence for a region's. Returns what cancels it.
   */
  after(milliseconds: number, task: () => void): () => void
  /** From 0 to 1. */
  random(): number
}

/** The real one. */
export const time: Time = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  after(milliseconds, task) {
    let last: NodeJS.Immediate | undefined
    const timer = setTimeout(() => {
      last = setImmediate(task)
    }, milliseconds)
    return () => {
      clearTimeout(timer)
      clearImmediate(last)
    }
  },
  random: () => Math.random(),
}
