import { type Element, Malformed, TAG } from './der.ts'

/** A moment in a certificate: epoch milliseconds, and whether it is written as RFC 5280 4.1.2.5 wants it for its year. */
export interface Moment {
  readonly at: number
  readonly proper: boolean
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]

/**
 * UTCTime or GeneralizedTime in the one form that RFC 5280 4.1.2.5.1 and 4.1.2.5.2 allow: to the second, in UTC, no fraction.
 *
 * @throws Malformed
 */
export function moment(one: Element | undefined): Moment {
  if (one === undefined) throw new Malformed(0)
  const general = one.tag === TAG.generalizedTime
  if (!general && one.tag !== TAG.utcTime) throw new Malformed(one.start)
  const digits = general ? 14 : 12
  if (one.end - one.body !== digits + 1 || one.bytes[one.end - 1] !== 0x5a)
    throw new Malformed(one.body)
  const from = one.body + digits - 12
  const short = two(one, from)
  const year = general ? two(one, one.body) * 100 + short : short + (short >= 50 ? 1900 : 2000)
  const month = two(one, from + 2)
  const day = two(one, from + 4)
  const hour = two(one, from + 6)
  const minute = two(one, from + 8)
  const second = two(one, from + 10)
  if (day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59)
    throw new Malformed(one.body)
  if (year < 100) throw new Malformed(one.body) // Date.UTC would take it for the last century
  const at = Date.UTC(year, month - 1, day, hour, minute, second)
  return { at, proper: !general || year >= 2050 || year < 1950 }
}

function daysIn(year: number, month: number): number {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0
  return month === 2 && leap ? 29 : (DAYS[month - 1] ?? 0)
}

function two({ bytes }: Element, at: number): number {
  const high = (bytes[at] ?? 0) - 0x30
  const low = (bytes[at + 1] ?? 0) - 0x30
  if (high < 0 || high > 9 || low < 0 || low > 9) throw new Malformed(at)
  return high * 10 + low
}
