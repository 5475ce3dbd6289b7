import { parseArgs } from 'node:util'
import { CloudTrailClient, paginateLookupEvents } from '@aws-sdk/client-cloudtrail'
import {
  CloudWatchLogsClient,
  DescribeLogGroupsCommand,
  paginateFilterLogEvents,
} from '@aws-sdk/client-cloudwatch-logs'
import { ECSClient } from '@aws-sdk/client-ecs'
import { LambdaClient } from '@aws-sdk/client-lambda'
import {
  DescribeSecretCommand,
  SecretsManagerClient,
  type Tag,
} from '@aws-sdk/client-secrets-manager'
import { keyRegion } from '../pki/sealed.ts'
import { readTags } from '../pki/tags.ts'
import { type Group, groupsOf } from './groups.ts'
import { installed } from './installed.ts'
import { type AuditLine, auditLine, join, type TrailEvent, trailEvent, type Use } from './join.ts'

const HOUR = 3_600_000

/**
 * `certrelay audit --secret NAME`: every use of a key for a secret, as the audit lines and CloudTrail tell it, joined.
 * @returns 1 when one side knows a use of which the other does not
 */
export async function audit(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      secret: { type: 'string' },
      group: { type: 'string', multiple: true },
      hours: { type: 'string', default: '24' },
      json: { type: 'boolean' },
    },
  })
  const { secret: name, group = [], hours, json = false } = values
  if (name === undefined) throw new Error('name the secret: certrelay audit --secret NAME')
  if (!/^[1-9]\d{0,3}$/.test(hours)) throw new Error('--hours is a whole number of hours, like 24')
  const since = Date.now() - Number(hours) * HOUR
  const { ARN = '', Tags = [] } = await new SecretsManagerClient().send(
    new DescribeSecretCommand({ SecretId: name }),
  )
  const { keys, former } = await installed(new LambdaClient())
  const groups = await places(Tags, group)
  const lines = await auditLines(ARN, groups, since)
  const used = lines.flatMap(({ attempts }) => attempts.map(({ region }) => region))
  const regions = new Set([...[...keys, ...former].map(keyRegion), ...used])
  const events = await Promise.all([...regions].map((region) => trail(region, ARN, since)))
  const uses = join(lines, events.flat())
  process.stdout.write(json ? uses.map((use) => `${JSON.stringify(use)}\n`).join('') : list(uses))
  const odd = uses.filter((use) => use.join === 'no-line' || use.join === 'no-event').length
  say(
    `${uses.length} uses of keys for ${ARN}, ${odd} known to one side only${odd > 0 ? HINT : ''}`,
    `read ${groups.map((one) => one.name).join(', ')}; CloudTrail of ${[...regions].join(', ')}`,
  )
  return odd === 0 ? 0 : 1
}

const HINT =
  '\n  no-event: CloudTrail takes up to 15 minutes, look again; no-line: not by certrelay, or its log group is none of these: give it with --group'

function say(...lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`certrelay: ${line}\n`)
}

const COLUMNS = {
  when: 'when',
  action: 'action',
  outcome: 'outcome',
  join: 'join',
  region: 'region',
  lane: 'lane',
  key: 'key',
  who: 'who',
  trace: 'trace',
  kmsRequestId: 'request',
} as const satisfies Partial<Record<keyof Use, string>>

/** A table for a person, its heading first; empty when there is nothing to tell. */
function list(uses: readonly Use[]): string {
  if (uses.length === 0) return ''
  const cells = (one: Readonly<Record<keyof typeof COLUMNS, string>>) => [
    ...[one.when, one.action, one.outcome, one.join, one.region, one.lane, one.key],
    ...[one.who, one.trace, one.kmsRequestId],
  ]
  const rows = [cells(COLUMNS), ...uses.map(cells)].map((row) => row.map((cell) => cell || '-'))
  const widths = cells(COLUMNS).map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
  return rows
    .map((row) => `${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')}`)
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}

/** Where audit lines are: the functions' log groups, those that are given, and those of the services that the secret names. */
async function places(tags: readonly Tag[], given: readonly string[]): Promise<Group[]> {
  const logs = new CloudWatchLogsClient()
  const region = await logs.config.region()
  const prefix = { logGroupNamePrefix: '/aws/lambda/certrelay-' }
  const { logGroups = [] } = await logs.send(new DescribeLogGroupsCommand(prefix))
  const own = logGroups.flatMap(({ logGroupName: name }) => name ?? [])
  const pairs = tags.map(({ Key = '', Value = '' }) => [Key, Value] as const)
  const { services = [] } = readTags(Object.fromEntries(pairs)) ?? {}
  const sidecars = await groupsOf(new ECSClient(), services).catch((error: unknown) => {
    const names = services.join(', ')
    say(`cannot look up where ${names} log (${nameOf(error)}): give their log groups with --group`)
    return []
  })
  const known = [...own, ...given].map((name): Group => ({ name, region }))
  const all = [...known, ...sidecars]
  return [...Map.groupBy(all, (one) => `${one.region} ${one.name}`).values()].flatMap(
    ([first]) => first ?? [],
  )
}

/** Audit lines about a secret. A group that a task definition names may not be there yet. */
async function auditLines(
  secret: string,
  groups: readonly Group[],
  since: number,
): Promise<AuditLine[]> {
  const lines: AuditLine[] = []
  for (const { name: logGroupName, region, optional } of groups) {
    const logs = new CloudWatchLogsClient({ region })
    const filterPattern = `"audit" "${secret}"`
    const wanted = { logGroupName, startTime: since, filterPattern }
    try {
      for await (const { events = [] } of paginateFilterLogEvents({ client: logs }, wanted)) {
        for (const { message = '' } of events) {
          const line = auditLine(message)
          if (line?.secret === secret) lines.push(line)
        }
      }
    } catch (error) {
      if (optional !== true || nameOf(error) !== 'ResourceNotFoundException') throw error
    }
  }
  return lines
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'Error'
}

/** CloudTrail's events of one region that are about a secret's encryption context, or do not tell theirs. */
async function trail(region: string, secret: string, since: number): Promise<TrailEvent[]> {
  // two look-ups a second and region are all that AWS allows
  const client = new CloudTrailClient({ region, retryMode: 'adaptive', maxAttempts: 10 })
  const wanted = {
    StartTime: new Date(since),
    LookupAttributes: [
      { AttributeKey: 'EventSource' as const, AttributeValue: 'kms.amazonaws.com' },
    ],
  }
  const events: TrailEvent[] = []
  for await (const { Events = [] } of paginateLookupEvents({ client }, wanted)) {
    for (const { CloudTrailEvent = '' } of Events) {
      const one = trailEvent(CloudTrailEvent)
      const about = one?.requestParameters?.encryptionContext['secret']
      if (one !== undefined && (about === undefined || about === secret)) events.push(one)
    }
  }
  return events
}
