import { AwsError, type LogLine } from '../service.ts'

/** A log group of one region. */
export interface Group {
  readonly name: string
  /** Epoch milliseconds. */
  readonly created: number
  readonly streams: Map<string, Stream>
  retention?: number | undefined
}
/** A log stream, its lines in the order of arrival. */
export interface Stream {
  readonly name: string
  readonly created: number
  readonly lines: Numbered[]
}
/** A line with its place in the order of arrival. */
export interface Numbered extends LogLine {
  readonly number: number
}

/** What CloudWatch Logs calls input that it does not accept. */
export const INVALID = 'InvalidParameterException'

/** Whether a line lies between two times, the end excluded. */
export function between({
  startTime,
  endTime,
}: {
  startTime: number
  endTime?: number | undefined
}) {
  return ({ time }: LogLine) => time >= startTime && time < (endTime ?? Number.POSITIVE_INFINITY)
}

/** Which lines a page holds: after a forward token, before a backward one, else the newest or the oldest. */
export function slice(
  all: readonly Numbered[],
  asked: { nextToken?: string | undefined; limit: number; startFromHead: boolean },
): { from: number; to: number } {
  const { nextToken: token, limit: size } = asked
  const [, direction, place] = /^([fb])\/(-?\d+)$/.exec(token ?? '') ?? []
  if (token !== undefined && direction === undefined) {
    throw new AwsError(INVALID, 'The specified nextToken is invalid.')
  }
  const first = (condition: (line: Numbered) => boolean) => {
    const index = all.findIndex(condition)
    return index < 0 ? all.length : index
  }
  if (direction === 'f' || (direction === undefined && asked.startFromHead)) {
    const from = direction === 'f' ? first(({ number }) => number > Number(place)) : 0
    return { from, to: Math.min(all.length, from + size) }
  }
  const to = direction === 'b' ? first(({ number }) => number >= Number(place)) : all.length
  return { from: Math.max(0, to - size), to }
}

/** A line as the API answers it. */
export function event({ time, message }: LogLine) {
  return { timestamp: time, ingestionTime: time, message }
}

/** A stream as the API answers it; `group` is its group's ARN. */
export function describe({ name, created, lines }: Stream, group: string) {
  return {
    logStreamName: name,
    creationTime: created,
    firstEventTimestamp: lines[0]?.time,
    lastEventTimestamp: lines.at(-1)?.time,
    lastIngestionTime: lines.at(-1)?.time,
    arn: `${group}:log-stream:${name}`,
    storedBytes: 0,
  }
}
