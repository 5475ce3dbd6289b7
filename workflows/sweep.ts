import { DAY } from '../pki/due.ts'
import { type Standing, standing } from '../pki/fresh.ts'
import { keySet } from '../pki/sealed.ts'
import { readTags } from '../pki/tags.ts'
import type { Ports } from '../ports/index.ts'
import type { Listed } from '../ports/vault.ts'
import { noted } from './record.ts'
import { tell } from './tell.ts'

type Needs = Pick<Ports, 'keeper' | 'queue' | 'bus' | 'keys' | 'clock' | 'log'>

/** What a sweep found. */
export interface Swept {
  readonly managed: number
  readonly queued: number
}

/** With so many messages waiting, an earlier sweep's are still worked off: only what ends soon is queued again. */
const BUSY = 1_000
/** Days: what ends so soon is queued whatever waits already. */
const URGENT = 14
/** Days without a look that found all well: from then on the alarm rings (resources.yml). */
const LONG = 2
/** Looks a second that lead to a renewal and an export each: ACM's quotas (aws/rates.ts). */
const SERVED = 5

/**
 * Puts every managed secret on the queue that is not provably fresh, page by page, the nearest end of a certificate first by
 * the delay of its message; measures the fleet; says which certificates end soon. What cannot be queued is measured all the
 * same: the pages for an end hang on it. Then it fails, and is tried again.
 */
export async function sweep(ports: Needs): Promise<Swept> {
  const { keeper, queue, keys, log } = ports
  const set = keys === undefined ? undefined : keySet(keys.keys)
  const failures: unknown[] = []
  const attempt = (step: () => Promise<void>) => step().catch((error) => void failures.push(error))
  const found = { managed: 0, queued: 0, stuck: 0, days: Infinity, unseen: 0 }
  let busy = false
  let whole = false
  await attempt(async () => {
    busy = (await queue.waiting()) >= BUSY
  })
  await attempt(async () => {
    for await (const page of keeper.managed()) {
      const looks = await survey(ports, page, found, { set, busy })
      if (looks.length === 0 || failures.length > 0) continue // the next try queues them
      await attempt(() => queue.looks(looks))
      found.queued += looks.length
    }
    whole = true
  })
  measure(log, found, whole)
  if (failures.length > 0) throw failures[0]
  log.count('Swept', found.managed)
  log.count('Queued', found.queued)
  log.info('swept', { managed: found.managed, queued: found.queued, stuck: found.stuck, busy })
  return { managed: found.managed, queued: found.queued }
}

/** Counts a page into what was found, warns of what ends soon, and answers the looks that it needs. */
async function survey(
  ports: Needs,
  page: readonly Listed[],
  found: Found,
  { set, busy }: { readonly set: string | undefined; readonly busy: boolean },
) {
  const looks: { secret: string; delay: number }[] = []
  for (const one of page) {
    const now = ports.clock.now()
    const about = standing(one, now, set)
    found.managed++
    found.stuck += about.stuck ? 1 : 0
    found.days = Math.min(found.days, counted(about))
    found.unseen = Math.max(found.unseen, about.unseen ?? waited(one, now))
    await warn(ports, one.arn, about)
    const urgent = about.days !== undefined && about.days <= URGENT
    if (!about.fresh && (!busy || urgent))
      looks.push({ secret: one.arn, delay: delay(about, found.queued + looks.length) })
  }
  return looks
}

/** Seconds. Each goes when those before it have been served, but what ends soon does not wait for them: a day takes 5, ten 500. */
function delay({ days }: Standing, nth: number): number {
  const turn = Math.floor(nth / SERVED)
  return days === undefined ? turn : Math.min(turn, Math.max(0, days) ** 2 * 5)
}

/** Days as the alarms see them: what lives short and is not late in its renewal counts as far from its end. */
function counted({ days = Infinity, near }: Standing): number {
  return near === true ? days : Math.max(days, URGENT)
}

/**
 * Whole days that a secret has waited for its first look that found all well. Ours from the start counts from when it was made;
 * one that was registered by its tags may be old, and counts from its last change, for tagging it was one.
 */
function waited({ tags, created, changed }: Listed, now: number): number {
  const since = readTags(tags)?.owner === undefined ? (changed ?? created) : (created ?? changed)
  return since === undefined ? 0 : Math.floor((now - since) / DAY)
}

/** What a sweep counts: secrets, days to the nearest end, and days since the look that is longest ago. */
interface Found {
  managed: number
  queued: number
  stuck: number
  days: number
  unseen: number
}

/** Half a list says what is bad, and never that all is well: that would silence an alarm. */
function measure(log: Needs['log'], { stuck, days, unseen }: Found, whole: boolean): void {
  if (whole || stuck > 0) log.count('Stuck', stuck)
  if (whole || unseen >= LONG) log.count('DaysSinceLook', unseen)
  if (days < Infinity && (whole || days < URGENT)) log.count('DaysToExpiry', days)
}

/** One line an hour for what ends soon, and one event at each threshold, told again when nobody noted that it was. */
async function warn(ports: Needs, secret: string, about: Standing): Promise<void> {
  const { days, near, notAfter, version, source, passed } = about
  if (days === undefined || notAfter === undefined || version === undefined || near !== true) return
  ports.log.error('expiry-near', { secret, version, source, days })
  if (passed === undefined) return
  await tell(ports, { kind: 'ExpiryNear', secret, source, version, notAfter, days })
  await noted(ports, secret, { told: { version, days: passed } })
}
