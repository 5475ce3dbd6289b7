const FIRST = 150 // milliseconds
const SHORTEST = 30
const LONGEST = 300
const WINDOW = 64
const ENOUGH = 8

/** How long a region usually takes, and so how long to wait before asking the next one as well. */
export interface Pace {
  took(milliseconds: number): void
  /** Milliseconds: 150, then twice the region's own p95, from 30 to 300. */
  delay(): number
}

export function pace(): Pace {
  const recent: number[] = []
  let delay = FIRST
  return {
    took(milliseconds) {
      recent.push(milliseconds)
      if (recent.length > WINDOW) recent.shift()
      if (recent.length < ENOUGH) return
      const sorted = recent.toSorted((a, b) => a - b)
      const p95 = sorted[Math.floor((sorted.length - 1) * 0.95)] ?? FIRST / 2
      delay = Math.min(LONGEST, Math.max(SHORTEST, 2 * p95))
    },
    delay: () => delay,
  }
}

/** Limits hedges to a share of all operations, so that a brown-out does not double the load. */
export interface Bucket {
  /** One more operation. */
  deposit(): void
  /** Takes a token; false when there is none. */
  take(): boolean
}

const SHARE = 0.1
const BURST = 5

export function bucket(): Bucket {
  let tokens = BURST
  return {
    deposit() {
      tokens = Math.min(BURST, tokens + SHARE)
    },
    take() {
      if (tokens < 1) return false
      tokens--
      return true
    },
  }
}
