import { AwsError } from '../service.ts'

/** The next time of a schedule strictly after `time`, both in epoch milliseconds; `undefined` when there is none. */
export type Schedule = (time: number) => number | undefined

const MINUTE = 60_000
const DAY = 86_400_000
const UNITS: Readonly<Record<string, number>> = { minute: MINUTE, hour: 60 * MINUTE, day: DAY }

/**
 * Reads `rate(…)`, counted from `start` (epoch milliseconds), or `cron(…)` in UTC.
 * https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
 * @throws AwsError ValidationException.
 */
export function schedule(expression: string, start: number): Schedule {
  const rate = /^rate\((\d+) (minute|hour|day)(s?)\)$/.exec(expression)
  if (rate !== null) {
    const [, digits = '', unit = '', plural] = rate
    const value = Number(digits)
    if (value < 1 || (value === 1) === (plural === 's')) throw invalid()
    const period = value * (UNITS[unit] ?? MINUTE)
    return (time) => start + (Math.floor((time - start) / period) + 1) * period
  }
  const cron = /^cron\((.+)\)$/.exec(expression)
  if (cron === null) throw invalid()
  return calendar((cron[1] ?? '').trim().split(/\s+/))
}

type Field = (value: number) => boolean
type DayField = (date: Date) => boolean

const MONTHS = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ')
const WEEK = 'SUN MON TUE WED THU FRI SAT'.split(' ')

/** Minutes, hours, day of month, month, day of week, year. */
function calendar(fields: readonly string[]): Schedule {
  const [minutes, hours, day, month, weekday, year] = fields
  if (fields.length !== 6 || !minutes || !hours || !day || !month || !weekday || !year) {
    throw invalid()
  }
  if ((day === '?') === (weekday === '?')) throw invalid()
  const months = field(month, 1, 12, MONTHS, 1)
  const years = field(year, 1970, 2199)
  const days = day === '?' ? ofWeek(weekday) : ofMonth(day)
  const times = product(field(hours, 0, 23), field(minutes, 0, 59))
  const today = (date: Date) =>
    years(date.getUTCFullYear()) && months(date.getUTCMonth() + 1) && days(date)
  return (time) => {
    const first = Math.floor(time / DAY) * DAY
    for (let at = first; at < first + 8 * 366 * DAY; at += DAY) {
      if (!today(new Date(at))) continue
      const found = times.find((offset) => at + offset > time)
      if (found !== undefined) return at + found
    }
    return undefined
  }
}

/** All times of a day, in milliseconds after midnight, in order. */
function product(hours: Field, minutes: Field): readonly number[] {
  return Array.from({ length: 24 * 60 }, (_, index) => index)
    .filter((index) => hours(Math.floor(index / 60)) && minutes(index % 60))
    .map((index) => index * MINUTE)
}

/** Lists, ranges, steps and names. `base` is the number of the first name. */
function field(
  text: string,
  low: number,
  high: number,
  names: readonly string[] = [],
  base = 0,
): Field {
  const number = (part: string): number => {
    const named = names.indexOf(part.toUpperCase())
    const value = named >= 0 ? named + base : /^\d+$/.test(part) ? Number(part) : Number.NaN
    if (!(value >= low && value <= high)) throw invalid()
    return value
  }
  const parts = text.split(',').map((part): Field => {
    const [range = '', step, ...rest] = part.split('/')
    const [from = '', to, ...more] = range.split('-')
    if (rest.length > 0 || more.length > 0) throw invalid()
    if (step !== undefined && !/^[1-9]\d*$/.test(step)) throw invalid()
    const first = from === '*' ? low : number(from)
    const last = to !== undefined ? number(to) : from === '*' || step !== undefined ? high : first
    if (last < first) throw invalid()
    const by = Number(step ?? 1)
    return (value) => value >= first && value <= last && (value - first) % by === 0
  })
  return (value) => parts.some((part) => part(value))
}

/** `L` is the last day, `15W` the weekday nearest to the 15th in the same month. */
function ofMonth(text: string): DayField {
  if (text === 'L') return (date) => date.getUTCDate() === lengthOf(date)
  const near = /^(\d{1,2})W$/.exec(text)
  if (near !== null) {
    const wanted = Number(near[1])
    if (wanted < 1 || wanted > 31) throw invalid()
    return (date) => wanted <= lengthOf(date) && date.getUTCDate() === nearest(date, wanted)
  }
  const days = field(text, 1, 31)
  return (date) => days(date.getUTCDate())
}

/** `1` is Sunday, `6L` the last Friday, `3#2` the second Tuesday, `L` Saturday. */
function ofWeek(text: string): DayField {
  const last = /^(\w+)L$/.exec(text)
  const nth = /^(\w+)#([1-5])$/.exec(text)
  const days = field(last?.[1] ?? nth?.[1] ?? (text === 'L' ? '7' : text), 1, 7, WEEK, 1)
  return (date) => {
    if (!days(date.getUTCDay() + 1)) return false
    if (last !== null) return date.getUTCDate() + 7 > lengthOf(date)
    return nth === null || Math.ceil(date.getUTCDate() / 7) === Number(nth[2])
  }
}

function nearest(date: Date, wanted: number): number {
  const weekday = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), wanted)).getUTCDay()
  if (weekday === 6) return wanted === 1 ? 3 : wanted - 1
  if (weekday === 0) return wanted === lengthOf(date) ? wanted - 2 : wanted + 1
  return wanted
}

const lengthOf = (date: Date) =>
  new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
const invalid = () =>
  new AwsError('ValidationException', 'Parameter ScheduleExpression is not valid.')
