import { again, anew, DAY, due, MOST_ATTEMPTS, WORTHWHILE } from './due.ts'
import { holder, isDeployed } from './labels.ts'
import type { Decision, Issued, Observed } from './observed.ts'
import { DEADLINE, type Progress, progress } from './rollout.ts'
import { POLL, unended } from './slow.ts'
import type { Promoted } from './tags.ts'
import { unissued } from './unissued.ts'
import { isOurs, sameCertificate } from './version.ts'

export type { Decision, Observed, Source } from './observed.ts'

const MINUTE = 60_000
/** ACM's event is expected earlier. */
const RENEWING = 15 * MINUTE
/** A renewal that ACM refused is asked for again after so long. */
const REFUSED = 6 * 60 * MINUTE
/** With such a share of its lifetime left (44 days of 395) it should long have been renewed: ACM itself begins at 60 days. */
const OVERDUE = 1 / 9
/** A deployment that was asked for has begun after so many polls, however long changes are collected. */
const PATIENT = 6
/** ECS shows a deployment that has begun after so long at the latest; what it began itself to go back is older than that. */
const SHOWN = 2 * MINUTE

/**
 * Pure and total: what to do next for one secret. First what is under way in the services, then what its source has.
 * Repeating the step it names ends in `done`, `wait` or `alarm`.
 */
export function decide(observed: Observed, now: number): Decision {
  const underway = rollout(observed, now)
  if (underway !== undefined && underway.step !== 'alarm') return underway
  const next = atOnce(observed, supply(observed, now))
  // a rollout that failed with nothing to go back to must not hold up a newer certificate
  const idle = next.step === 'done' || next.step === 'wait'
  if (underway === undefined || !idle) return next
  return { ...underway, at: Math.min(underway.at ?? Infinity, next.at) }
}

/** What the promotion on record still needs; `undefined` when nothing. Needs no word from the source. */
export function rollout(observed: Observed, now: number): Decision | undefined {
  const { versions, promoted, attempts } = observed
  const current = holder(versions, 'AWSCURRENT')
  if (current === undefined || promoted === undefined) return undefined
  const undoing =
    attempts !== undefined &&
    attempts.at === promoted.at &&
    sameCertificate(attempts.version, promoted.version)
  if (!sameCertificate(promoted.version, current)) {
    // our own way back, cut short after the label moved; anybody else's move is not ours to finish
    const ours = undoing && observed.previous?.version === current
    const reason = 'the way back was cut short'
    return ours ? { step: 'rollback', reason, version: promoted.version, to: current } : undefined
  }
  return judge(observed, promoted, undoing, now)
}

/** What the deployments since a promotion mean. `undoing`: its failure was counted, and the way back begun. */
function judge(
  observed: Observed,
  { version, at: since }: Promoted,
  undoing: boolean,
  now: number,
) {
  const { versions, services, deadline = DEADLINE, asked, hot, waits = 0 } = observed
  const current = holder(versions, 'AWSCURRENT') ?? version
  const found = progress(services, since, now, { deadline, ...(hot === true && { hot: current }) })
  const deployed = isDeployed(versions)
  const failing = found.failed.length > 0 && !deployed
  const to = undoing || failing ? back(observed, now) : undefined
  if (to !== undefined) {
    const reason = undoing ? 'its rollout failed' : `the rollout of ${listed(found)} failed`
    return { step: 'rollback', reason, version: current, to } as const
  }
  if (deployed) return undefined
  const reason = 'the newest deployment is older than the promotion'
  if (found.late.length > 0 && asked !== true)
    return { step: 'roll', reason, services: found.late, since } as const
  if (failing) return stay(found, since, asked === true, now)
  // a deployment that cannot be started must not hold up the next certificate; one that was asked for just now may yet begin
  if (found.late.length > 0 && now >= since + deadline && waits >= PATIENT)
    return {
      step: 'alarm',
      reason: `no deployment of ${found.late.join(' ')} has begun since the promotion: see the function certrelay-roll and the dead letters`,
    } as const
  return proof(found, current, now) ?? missed(observed, found, current)
}

function listed({ failed }: Progress): string {
  return failed.map(({ name }) => name).join(' ')
}

function proof(found: Progress, version: string, now: number) {
  const { late, taking, running, proven, deadline } = found
  if (late.length + running.length > 0) return unended(found, now)
  if (taking.length > 0) {
    const reason = `the tasks of ${taking.join(' ')} take it by themselves`
    return { step: 'wait', reason, at: Math.min(now + MINUTE, deadline) } as const
  }
  if (proven.length === 0 || found.foreign.length > 0) return undefined
  return { step: 'settle', reason: 'every service runs with it', version } as const
}

/** Services that certrelay cannot roll out, while their tasks may run with the certificate before. */
function missed(
  { previous }: Observed,
  { foreign, gone, proven }: Progress,
  version: string,
): Decision | undefined {
  const first = previous === undefined || sameCertificate(previous.version, version)
  if (first && proven.length > 0)
    return { step: 'settle', reason: 'nobody has had another one', version }
  const [theirs, none] = [foreign, gone].map((names) => names.join(' '))
  if (first || (theirs === '' && none === '')) return undefined
  const reason =
    theirs !== ''
      ? `the deployments of ${theirs} are not ECS's own: have them deployed, until then their tasks keep the certificate before`
      : `there is no service ${none}: correct the services of the secret, tasks may be left that have the certificate before`
  return { step: 'alarm', reason }
}

/** The version to go back to, if there is one: the one before, unless that failed as well or ends soon. */
function back({ versions, previous }: Observed, now: number): string | undefined {
  const to = holder(versions, 'AWSPREVIOUS')
  const labels = to === undefined ? [] : (versions.get(to) ?? [])
  const usable =
    previous?.version === to &&
    (previous?.notAfter ?? 0) > now + WORTHWHILE &&
    !['AWSCURRENT', 'ROLLEDBACK', 'REJECTED'].some((one) => labels.includes(one))
  return usable ? to : undefined
}

/** Services fail and there is no way back: they get another deployment now and then, and a person is called all the while. */
function stay(found: Progress, since: number, asked: boolean, now: number): Decision {
  const { failed } = found
  const why = `the rollout of ${listed(found)} failed, and there is no certificate to go back to that lasts`
  const next = failed.map((one) => ({ ...one, at: anew(one.times, one.began, since) ?? Infinity }))
  const ready = next.filter(({ at }) => now >= at)
  if (ready.length > 0 && !asked)
    return {
      step: 'roll',
      reason: `${why}: they are tried again`,
      services: ready.map(({ name }) => name),
      since: now - SHOWN,
    }
  const at = Math.max(now + POLL, Math.min(...next.map((one) => one.at)))
  return {
    step: 'alarm',
    reason: `${why}: see why its tasks do not start`,
    ...(at < Infinity && { at }),
  }
}

/** A source that signs at once is not asked to renew first. */
function atOnce(observed: Observed, next: Decision): Decision {
  if (observed.signs !== true || next.step !== 'renew') return next
  return sign(observed, next.reason)
}

/** A new key and certificate, under the id of a rotation that waits for one. */
function sign(observed: Observed, reason: string): Decision {
  const found = waiting(observed)
  if (found === undefined) return { step: 'sign', reason }
  return 'version' in found ? { step: 'sign', reason, version: found.version } : found
}

/** What to do about the certificate that the source has now. */
function supply(observed: Observed, now: number): Decision {
  const { certificate, versions, checked, promoted } = observed
  if (certificate === undefined) return { step: 'describe', reason: 'its source was not asked yet' }
  if (certificate.status === 'unsigned')
    return sign(observed, 'no version holds a certificate for what is wanted')
  if (certificate.status !== 'issued') return unissued(certificate, now)
  const { version } = certificate
  const labels = versions.get(version)
  if (labels === undefined) return observed.signs === true ? unseen(now) : store(observed, version)
  if (labels.includes('AWSCURRENT')) {
    if (promoted === undefined || !sameCertificate(promoted.version, version))
      return { step: 'mark', reason: 'its promotion is not on record' }
    return current(observed, certificate, now)
  }
  const staged = labels.includes('AWSPENDING')
  const refused = labels.includes('REJECTED')
  if (refused && !staged) return rejected(observed, certificate, now)
  if (labels.includes('ROLLEDBACK')) {
    const held = retry(observed, certificate, now)
    if (held !== undefined) return held
  } else if (!staged || promoted?.version === version) {
    return {
      step: 'alarm',
      reason: 'somebody moved AWSCURRENT away from this certificate: move it back, or renew',
    }
  }
  if (observed.signs === true && now >= due(observed, certificate))
    return sign(observed, 'what was signed last is due itself')
  if (checked?.version !== version) return { step: 'check', reason: 'it is stored but unchecked' }
  return checked.findings.length === 0 && !refused
    ? { step: 'promote', reason: 'it passed the check' }
    : { step: 'reject', reason: checked.findings.map(({ code }) => code).join(' ') || 'again' }
}

/** Secrets Manager may be a while late with what it has. */
function unseen(now: number): Decision {
  return { step: 'wait', reason: 'the version that was stored is not shown yet', at: now + MINUTE }
}

/** Its serial is not stored: under its own id, or under the one that Secrets Manager's rotation waits with. */
function store(observed: Observed, version: string): Decision {
  const found = waiting(observed)
  if (found === undefined)
    return { step: 'export', reason: 'its serial is not stored yet', version }
  if ('step' in found) return found
  return { step: 'export', reason: 'a rotation waits for it', version: found.version }
}

/** The version that Secrets Manager's rotation waits with, or why what is pending is nobody's to fill; `undefined`: nothing is. */
function waiting(observed: Observed): Decision | { readonly version: string } | undefined {
  const { versions, rotating, taken, rotated } = observed
  const pending = holder(versions, 'AWSPENDING')
  const foreign =
    pending !== undefined &&
    !isOurs(pending) &&
    pending !== rotated && // it took a certificate that was renewed again before it was promoted
    versions.get(pending)?.includes('AWSCURRENT') !== true
  if (!foreign) return undefined
  if (rotating === true && taken !== pending) return { version: pending }
  return {
    step: 'alarm',
    reason: `version ${pending} under AWSPENDING is somebody else's: remove that label, then the next certificate is stored`,
  }
}

/** The stored certificate is the current one: renew it when due. */
function current(observed: Observed, certificate: Issued, now: number): Decision {
  const next = renewal(certificate, due(observed, certificate), now)
  if (next !== undefined) return next
  if (observed.unsealed === true)
    return { step: 'reseal', reason: 'it may not be sealed under the keys that are configured' }
  const running = observed.services.some(({ state }) => state === 'active')
  const none = observed.services.length > 0 && !running && !isDeployed(observed.versions)
  return {
    step: 'done',
    reason: none ? 'current; none of its services runs' : 'current and rolled out',
    at: due(observed, certificate),
  }
}

function renewal(certificate: Issued, at: number, now: number): Decision | undefined {
  const { notBefore, notAfter, renewing, refused } = certificate
  if (now < at) return undefined
  const next = now + RENEWING
  if (renewing && now >= notAfter - (notAfter - notBefore) * OVERDUE)
    return {
      step: 'alarm',
      reason:
        "its renewal does not come: see whether its CA is active and lets ACM issue, and ACM's events",
      at: next,
    }
  if (renewing) return { step: 'wait', reason: 'a renewal is under way', at: next }
  if (refused !== undefined && now < refused.at + REFUSED)
    return { step: 'alarm', reason: `ACM could not renew it: ${refused.why}` }
  return { step: 'renew', reason: 'its time has come' }
}

/**
 * These bytes are never tried again; a newer certificate is asked for once a day when the one in use ends soon or is not what
 * is wished for, of short-lived ones within the last third of a life and as often as that allows.
 */
function rejected(observed: Observed, certificate: Issued, now: number): Decision {
  const { notAfter = Infinity } = observed
  const { notBefore, unmet } = certificate
  const life = certificate.notAfter - notBefore
  const next = notBefore + Math.min(DAY, life / 24)
  const soon = unmet === true ? next : Math.max(next, notAfter - Math.min(14 * DAY, life / 3))
  const at = Math.floor(Math.min(due(observed, certificate), soon))
  return (
    renewal(certificate, at, now) ?? {
      step: 'done',
      reason: 'this certificate was rejected: a newer one is awaited',
      at,
    }
  )
}

/** What speaks against trying a certificate again whose rollout failed; `undefined` when it is its turn. */
function retry(observed: Observed, certificate: Issued, now: number): Decision | undefined {
  const { attempts, promoted, notAfter } = observed
  const next = renewal(certificate, due(observed, certificate), now)
  if (next !== undefined) return next
  const own = attempts !== undefined && sameCertificate(attempts.version, certificate.version)
  const failed = own ? attempts.count : 0
  const at = again(failed, promoted?.at ?? 0, notAfter)
  if (at !== undefined && now >= at) return undefined
  if (at !== undefined && failed < MOST_ATTEMPTS)
    return { step: 'wait', reason: `its rollout failed: attempt ${failed + 1} comes later`, at }
  const reason = `its rollout failed ${failed} times: mend the service, then npx certrelay retry`
  return { step: 'alarm', reason, ...(at !== undefined && { at }) }
}
