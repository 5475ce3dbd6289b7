/** So many a second in the long run, and so many at once after a pause; a part of one more lets a late turn be made up for. */
export interface Rate {
  readonly rate: number
  readonly burst: number
}

/** A token bucket that hands out turns: pure, its clock is whatever `now` comes from. */
export interface Bucket {
  /**
   * Takes the next turn.
   *
   * @param now milliseconds of any clock that does not run backwards
   * @param most milliseconds: a turn that is farther away is not taken
   * @returns milliseconds from `now` until the turn, or `undefined` when none was taken
   */
  take(now: number, most?: number): number | undefined
}

/** As ITU-T I.371's virtual scheduling: one number, and turns in the order in which they were asked for. */
export function bucket({ rate, burst }: Rate): Bucket {
  const interval = 1_000 / rate
  const slack = Math.max(0, burst - 1) * interval
  let next = -Infinity // when the turn after all those that were taken would be due
  return {
    take(now, most = Infinity) {
      const due = Math.max(next, now)
      const wait = Math.max(0, due - slack - now)
      if (wait > most) return undefined
      next = due + interval
      return wait
    },
  }
}
