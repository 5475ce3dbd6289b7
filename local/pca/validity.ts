import * as v from 'valibot'
import { AwsError } from '../service.ts'

/** https://docs.aws.amazon.com/privateca/latest/APIReference/API_Validity.html */
export const validity = v.object({
  Type: v.picklist(['END_DATE', 'ABSOLUTE', 'DAYS', 'MONTHS', 'YEARS']),
  Value: v.pipe(v.number(), v.integer(), v.minValue(1)),
})
export type Validity = v.InferOutput<typeof validity>

const BACKDATED = 60 * 60_000

/**
 * The validity period of a certificate, in epoch milliseconds: it begins an hour ago unless asked otherwise,
 * and relative ends count from now.
 * @throws AwsError ValidationException
 */
export function span(
  until: Validity,
  from: Validity | undefined,
  now: number,
): { readonly notBefore: number; readonly notAfter: number } {
  if (from !== undefined && from.Type !== 'ABSOLUTE') {
    throw invalid(`ValidityNotBefore must be of type ABSOLUTE, not ${from.Type}.`)
  }
  const notBefore = from === undefined ? now - BACKDATED : from.Value * 1000
  const notAfter = end(until, now)
  if (!(notAfter > now && notAfter > notBefore && notAfter < LAST)) {
    throw invalid('The certificate validity specified does not end in the future.')
  }
  return { notBefore, notAfter }
}

/** The last second that GeneralizedTime can name, plus one. */
const LAST = Date.UTC(10_000, 0, 1)

function end({ Type, Value }: Validity, now: number): number {
  if (Type === 'ABSOLUTE') return Value * 1000
  if (Type === 'DAYS') return now + Value * 86_400_000
  if (Type === 'MONTHS') return addMonths(now, Value)
  if (Type === 'YEARS') return addMonths(now, Value * 12)
  return endDate(Value)
}

/** Calendar months; the last day of a shorter month stands in for a day it does not have. */
function addMonths(now: number, months: number): number {
  const date = new Date(now)
  const day = date.getUTCDate()
  date.setUTCMonth(date.getUTCMonth() + months)
  if (date.getUTCDate() !== day) date.setUTCDate(0)
  return date.getTime()
}

/** UTCTime (YYMMDDHHMMSS, RFC 5280 4.1.2.5.1) or GeneralizedTime (YYYYMMDDHHMMSS) written as a number. */
function endDate(value: number): number {
  const digits = value < 1e12 ? String(value).padStart(12, '0') : String(value)
  const short = digits.length === 12
  const [year = 0, month = 0, ...rest] = [
    Number(digits.slice(0, -10)),
    ...(digits.slice(-10).match(/../g) ?? []).map(Number),
  ]
  const full = short ? year + (year >= 50 ? 1900 : 2000) : year
  const time = Date.UTC(full, month - 1, ...rest)
  const written = Number.isNaN(time) ? '' : new Date(time).toISOString().replace(/\D/g, '')
  if (written.slice(0, 14).endsWith(digits)) return time
  throw invalid('END_DATE is not a date as UTCTime or GeneralizedTime writes it.')
}

function invalid(message: string): AwsError {
  return new AwsError('ValidationException', message)
}
