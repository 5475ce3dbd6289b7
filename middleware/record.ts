import type { Hear } from '../ports/keys.ts'
import type { Fields } from '../ports/log.ts'
import type { Class } from './classify.ts'
import type { Memory } from './memory.ts'
import type { Attempt } from './race.ts'
import type { Time } from './time.ts'

/** Who is told of each use of a key. */
export interface Witness {
  /** One line an operation, with what it tried. */
  readonly audit: (fields: Fields, attempts: readonly Fields[]) => void
  readonly warn: (event: string, fields: Fields) => void
  /** A metric. */
  readonly count: (
    metric: string,
    value: number,
    dimensions?: Readonly<Record<string, string>>,
    unit?: 'Count' | 'Milliseconds',
  ) => void
}

/** How an operation ended: `unavailable` when no region answered, `refused` when none was asked. */
export type Outcome = 'ok' | 'degraded' | 'unavailable' | 'refused' | Class

/** Begins the record of one operation; `end` writes it: one audit line, its metrics, and warnings that a person must not miss. */
export function chronicle(
  { audit, warn, count, time, memory }: Witness & { readonly time: Time; readonly memory: Memory },
  about: {
    readonly action: 'seal' | 'open' | 'sign'
    /** Members of the encryption context, or of what stands for it where a key knows none. */
    readonly context: Readonly<Record<string, string>>
    readonly budget: number
    readonly drill: boolean
    /** All that are configured: of each it is told when its breaker is not closed. */
    readonly regions: ReadonlySet<string>
    readonly hear?: Hear | undefined
  },
) {
  const began = time.elapsed()
  const { action, budget, drill } = about
  return {
    end(outcome: Outcome, attempts: readonly Attempt[], winner?: string): void {
      const sealed = attempts.filter((one) => one.outcome === 'ok').map(({ region }) => region)
      const region = winner ?? (sealed.join(' ') || undefined)
      const ms = Math.round(time.elapsed() - began)
      const shared = { ...about.context, action, outcome, region }
      const budgeted = Number.isFinite(budget) ? Math.round(budget) : undefined
      audit({ ...shared, budget: budgeted, ms, ...(drill && { drill }) }, attempts.map(flat))
      if (drill) warn('drill', { ...shared })
      if (outcome === 'degraded') warn('degraded', { ...shared })
      if (outcome === 'integrity') warn('security', { ...shared })
      measure(outcome, attempts)
      for (const one of attempts) about.hear?.(one)
    },
  }

  function measure(outcome: Outcome, attempts: readonly Attempt[]): void {
    for (const { region, outcome: how, ms } of attempts) {
      count('KmsAttempts', 1, { region, outcome: how })
      count('KmsLatency', ms, { region, outcome: how }, 'Milliseconds')
    }
    const failed = attempts.some((one) => one.outcome !== 'ok' && one.outcome !== 'aborted')
    const hedges = attempts.filter(({ lane }) => lane === 'hedge')
    const won = hedges.filter((one) => one.outcome === 'ok').length
    if (hedges.length > 0) count('KmsHedges', hedges.length)
    if (won > 0) count('KmsHedgesWon', won)
    if (action !== 'seal' && outcome === 'ok' && failed) count('KmsFailovers', 1)
    if (outcome === 'integrity') count('KmsIntegrity', 1)
    if (outcome === 'unavailable') count('KmsUnavailable', 1)
    if (outcome === 'degraded') count('KmsDegraded', 1)
    const now = time.now()
    for (const region of about.regions)
      if (memory.of(region).breaker.state(now) !== 'closed') count('KmsBreakerOpen', 1, { region })
  }
}

function flat({ id, region, key, lane, ms, outcome, error, kmsRequestId }: Attempt): Fields {
  const request = kmsRequestId === '' ? undefined : kmsRequestId
  return { id, region, key, lane, ms: Math.round(ms), outcome, error, kmsRequestId: request }
}
