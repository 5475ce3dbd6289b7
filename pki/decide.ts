import { createHash } from 'node:crypto'
import type { Finding } from './check.ts'

/** The world of one secret, as far as the next step depends on it. Times in epoch milliseconds. */
export interface Observed {
  readonly source: string
  readonly certificate:
    | { readonly status: 'pending' | 'failed' | 'expired' | 'revoked' | 'missing' }
    | {
        readonly status: 'issued'
        readonly notBefore: number
        readonly notAfter: number
        /** Id that a version with this certificate has or would have. */
        readonly version: string
        /** A renewal is under way. */
        readonly renewing: boolean
      }
  /** Version id to staging labels. */
  readonly versions: ReadonlyMap<string, readonly string[]>
  /** What the check said in this run, and of which version. */
  readonly checked?: { readonly version: string; readonly findings: readonly Finding[] }
  readonly renewBefore?: number
  readonly promoted?: { readonly version: string; readonly at: number }
  /** This run promoted the version itself, so that it is the one that rolls it out. */
  readonly mine?: boolean
  readonly services: readonly Running[]
  /** The current version is not known to be sealed under exactly the keys that are configured. */
  readonly unsealed?: boolean
}

/** A service that uses the secret. */
export interface Running {
  readonly name: string
  readonly state: 'active' | 'idle' | 'draining' | 'gone'
  /** When its newest deployment began. */
  readonly deployed?: number
}

/** The one next step, and why. */
export type Decision =
  | {
      readonly step: 'renew' | 'export' | 'check' | 'promote' | 'reject' | 'mark' | 'reseal'
      readonly reason: string
    }
  | { readonly step: 'roll'; readonly reason: string; readonly services: readonly string[] }
  /** Nothing can be done before `at`. */
  | { readonly step: 'wait'; readonly reason: string; readonly at: number }
  /** All is as it should be until `at`. */
  | { readonly step: 'done'; readonly reason: string; readonly at: number }
  /** A person is needed. */
  | { readonly step: 'alarm'; readonly reason: string }

const MINUTE = 60_000
const DAY = 86_400_000
/** As long as one run can take: by then whoever promoted a version has rolled it out, or has died. */
const GRACE = 2 * MINUTE

/** Pure and total: what to do next for one secret. Repeating the step it names ends in `done`, `wait` or `alarm`. */
export function decide(observed: Observed, now: number): Decision {
  const { certificate, versions, checked } = observed
  switch (certificate.status) {
    case 'pending':
      return { step: 'wait', reason: 'the certificate is not issued yet', at: now + MINUTE }
    case 'missing':
      return { step: 'alarm', reason: 'the certificate is gone from its source' }
    case 'failed':
    case 'expired':
    case 'revoked':
      return { step: 'alarm', reason: `the certificate is ${certificate.status}` }
    default:
  }
  const { version } = certificate
  const labels = versions.get(version)
  if (labels === undefined) return { step: 'export', reason: 'its serial is not stored yet' }
  if (labels.includes('AWSCURRENT')) return settled(observed, certificate, now)
  if (labels.includes('REJECTED')) {
    return (
      renewal(observed, certificate, now) ?? {
        step: 'done',
        reason: 'this certificate was rejected: a newer one is awaited',
        at: now + DAY,
      }
    )
  }
  if (!labels.includes('AWSPENDING')) {
    return { step: 'alarm', reason: 'somebody moved AWSCURRENT away from this certificate' }
  }
  if (checked?.version !== version) return { step: 'check', reason: 'it is stored but unchecked' }
  return checked.findings.length === 0
    ? { step: 'promote', reason: 'it passed the check' }
    : { step: 'reject', reason: checked.findings.map(({ code }) => code).join(' ') }
}

type Issued = Extract<Observed['certificate'], { status: 'issued' }>

/** The stored certificate is the current one: see that everybody runs with it, then renew it when due. */
function settled(observed: Observed, certificate: Issued, now: number): Decision {
  const { promoted, services } = observed
  if (promoted?.version !== certificate.version)
    return { step: 'mark', reason: 'its promotion is not on record' }
  const late = services.filter(
    ({ state, deployed }) => state === 'active' && (deployed ?? 0) < promoted.at,
  )
  if (late.length > 0) {
    const turn = promoted.at + GRACE
    if (observed.mine !== true && now < turn)
      return { step: 'wait', reason: 'whoever promoted it rolls it out', at: turn }
    const names = late.map(({ name }) => name)
    return {
      step: 'roll',
      reason: 'the newest deployment is older than the promotion',
      services: names,
    }
  }
  const renew = renewal(observed, certificate, now)
  if (renew === undefined && observed.unsealed === true)
    return { step: 'reseal', reason: 'it may not be sealed under the keys that are configured' }
  return (
    renew ?? {
      step: 'done',
      reason: 'current and rolled out',
      at: due(observed, certificate),
    }
  )
}

function renewal(observed: Observed, certificate: Issued, now: number): Decision | undefined {
  if (now < due(observed, certificate)) return undefined
  if (certificate.renewing)
    return { step: 'wait', reason: 'a renewal is under way', at: now + MINUTE }
  return { step: 'renew', reason: 'its time has come' }
}

/**
 * When a certificate is to be renewed: after two thirds of its lifetime or `renewBefore` days before its end, whichever is
 * earlier, minus a spread by a hash of its source so that a fleet does not renew in one minute. Never in the first third:
 * a certificate that is due as soon as it is issued would be renewed and rolled out for ever.
 */
export function due(
  { source, renewBefore }: Pick<Observed, 'source' | 'renewBefore'>,
  { notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number },
): number {
  const lifetime = notAfter - notBefore
  const share = createHash('sha256').update(source).digest().readUInt32BE(0) / 2 ** 32
  const spread = share * Math.min(lifetime / 20, 3 * DAY)
  const third = notBefore + (lifetime * 2) / 3
  const wanted = renewBefore === undefined ? third : notAfter - renewBefore * DAY
  return Math.floor(Math.max(notBefore + lifetime / 3, Math.min(third, wanted) - spread))
}
