import type { Admin } from './admin.ts'
import { unlike } from './confirm.ts'
import type { Meta } from './meta.ts'
import type { State } from './state.ts'

const COUNTERS =
  /(^sds\..*\.(update_rejected|key_rotation_failed)$)|(stream_context_secrets_not_ready$)/

const HOUR = 3_600_000
/** Near its end is the last day, or the last tenth of a shorter life. Milliseconds. */
const DAY = 24 * HOUR
/** Somebody who knew an hour ago that nothing newer is there need not be replaced to find that out. */
const FRESH = HOUR

/** What a container is told. */
export interface Finding {
  /** Why it must not be called healthy; empty when it may. */
  readonly ailments: readonly string[]
  /** What a person should know although Envoy serves. */
  readonly remarks: readonly string[]
}

/**
 * Looks at Envoy and at what is laid out, at `now` (epoch ms). Envoy says LIVE also when it resets every connection, so the
 * material is looked at as well: nothing refused but what was rolled back, nothing missing, and what is laid out serves. Near its
 * end a certificate makes a container unhealthy only when a new task might have a newer one.
 */
export async function examine(
  admin: Admin,
  laidOut: Meta | undefined,
  state: State,
  now: number,
): Promise<Finding> {
  if (laidOut === undefined) return { ailments: ['no certificate is laid out'], remarks: [] }
  const kept = state.trouble === undefined ? [] : [`kept what serves: ${state.trouble}`]
  const remarks = [...kept, ...near(laidOut, now)]
  const late = ends(laidOut, state, now)
  const live = await admin.state()
  if (live === undefined)
    return { ailments: [...late, 'Envoy does not answer on its admin socket'], remarks }
  if (live !== 'LIVE') return { ailments: [...late, `Envoy is ${live}`], remarks }
  const other = await unlike(admin, laidOut)
  return {
    ailments: [...late, ...(await refused(admin, state)), ...(other ? [other] : [])],
    remarks,
  }
}

function ends({ second, listsUntil, ...one }: Meta, { looked }: State, now: number): string[] {
  const found = [one, ...(second ? [second] : [])].flatMap(({ serial, notBefore, notAfter }) => {
    const end = Date.parse(notAfter)
    if (end <= now) return [`certificate ${serial} expired at ${notAfter}`]
    const near = Math.min(DAY, (end - Date.parse(notBefore)) / 10)
    const known = looked !== undefined && now - Date.parse(looked) < Math.min(FRESH, near)
    return end - now > near || known
      ? []
      : [`certificate ${serial} ends at ${notAfter}, and nobody knows of a newer one`]
  })
  const over = listsUntil !== undefined && Date.parse(listsUntil) <= now
  return over ? [...found, `revocation lists ended at ${listsUntil}: peers are refused`] : found
}

/** Nobody is let in any more when they end: whoever publishes them has a day to learn of it. */
function near({ listsUntil }: Meta, now: number): string[] {
  const left = listsUntil === undefined ? DAY : Date.parse(listsUntil) - now
  return left >= DAY || left <= 0
    ? []
    : [`revocation lists end at ${listsUntil}: publish newer ones`]
}

async function refused(admin: Admin, { refusals }: State): Promise<string[]> {
  const counters = await admin.stats(COUNTERS)
  return [...counters]
    .filter(([name, value]) => value > (refusals[name] ?? 0))
    .map(([name, value]) => `${name} is ${value}`)
}
