import { parseArgs } from 'node:util'
import { CloudTrailClient, LookupEventsCommand } from '@aws-sdk/client-cloudtrail'
import {
  CloudWatchLogsClient,
  DescribeLogGroupsCommand,
  FilterLogEventsCommand,
} from '@aws-sdk/client-cloudwatch-logs'
import { LambdaClient } from '@aws-sdk/client-lambda'
import { DescribeSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { keyRegion } from '../pki/sealed.ts'
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
  const { ARN = '' } = await new SecretsManagerClient().send(
    new DescribeSecretCommand({ SecretId: name }),
  )
  const { keys, former } = await installed(new LambdaClient())
  const lines = await auditLines({ secret: ARN, groups: group, since })
  const used = lines.flatMap(({ attempts }) => attempts.map(({ region }) => region))
  const regions = new Set([...[...keys, ...former].map(keyRegion), ...used])
  const events = await Promise.all([...regions].map((region) => trail(region, ARN, since)))
  const uses = join(lines, events.flat())
  for (const use of uses) process.stdout.write(`${json ? JSON.stringify(use) : row(use)}\n`)
  const odd = uses.filter((use) => use.join === 'no-line' || use.join === 'no-event').length
  process.stderr.write(
    `certrelay: ${uses.length} uses of keys for ${ARN}, ${odd} known to one side only${odd > 0 ? HINT : ''}\n`,
  )
  return odd === 0 ? 0 : 1
}

const HINT =
  '\n  no-event: CloudTrail takes up to 15 minutes, look again; no-line: not by certrelay, or its log group was not given with --group'

function row({
  when,
  action,
  join: joined,
  outcome,
  region,
  lane,
  who,
  trace,
  ...rest
}: Use): string {
  const columns = [when || '-', action, outcome, joined, region, lane || '-', rest.key]
  return [...columns, who || '-', trace || '-', rest.kmsRequestId || '-'].join('  ')
}

/** Audit lines about a secret in the functions' log groups and further ones, where sidecars write. */
async function auditLines({
  secret,
  groups,
  since,
}: {
  readonly secret: string
  readonly groups: readonly string[]
  readonly since: number
}): Promise<AuditLine[]> {
  const logs = new CloudWatchLogsClient()
  const own = await logs.send(
    new DescribeLogGroupsCommand({ logGroupNamePrefix: '/aws/lambda/certrelay-' }),
  )
  const names = (own.logGroups ?? []).flatMap(({ logGroupName }) => logGroupName ?? [])
  const lines: AuditLine[] = []
  for (const logGroupName of new Set([...names, ...groups])) {
    let nextToken: string | undefined
    do {
      const page = await logs.send(
        new FilterLogEventsCommand({
          logGroupName,
          startTime: since,
          filterPattern: `"audit" "${secret}"`,
          ...(nextToken !== undefined && { nextToken }),
        }),
      )
      for (const { message = '' } of page.events ?? []) {
        const line = auditLine(message)
        if (line !== undefined && line.secret === secret) lines.push(line)
      }
      nextToken = page.nextToken
    } while (nextToken !== undefined)
  }
  return lines
}

/** CloudTrail's events of one region about a secret's encryption context. */
async function trail(region: string, secret: string, since: number): Promise<TrailEvent[]> {
  const client = new CloudTrailClient({ region })
  const events: TrailEvent[] = []
  let NextToken: string | undefined
  do {
    const page = await client.send(
      new LookupEventsCommand({
        StartTime: new Date(since),
        LookupAttributes: [{ AttributeKey: 'EventSource', AttributeValue: 'kms.amazonaws.com' }],
        ...(NextToken !== undefined && { NextToken }),
      }),
    )
    for (const { CloudTrailEvent = '' } of page.Events ?? []) {
      const one = trailEvent(CloudTrailEvent)
      if (one?.requestParameters.encryptionContext['secret'] === secret) events.push(one)
    }
    NextToken = page.NextToken
  } while (NextToken !== undefined)
  return events
}
