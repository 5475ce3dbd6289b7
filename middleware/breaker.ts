/** Remembers whether a region answers. It has no timers: Lambda freezes, so that its state is worked out from a clock when asked. */
export interface Breaker {
  /** `half-open`: its cool-down is over, and one probe may find out. */
  state(now: number): 'closed' | 'open' | 'half-open'
  /** Takes the one slot for a probe; false when there is none. */
  probe(now: number): boolean
  /** The region answered, whatever it said. */
  succeed(): void
  fail(now: number): void
  /** A probe that was aborted before it could say anything. */
  giveBack(): void
}

const IN_A_ROW = 3
const WINDOW = 20
const FIRST_REST = 1_000 // milliseconds
const LONGEST_REST = 30_000
/** A probe whose end was never seen, because its container was frozen or its invocation ended, holds its slot no longer. Milliseconds. */
const LOST = 5_000

/**
 * Opens after 3 failures in a row, or when half of the last 20 failed; rests 1 s, doubling to 30 s with each failed probe,
 * give or take a fifth.
 * @param random from 0 to 1
 */
export function breaker(random: () => number): Breaker {
  let recent: boolean[] = []
  let streak = 0
  let rests = 0
  let opened: { readonly at: number; readonly rest: number } | undefined
  let probing: number | undefined

  function state(now: number) {
    if (opened === undefined) return 'closed'
    const since = now - opened.at
    return since < 0 || since >= opened.rest ? 'half-open' : 'open' // a clock set back must not lock it out
  }
  function open(now: number) {
    const rest = Math.min(LONGEST_REST, FIRST_REST * 2 ** rests)
    opened = { at: now, rest: Math.min(LONGEST_REST, rest * (0.8 + 0.4 * random())) }
    rests++
    probing = undefined
  }
  return {
    state,
    probe(now) {
      const taken = probing !== undefined && now >= probing && now - probing < LOST
      if (state(now) !== 'half-open' || taken) return false
      probing = now
      return true
    },
    succeed() {
      recent = [...recent.slice(1 - WINDOW), true]
      streak = 0
      if (opened !== undefined) recent = []
      opened = undefined
      probing = undefined
      rests = 0
    },
    fail(now) {
      const was = state(now)
      if (was === 'half-open') open(now)
      if (was !== 'closed') return // one of many that were under way says nothing new
      recent = [...recent.slice(1 - WINDOW), false]
      streak++
      const failed = recent.filter((good) => !good).length
      if (streak < IN_A_ROW && failed < WINDOW / 2) return
      recent = []
      streak = 0
      open(now)
    },
    giveBack() {
      probing = undefined
    },
  }
}
