import { passed, type Standing, standing } from '../pki/fresh.ts'
import { keySet } from '../pki/sealed.ts'
import type { Ports } from '../ports/index.ts'
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
/** Looks a second that lead to a renewal and an export each: ACM's quotas (aws/rates.ts). */
const SERVED = 5

/**
 * Puts every managed secret on the queue that is not provably fresh, page by page, the nearest end of a certificate first by
 * the delay of its message; measures the fleet; says which certificates end soon.
 */
export async function sweep(ports: Needs): Promise<Swept> {
  const { keeper, queue, keys, clock, log } = ports
  const set = keys === undefined ? undefined : keySet(keys.keys)
  const busy = (await queue.waiting()) >= BUSY
  const found = { managed: 0, queued: 0, stuck: 0, days: Infinity, unseen: 0 }
  for await (const page of keeper.managed()) {
    const looks: { secret: string; delay: number }[] = []
    for (const one of page) {
      const now = clock.now()
      const about = standing(one, now, set)
      found.managed++
      found.stuck += about.stuck ? 1 : 0
      found.days = Math.min(found.days, counted(about))
      found.unseen = Math.max(found.unseen, about.unseen ?? 0)
      await warn(ports, one.arn, about, now)
      const urgent = about.days !== undefined && about.days <= URGENT
      if (!about.fresh && (!busy || urgent))
        looks.push({ secret: one.arn, delay: delay(about, found.queued + looks.length) })
    }
    if (looks.length > 0) await queue.looks(looks)
    found.queued += looks.length
  }
  measure(log, found)
  log.info('swept', { managed: found.managed, queued: found.queued, stuck: found.stuck, busy })
  return { managed: found.managed, queued: found.queued }
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

/** What a sweep counts: secrets, days to the nearest end, and days since the look that is longest ago. */
interface Found extends Swept {
  readonly stuck: number
  readonly days: number
  readonly unseen: number
}

function measure(log: Needs['log'], { managed, queued, stuck, days, unseen }: Found): void {
  log.count('Swept', managed)
  log.count('Queued', queued)
  log.count('Stuck', stuck)
  log.count('DaysSinceLook', unseen)
  if (days < Infinity) log.count('DaysToExpiry', days)
}

/** One line an hour for what ends soon, and one event at each threshold. */
async function warn(
  ports: Needs,
  secret: string,
  { days, near, notBefore, notAfter, version, source }: Standing,
  now: number,
): Promise<void> {
  if (days === undefined || notAfter === undefined || version === undefined || near !== true) return
  ports.log.error('expiry-near', { secret, version, source, days })
  const life = { notAfter, ...(notBefore !== undefined && { notBefore }) }
  if (passed(life, now) === undefined) return
  await tell(ports, { kind: 'ExpiryNear', secret, source, version, notAfter, days })
}
