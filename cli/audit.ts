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
import {
  type AuditLine,
  auditLine,
  join,
  type SignatureRecord,
  signatureRecord,
  type TrailEvent,
  trailEvent,
  type Use,
} from './join.ts'
import { recordOf, secretRecords } from './records.ts'

const HOUR = 3_600_000

/** What the uses of keys are about, and where they are told of. */
interface Subject {
  /** For a person. */
  readonly name: string
  /** In every line about it, and nearly no other. */
  readonly word: string
  readonly isLine: (line: AuditLine) => boolean
  readonly isEvent: (event: TrailEvent, lines: readonly AuditLine[]) => boolean
  readonly regions: readonly string[]
  readonly groups: readonly Group[]
}

/**
 * `certrelay audit --secret NAME | --authority LABEL`: every use of a key for a secret, or of the key of an authority, as the
 * audit lines and CloudTrail tell it, joined.
 * @returns 1 when one side knows a use of which the other does not
 */
export async function audit(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      secret: { type: 'string' },
      authority: { type: 'string' },
      group: { type: 'string', multiple: true },
      hours: { type: 'string', default: '24' },
      json: { type: 'boolean' },
    },
  })
  const { secret, authority, group = [], hours, json = false } = values
  if ((secret === undefined) === (authority === undefined))
    throw new Error(
      'name the secret, or the authority: certrelay audit --secret NAME, or --authority LABEL',
    )
  if (!/^[1-9]\d{0,3}$/.test(hours)) throw new Error('--hours is a whole number of hours, like 24')
  const since = Date.now() - Number(hours) * HOUR
  const subject =
    secret === undefined ? await ofAuthority(authority ?? '', group) : await ofSecret(secret, group)
  const { lines, records } = await auditLines(subject, since)
  const used = lines.flatMap(({ attempts }) => attempts.map(({ region }) => region))
  const regions = new Set([...subject.regions, ...used])
  const found = await Promise.all([...regions].map((region) => trail(region, since)))
  const events = found.flat().filter((one) => subject.isEvent(one, lines))
  const uses = join(lines, events, records)
  const text = list(uses, secret === undefined ? { ...COLUMNS, ...CERTIFIED } : COLUMNS)
  process.stdout.write(json ? uses.map((use) => `${JSON.stringify(use)}\n`).join('') : text)
  const odd = uses.filter((use) => use.join === 'no-line' || use.join === 'no-event').length
  say(
    `${uses.length} uses of keys for ${subject.name}, ${odd} known to one side only${odd > 0 ? HINT : ''}`,
    `read ${subject.groups.map((one) => one.name).join(', ')}; CloudTrail of ${[...regions].join(', ')}`,
  )
  return odd === 0 ? 0 : 1
}

async function ofSecret(name: string, group: readonly string[]): Promise<Subject> {
  const { ARN = '', Tags = [] } = await new SecretsManagerClient().send(
    new DescribeSecretCommand({ SecretId: name }),
  )
  const { keys, former } = await installed(new LambdaClient())
  return {
    ...{ name: ARN, word: ARN, groups: await places(Tags, group) },
    regions: [...keys, ...former].map(keyRegion),
    isLine: ({ secret }) => secret === ARN,
    isEvent: ({ requestParameters, eventName }) => {
      const about = requestParameters?.encryptionContext['secret']
      const isOther = requestParameters?.encryptionContext['ca'] !== undefined
      return eventName !== 'Sign' && !isOther && (about === undefined || about === ARN)
    },
  }
}

/** Keys in KMS are those of the record; sealed ones are told by their context. */
async function ofAuthority(label: string, group: readonly string[]): Promise<Subject> {
  const record = await recordOf(secretRecords(new SecretsManagerClient()), label)
  const { custody } = record
  const own: readonly string[] = custody.mode === 'kms' ? custody.keys : []
  const { keys, former } = await installed(new LambdaClient(), 'certrelay-sign')
  return {
    ...{ name: `authority ${label}`, word: label, groups: await places([], group) },
    regions: [...keys, ...former, ...own].map(keyRegion),
    isLine: ({ ca }) => ca === label,
    isEvent: ({ requestParameters, eventName }, lines) => {
      const { keyId = '', encryptionContext = {} } = requestParameters ?? {}
      const used = lines.some(({ attempts }) => attempts.some(({ key }) => key === keyId))
      if (eventName === 'Sign') return requestParameters === null || used || own.includes(keyId)
      const about = encryptionContext['ca']
      return about === label || Object.keys(encryptionContext).length === 0
    },
  }
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

/** Of what a key signed. */
const CERTIFIED = { serial: 'serial', asked: 'asked by' } as const satisfies Partial<
  Record<keyof Use, string>
>

const NAMES = [
  ...(['when', 'action', 'outcome', 'join', 'region', 'lane', 'key', 'who', 'trace'] as const),
  ...(['kmsRequestId', 'serial', 'asked'] as const),
] as const satisfies readonly (keyof Use)[]

/** A table for a person, its heading first; empty when there is nothing to tell. */
function list(uses: readonly Use[], columns: Partial<Record<keyof Use, string>>): string {
  if (uses.length === 0) return ''
  const names = [...NAMES].filter((name) => name in columns)
  const cells = (one: Partial<Record<keyof Use, string>>) => names.map((name) => one[name] ?? '')
  const rows = [cells(columns), ...uses.map(cells)].map((row) => row.map((cell) => cell || '-'))
  const widths = names.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)))
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

/** Audit lines and records about something. A group that a task definition names may not be there yet. */
async function auditLines({ word, isLine, groups }: Subject, since: number) {
  const lines: AuditLine[] = []
  const records: SignatureRecord[] = []
  for (const { name: logGroupName, region, optional } of groups) {
    const logs = new CloudWatchLogsClient({ region })
    const filterPattern = `"audit" "${word}"`
    const wanted = { logGroupName, startTime: since, filterPattern }
    try {
      for await (const { events = [] } of paginateFilterLogEvents({ client: logs }, wanted)) {
        for (const { message = '' } of events) {
          const line = auditLine(message)
          const record = signatureRecord(message)
          if (line !== undefined && isLine(line)) lines.push(line)
          else if (record?.label === word) records.push(record)
        }
      }
    } catch (error) {
      if (optional !== true || nameOf(error) !== 'ResourceNotFoundException') throw error
    }
  }
  return { lines, records }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'Error'
}

/** CloudTrail's events of one region that may be uses of our keys. */
async function trail(region: string, since: number): Promise<TrailEvent[]> {
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
      if (one !== undefined) events.push(one)
    }
  }
  return events
}
