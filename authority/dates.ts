import type { Certificate } from '../pki/certificate.ts'
import type { Profile } from './policy.ts'
import { Refused, type SigningRequest } from './request.ts'

/** From when to when a certificate is valid; epoch milliseconds of whole seconds. */
export interface Validity {
  readonly notBefore: number
  readonly notAfter: number
  /** Whether the issuer's validity cut it. */
  readonly clamped: boolean
}

const MINUTE = 60_000
/** Years that certificates can write: 1950 until the last second of 9999 (RFC 5280 4.1.2.5). */
const FIRST = Date.UTC(1950, 0, 1)
const LAST = Date.UTC(10_000, 0, 1) - 1_000

/** When, and below whom; a root has no issuer that could cut its dates. */
export interface Moment {
  readonly issuer: { readonly certificate: Pick<Certificate, 'notBefore' | 'notAfter'> } | undefined
  readonly now: number
}

/**
 * CFSSL's dates (signer.go, FillTemplate): fixed ones of the profile, or now to the minute less the backdate and from there
 * the expiry; a request's dates count inside them, and outside where the profile lets them. Then the issuer's validity cuts.
 *
 * @throws Refused validity-refused
 */
export function validity(
  profile: Profile,
  request: Pick<SigningRequest, 'notBefore' | 'notAfter'>,
  { issuer, now }: Moment,
): Validity {
  const given = standard(profile, now)
  const asked = {
    notBefore: second(request.notBefore ?? given.notBefore),
    notAfter: second(request.notAfter ?? end(profile, request.notBefore ?? given.notBefore)),
  }
  if (!profile.clientDates) within(asked, given)
  const cut = profile.allowances?.outliveIssuer === true ? asked : inside(asked, issuer)
  const clamped = cut.notBefore !== asked.notBefore || cut.notAfter !== asked.notAfter
  if (cut.notAfter < cut.notBefore) throw refused(cut === asked ? ENDS_BEFORE : OUTSIDE)
  return profile.canary ? { ...never(cut), clamped } : { ...cut, clamped }
}

function inside(asked: Omit<Validity, 'clamped'>, issuer: Moment['issuer']) {
  if (issuer === undefined) return asked
  const { notBefore, notAfter } = issuer.certificate
  return {
    notBefore: Math.max(asked.notBefore, notBefore.at),
    notAfter: Math.min(asked.notAfter, notAfter.at),
  }
}

const ENDS_BEFORE = 'the certificate would end before it begins'
const OUTSIDE = 'the certificate would lie outside the validity of its issuer'

function standard(profile: Profile, now: number) {
  const notBefore = profile.notBefore ?? Math.round(now / MINUTE) * MINUTE - profile.backdate
  return { notBefore: second(notBefore), notAfter: second(end(profile, notBefore)) }
}

function end({ notAfter, expiry }: Profile, notBefore: number): number {
  return notAfter ?? notBefore + expiry
}

/** A client may ask for less than the profile gives. */
function within(asked: Omit<Validity, 'clamped'>, given: Omit<Validity, 'clamped'>): void {
  if (asked.notBefore < given.notBefore || asked.notAfter > given.notAfter)
    throw refused(
      'the dates of the request go beyond what the profile gives: ask for less, or let the profile allow client dates',
    )
}

function second(at: number): number {
  if (!(at >= FIRST && at <= LAST)) throw refused('a date lies outside 1950 to 9999')
  return Math.floor(at / 1_000) * 1_000
}

/** It ends a second before it begins: no moment lies in it. */
function never({ notBefore }: Omit<Validity, 'clamped'>) {
  return { notBefore, notAfter: notBefore - 1_000 }
}

function refused(why: string): Refused {
  return new Refused('validity-refused', why)
}
