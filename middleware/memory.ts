import { type Breaker, breaker } from './breaker.ts'
import { type Bucket, bucket, type Pace, pace } from './hedge.ts'

/** What is known of one region's KMS. */
export interface Health {
  readonly breaker: Breaker
  readonly pace: Pace
}

/** What a warm container knows of its regions; nothing of what failed, and nothing secret. */
export interface Memory {
  of(region: string): Health
  readonly bucket: Bucket
}

/** An empty memory; one for each process. */
export function memory(random: () => number): Memory {
  const regions = new Map<string, Health>()
  return {
    bucket: bucket(),
    of(region) {
      const known = regions.get(region) ?? { breaker: breaker(random), pace: pace() }
      regions.set(region, known)
      return known
    },
  }
}
