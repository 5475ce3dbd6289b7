/** So many a second in the long run, and so many at once after a pause; a part of one more lets a late turn be made up for. */
export interface Rate {
  readonly rate: number
  readonly burst: number
}

/** A token bucket that hands out turns. Milliseconds of any clock; one that runs backwards brings nothing. */
export interface Bucket {
  /** Milliseconds from `now` until the next turn, which is not taken. */
  wait(now: number): number
  /**
   * Takes the next turn, in the order in which turns are asked for.
   *
   * @param most milliseconds: a turn that is farther away is not taken
   * @returns milliseconds from `now` until the turn, or `undefined` when none was taken
   */
  take(now: number, most?: number): number | undefined
  /** Whether it has rested long enough to be as good as new. */
  isFull(now: number): boolean
}

export function bucket({ rate, burst }: Rate): Bucket {
  const full = Math.max(1, burst)
  let tokens = full // below 1 are turns that were taken and have not come
  let at = -Infinity
  const tokensOf = (now: number) => Math.min(full, tokens + (Math.max(0, now - at) / 1_000) * rate)
  const wait = (now: number) => (Math.max(0, 1 - tokensOf(now)) / rate) * 1_000
  return {
    wait,
    take(now, most = Infinity) {
      const until = wait(now)
      if (until > most) return undefined
      tokens = tokensOf(now) - 1
      at = Math.max(at, now)
      return until
    },
    isFull: (now) => tokensOf(now) >= full,
  }
}

/** Names that are remembered; those that have rested long enough to be full again are as good as unknown. */
const MOST = 1_000

/** One bucket a name: milliseconds until its next turn is to be had, 0 when this one is. `now`: epoch milliseconds. */
export function buckets(limits: Rate): (name: string, now: number) => number {
  const known = new Map<string, Bucket>()
  return (name, now) => {
    const own = known.get(name) ?? bucket(limits)
    if (own.take(now, 0) === undefined) return Math.ceil(own.wait(now))
    if (known.size >= MOST)
      for (const [other, one] of known) if (one.isFull(now)) known.delete(other)
    known.set(name, own)
    return 0
  }
}
