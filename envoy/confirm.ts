import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin } from './admin.ts'
import { type Meta, serials } from './meta.ts'

/** Envoy needs 8 ms. Milliseconds. */
const LIMIT = 5_000
const STEP = 5
const LONGEST = 100

const COUNTERS =
  /(^sds\..*\.(update_(success|rejected|failure)|key_rotation_failed)$)|(ssl_context_update_by_sds$)/
const REBUILT = /ssl_context_update_by_sds$/
const TAKEN = /^sds\..*\.update_success$/
/** Counters of what Envoy did not take. */
export const REFUSED = /(rejected|failure|failed)$/

/** What Envoy has counted so far. */
export type Baseline = ReadonlyMap<string, number>

/** How long Envoy is waited for. */
export interface Patience {
  /** Milliseconds. */
  readonly limit?: number | undefined
  readonly stop?: AbortSignal | undefined
}

/** @throws Error when Envoy does not answer. */
export function baseline(admin: Admin): Promise<Baseline> {
  return admin.stats(COUNTERS)
}

/**
 * Waits until Envoy has taken what is named in its SDS files: each file was read anew, a TLS context was rebuilt, and all contexts
 * show exactly the new certificates and anchors. A counted update alone would prove nothing, and neither would what is
 * shown: revocation lists are not.
 *
 * @returns why not, `undefined` when it has. A refusal is told at once, silence after `limit` milliseconds.
 */
export async function doubt(
  admin: Admin,
  meta: Meta,
  before: Baseline,
  { limit = LIMIT, stop }: Patience = {},
): Promise<string | undefined> {
  const end = performance.now() + limit
  let why = 'Envoy does not answer on its admin socket'
  for (let step = STEP; ; step = Math.min(step * 2, LONGEST)) {
    try {
      const now = await admin.stats(COUNTERS)
      const more = grown(now, before)
      const refused = more.find((name) => REFUSED.test(name))
      if (refused !== undefined) return `Envoy refused it (${refused})`
      const unread = [...before.keys()].find((name) => TAKEN.test(name) && !more.includes(name))
      const rebuilt = more.some((name) => REBUILT.test(name))
      const other = await unlike(admin, meta)
      if (unread === undefined && rebuilt && other === undefined) return undefined
      why = other ?? (rebuilt ? `not counted: ${unread}` : 'no TLS context of Envoy was rebuilt')
    } catch {
      // not there, or just going: the next look tells
    }
    if (stop?.aborted) return 'stopped while Envoy was taking it'
    if (performance.now() >= end) return `${why} after ${limit / 1000} s`
    await sleep(step)
  }
}

/** What Envoy's contexts show that is not what is laid out; `undefined` when they show just that. */
export async function unlike(admin: Admin, meta: Meta): Promise<string | undefined> {
  const loaded = await admin.certificates()
  const { version, anchors = [] } = meta
  const wanted = serials(meta)
  if (loaded.length === 0) return `Envoy has loaded no certificate, version ${version} is laid out`
  const stranger = loaded.find(({ serial }) => !wanted.includes(serial))
  if (stranger !== undefined)
    return `Envoy serves certificate ${stranger.serial}, ${wanted.join(' ')} is laid out`
  const missing = wanted.find((serial) => loaded.every((one) => one.serial !== serial))
  if (missing !== undefined) return `Envoy does not serve certificate ${missing}, which is laid out`
  const astray = loaded.some((one) => one.anchors.join() !== anchors.join())
  return anchors.length > 0 && astray
    ? `Envoy trusts other anchors than version ${meta.trust} of the trust bundle`
    : undefined
}

function grown(now: Baseline, before: Baseline): string[] {
  return [...now].filter(([name, value]) => value > (before.get(name) ?? 0)).map(([name]) => name)
}
