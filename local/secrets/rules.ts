import * as v from 'valibot'
import { type Schedule, schedule } from '../events/schedule.ts'
import { AwsError } from '../service.ts'
import { text, whole } from '../wire.ts'

/** RotationRules on the wire. */
export const rules = v.object({
  AutomaticallyAfterDays: v.optional(whole(1, 1_000)),
  Duration: v.optional(v.pipe(v.string(), v.regex(/^[1-9]\d?h$/))),
  ScheduleExpression: v.optional(text(1, 256)),
})
export type Rules = v.InferOutput<typeof rules>

/** When a rotation may run, in epoch milliseconds: it runs as soon as the window opens. */
export interface Window {
  readonly opens: number
  readonly closes: number
}

const HOUR = 3_600_000
const DAY = 24 * HOUR
/** The shortest period between rotations, in hours. */
const SHORTEST = 4

/**
 * The first window strictly after a time (epoch milliseconds); rates count from `since`. Windows of days open at
 * midnight UTC and close at the next one, those of hours after an hour, unless a duration is given.
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
 * @throws AwsError InvalidParameterException
 */
export function windows(given: Rules, since: number): (time: number) => Window | undefined {
  const { AutomaticallyAfterDays: days, ScheduleExpression: expression, Duration } = given
  if (days !== undefined && expression !== undefined) {
    throw invalid('You can only specify one of AutomaticallyAfterDays and ScheduleExpression.')
  }
  const next = days === undefined ? timetable(expression, since) : every(days)
  const hours = expression?.split(/\s+/)[1] ?? ''
  const hourly = hours.startsWith('hour') || hours.includes('/')
  const length = Duration === undefined ? undefined : Number.parseInt(Duration, 10) * HOUR
  return (time) => {
    const opens = next(time)
    if (opens === undefined) return undefined
    const end = hourly ? opens + HOUR : midnight(opens) + DAY
    return { opens, closes: length === undefined ? end : opens + length }
  }
}

const midnight = (time: number) => Math.floor(time / DAY) * DAY
const every =
  (days: number): Schedule =>
  (time) =>
    midnight(time) + days * DAY

function timetable(expression: string | undefined, since: number): Schedule {
  if (expression === undefined) return () => undefined
  const [, digits = '', unit = ''] = /^rate\((\d+) (\w+?)s?\)$/.exec(expression) ?? []
  const [minute, , , , , year] = expression.replace(/^cron\(|\)$/g, '').split(/\s+/)
  const rated = unit === 'day' || (unit === 'hour' && Number(digits) >= SHORTEST)
  const listed = expression.startsWith('cron(') && minute === '0' && year === '*'
  if (!rated && !listed) throw invalid('Invalid ScheduleExpression.')
  try {
    // `/8` is how Secrets Manager writes `*/8`
    return schedule(expression.replaceAll(' /', ' */'), unit === 'day' ? midnight(since) : since)
  } catch (error) {
    if (error instanceof AwsError) throw invalid('Invalid ScheduleExpression.')
    throw error
  }
}

const invalid = (message: string) => new AwsError('InvalidParameterException', message)
