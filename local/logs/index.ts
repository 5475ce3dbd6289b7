import * as v from 'valibot'
import { browse } from '../cursor.ts'
import { AwsError, type LogLine, operation, type Service, type World } from '../service.ts'
import { text, whole } from '../wire.ts'
import { matcher } from './filter.ts'
import { between, describe, event, type Group, INVALID, type Stream, slice } from './streams.ts'

export interface Logs {
  readonly service: Service
  /** The sink of log lines; groups and streams appear by themselves. */
  log(line: LogLine): void
  /** Every line that is kept, in the order of arrival, also of groups that are gone: a stack that failed took them along. */
  lines(filter?: Partial<Pick<LogLine, 'region' | 'group' | 'stream'>>): readonly LogLine[]
}

const DAY = 86_400_000
/** A stream keeps its newest lines only. */
const MOST = 20_000
const RETENTION = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653]

const logGroupName = v.pipe(text(1, 512), v.regex(/^[.\-_/#A-Za-z0-9]+$/))
const logStreamName = text(1, 512)
const limit = (most: number, usual = most) => v.optional(whole(1, most), usual)
const nextToken = v.optional(v.string())
const range = { startTime: v.optional(v.number(), 0), endTime: v.optional(v.number()) }

/**
 * CloudWatch Logs: what functions and tasks print. Times are epoch milliseconds, on the wire too.
 * https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/
 */
export function logs(world: Pick<World, 'account' | 'clock'>): Logs {
  const { account, clock } = world
  const regions = new Map<string, Map<string, Group>>()
  const removed: Group[] = []
  let count = 0
  const groups = (region: string) => {
    const found = regions.get(region) ?? new Map<string, Group>()
    regions.set(region, found)
    return found
  }
  const find = (region: string, name: string) => {
    const group = groups(region).get(name)
    if (group !== undefined) return group
    throw new AwsError('ResourceNotFoundException', 'The specified log group does not exist.')
  }
  const kept = ({ retention }: Group, { lines }: Stream) => {
    const oldest = retention === undefined ? 0 : clock.now() - retention * DAY
    return lines.filter(({ time }) => time >= oldest)
  }
  const arn = (region: string, name: string) =>
    `arn:aws:logs:${region}:${account}:log-group:${name}`

  return {
    log(line) {
      const all = groups(line.region)
      const made: Group = { name: line.group, created: line.time, streams: new Map() }
      const group = all.get(line.group) ?? made
      all.set(line.group, group)
      const fresh: Stream = { name: line.stream, created: line.time, lines: [] }
      const stream = group.streams.get(line.stream) ?? fresh
      group.streams.set(line.stream, stream)
      stream.lines.push({ ...line, number: count++ })
      if (stream.lines.length > MOST * 1.1) stream.lines.splice(0, stream.lines.length - MOST)
    },
    lines({ region, group, stream } = {}) {
      return [...[...regions.values()].flatMap((all) => [...all.values()]), ...removed]
        .flatMap((one) => [...one.streams.values()].flatMap((each) => kept(one, each)))
        .filter((line) => region === undefined || line.region === region)
        .filter((line) => group === undefined || line.group === group)
        .filter((line) => stream === undefined || line.stream === stream)
        .sort((a, b) => a.number - b.number)
        .map(({ number: _, ...line }) => line)
    },
    service: {
      name: 'logs',
      operations: {
        CreateLogGroup: operation(
          v.object({ logGroupName }),
          ({ logGroupName: name }, { region }) => {
            if (groups(region).has(name)) {
              throw new AwsError(
                'ResourceAlreadyExistsException',
                'The specified log group already exists',
              )
            }
            groups(region).set(name, { name, created: clock.now(), streams: new Map() })
            return {}
          },
          'InvalidParameterException',
        ),
        DeleteLogGroup: operation(v.object({ logGroupName }), (input, { region }) => {
          const group = find(region, input.logGroupName)
          groups(region).delete(group.name)
          removed.push(group)
          return {}
        }),
        PutRetentionPolicy: operation(
          v.object({
            logGroupName,
            retentionInDays: v.pipe(
              v.number(),
              v.check((days) => RETENTION.includes(days)),
            ),
          }),
          (input, { region }) => {
            find(region, input.logGroupName).retention = input.retentionInDays
            return {}
          },
          'InvalidParameterException',
        ),
        DeleteRetentionPolicy: operation(v.object({ logGroupName }), (input, { region }) => {
          find(region, input.logGroupName).retention = undefined
          return {}
        }),
        DescribeLogGroups: operation(
          v.object({
            logGroupNamePrefix: v.optional(text(1, 512)),
            limit: limit(50),
            nextToken,
          }),
          ({ logGroupNamePrefix, limit: size, nextToken: token }, { region }) => {
            const found = [...groups(region).values()].filter(({ name }) =>
              name.startsWith(logGroupNamePrefix ?? ''),
            )
            const { items, next } = browse(found, ({ name }) => name, { size, token }, INVALID)
            return {
              logGroups: items.map((group) => ({
                logGroupName: group.name,
                creationTime: group.created,
                retentionInDays: group.retention,
                arn: `${arn(region, group.name)}:*`,
                logGroupArn: arn(region, group.name),
                storedBytes: 0,
              })),
              nextToken: next,
            }
          },
          INVALID,
        ),
        DescribeLogStreams: operation(
          v.object({
            logGroupName,
            logStreamNamePrefix: v.optional(logStreamName),
            orderBy: v.optional(v.picklist(['LogStreamName', 'LastEventTime']), 'LogStreamName'),
            descending: v.optional(v.boolean(), false),
            limit: limit(50),
            nextToken,
          }),
          (input, { region }) => {
            const group = find(region, input.logGroupName)
            const found = [...group.streams.values()].filter(({ name }) =>
              name.startsWith(input.logStreamNamePrefix ?? ''),
            )
            const { items, next } = browse(
              found,
              ({ name, lines }) =>
                input.orderBy === 'LogStreamName'
                  ? name
                  : `${String(lines.at(-1)?.time ?? 0).padStart(16, '0')} ${name}`,
              { size: input.limit, token: input.nextToken, backwards: input.descending },
              INVALID,
            )
            return {
              logStreams: items.map((stream) => describe(stream, arn(region, group.name))),
              nextToken: next,
            }
          },
          INVALID,
        ),
        GetLogEvents: operation(
          v.object({
            logGroupName,
            logStreamName,
            ...range,
            nextToken,
            limit: limit(10_000),
            startFromHead: v.optional(v.boolean(), false),
          }),
          (input, { region }) => {
            const group = find(region, input.logGroupName)
            const stream = group.streams.get(input.logStreamName)
            if (stream === undefined) {
              throw new AwsError(
                'ResourceNotFoundException',
                'The specified log stream does not exist.',
              )
            }
            const all = kept(group, stream).filter(between(input))
            const { from, to } = slice(all, input)
            return {
              events: all.slice(from, to).map(event),
              nextForwardToken: `f/${all[to - 1]?.number ?? input.nextToken?.slice(2) ?? -1}`,
              nextBackwardToken: `b/${all[from]?.number ?? input.nextToken?.slice(2) ?? count}`,
            }
          },
          INVALID,
        ),
        FilterLogEvents: operation(
          v.object({
            logGroupName,
            logStreamNames: v.optional(v.pipe(v.array(logStreamName), v.maxLength(100))),
            logStreamNamePrefix: v.optional(logStreamName),
            ...range,
            filterPattern: v.optional(text(0, 1024), ''),
            nextToken,
            limit: limit(10_000),
          }),
          (input, { region }) => {
            const group = find(region, input.logGroupName)
            const matches = matcher(input.filterPattern)
            const found = [...group.streams.values()]
              .filter(({ name }) => input.logStreamNames?.includes(name) ?? true)
              .filter(({ name }) => name.startsWith(input.logStreamNamePrefix ?? ''))
              .flatMap((stream) => kept(group, stream))
              .filter(between(input))
              .filter(({ message }) => matches(message))
            const { items, next } = browse(
              found,
              ({ time, number }) =>
                `${String(time).padStart(16, '0')} ${String(number).padStart(12, '0')}`,
              { size: input.limit, token: input.nextToken },
              INVALID,
            )
            return {
              events: items.map((line) => ({
                ...event(line),
                logStreamName: line.stream,
                eventId: String(line.number).padStart(56, '0'),
              })),
              searchedLogStreams: [],
              nextToken: next,
            }
          },
          INVALID,
        ),
      },
      subject(_operation, input, { region }) {
        const name = input['logGroupName']
        return { arn: typeof name === 'string' ? `${arn(region, name)}:*` : '*' }
      },
    },
  }
}
