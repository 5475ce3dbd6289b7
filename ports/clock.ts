/** Time as a workflow sees it. */
export interface Clock {
  /** Epoch milliseconds. */
  now(): number
  /** Waits inside an invocation: seconds at most, longer waits belong to the queue. */
  sleep(milliseconds: number): Promise<void>
}
