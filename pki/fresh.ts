import { DAY, due, MOST_ATTEMPTS, NEAR, share } from './due.ts'
import { holder, isDeployed, type Versions } from './labels.ts'
import { type Previous, type Registration, readTags } from './tags.ts'
import { sameCertificate } from './version.ts'

/** What a list shows of a secret: no call is made for it. */
interface Shown {
  readonly arn: string
  readonly tags: Readonly<Record<string, string>>
  readonly versions: Versions
}

/** How a secret stands, as far as its tags and labels tell. */
export interface Standing {
  /** Provably as it should be: it needs no look now. */
  readonly fresh: boolean
  /** In one state for longer than it should: a rollout that does not end, a certificate whose rollout failed too often. */
  readonly stuck: boolean
  /** Whole days until the certificate in use ends, 0 on the last, below when it is over: that of the tasks until all have a newer one. */
  readonly days?: number
  /** It ends so soon that somebody should know: within 14 days, or within a sixth of a lifetime that is shorter than 84. */
  readonly near?: boolean
  readonly notBefore?: number
  readonly notAfter?: number
  /** Whole days since a look found everything as it should be. */
  readonly unseen?: number
  /** Version in use. */
  readonly version?: string
  /** The threshold before its end that has been passed and that nobody was told of, days (`NEAR` of due.ts). */
  readonly passed?: number
  readonly source: string
}

const HOUR = 3_600_000
/** A rollout that takes longer is worth a person's look. */
const SLOW = 2 * HOUR
/** Every secret is looked at so often, give or take a share by its name, however fresh it seems: events get lost. */
const OFTEN = 20 * HOUR
const SPREAD = 4 * HOUR

/**
 * Reads from tags and labels how a secret stands.
 *
 * @param set short name of the set of keys that passphrases are to be sealed under; absent without keys
 */
export function standing({ arn, tags, versions }: Shown, now: number, set?: string): Standing {
  const registration = readTags(tags)
  const version = holder(versions, 'AWSCURRENT')
  if (registration === undefined || version === undefined)
    return { fresh: false, stuck: false, source: registration?.source ?? '' }
  const { source, looked } = registration
  const used = inUse(registration, versions, version)
  const { notBefore, notAfter } = used
  const threshold = untold(registration, used, now)
  const seen = looked !== undefined && now - looked < OFTEN + share(arn) * SPREAD
  return {
    fresh: seen && isQuiet({ registration, versions, version }, now, set),
    stuck: isStuck(registration, versions, version, now),
    source,
    version: used.version,
    ...(notAfter !== undefined && {
      notAfter,
      days: Math.floor((notAfter - now) / DAY),
      near: isNear(notBefore, notAfter, now),
    }),
    ...(notBefore !== undefined && { notBefore }),
    ...(threshold !== undefined && { passed: threshold }),
    ...(looked !== undefined && { unseen: Math.floor((now - looked) / DAY) }),
  }
}

/**
 * The certificate whose end counts. Somebody may have moved AWSCURRENT back by hand: then it is the one before. And tasks go on
 * with that one until all services have proved the new one, or a look found that none of them runs.
 */
function inUse(registration: Registration, versions: Versions, version: string): Previous {
  const { promoted, previous, services, looked = 0, notBefore, notAfter } = registration
  const own = {
    version,
    ...(notBefore !== undefined && { notBefore }),
    ...(notAfter !== undefined && { notAfter }),
  }
  if (promoted === undefined || previous === undefined) return own
  if (!sameCertificate(promoted.version, version))
    return previous.version === version ? previous : own
  const open = services.length > 0 && !isDeployed(versions) && looked < promoted.at
  return open && (previous.notAfter ?? Infinity) < (notAfter ?? Infinity) ? previous : own
}

/** Nothing is under way and nothing is due, as far as tags and labels tell: only its source may have something newer. */
export function quiet({ tags, versions }: Omit<Shown, 'arn'>, now: number, set?: string): boolean {
  const registration = readTags(tags)
  const version = holder(versions, 'AWSCURRENT')
  if (registration === undefined || version === undefined) return false
  return isQuiet({ registration, versions, version }, now, set)
}

interface Read {
  readonly registration: Registration
  readonly versions: Versions
  /** In use. */
  readonly version: string
}

function isQuiet({ registration, versions, version }: Read, now: number, set?: string): boolean {
  return (
    !isCalled(registration) &&
    isSettled(registration, versions, version) &&
    !isDue(registration, now, version, set)
  )
}

/** Whether a person is needed: no look since has found everything as it should be. */
export function isCalled({ attention, looked = 0 }: Registration): boolean {
  return attention !== undefined && attention >= looked
}

/** Whether the passphrase of a version is on record as sealed under a set of keys (`keySet` of sealed.ts). */
export function isSealed(sealed: Registration['sealed'], version: string, set: string): boolean {
  return sealed?.version === version && sealed.set === set
}

function isSettled(
  { services, promoted }: Registration,
  versions: Versions,
  version: string,
): boolean {
  const own = promoted !== undefined && sameCertificate(promoted.version, version)
  const proven = services.length === 0 || isDeployed(versions)
  const pending = holder(versions, 'AWSPENDING')
  return (
    own &&
    proven &&
    takenBack(versions) === undefined &&
    (pending === undefined || pending === version)
  )
}

/** The version that AWSCURRENT came back from, to be tried again. Of an older failure or a rejection only the label is left. */
function takenBack(versions: Shown['versions']): string | undefined {
  const version = holder(versions, 'ROLLEDBACK')
  return versions.get(version ?? '')?.includes('AWSPREVIOUS') ? version : undefined
}

function isDue(registration: Registration, now: number, version: string, set?: string): boolean {
  const { notBefore, notAfter, sealed } = registration
  if (notBefore === undefined || notAfter === undefined) return true
  if (set !== undefined && !isSealed(sealed, version, set)) return true
  return now >= due(registration, { notBefore, notAfter })
}

function isStuck(
  { services, promoted, attempts, looked = 0 }: Registration,
  versions: Versions,
  version: string,
  now: number,
): boolean {
  const undone = takenBack(versions)
  if (undone !== undefined && undone !== version && attempts !== undefined)
    return attempts.count >= MOST_ATTEMPTS && sameCertificate(attempts.version, undone)
  if (promoted === undefined || services.length === 0) return false
  return !isDeployed(versions) && now - promoted.at > SLOW && looked < promoted.at
}

/** Days. Where a whole lifetime is shorter the thresholds shrink with it: 24 hours have them at 4 hours, 2 hours, 51 and 17 minutes. */
const LONG = 84

/** The threshold that was passed last, when nobody was told of it, or of one after it. */
function untold({ told }: Registration, used: Previous, now: number): number | undefined {
  const { version, notBefore, notAfter } = used
  if (notAfter === undefined) return undefined
  const part = scale(notBefore, notAfter)
  const last = NEAR.findLast((days) => notAfter - days * DAY * part <= now)
  const done = told !== undefined && sameCertificate(told.version, version) ? told.days : Infinity
  return last !== undefined && last < done ? last : undefined
}

/** The share of the usual thresholds; of a certificate whose beginning is unknown the whole. */
function scale(notBefore: number | undefined, notAfter: number): number {
  return notBefore === undefined ? 1 : Math.min(1, (notAfter - notBefore) / (LONG * DAY))
}

function isNear(notBefore: number | undefined, notAfter: number, now: number): boolean {
  return Math.floor((notAfter - now) / (DAY * scale(notBefore, notAfter))) <= NEAR[0]
}
