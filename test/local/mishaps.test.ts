import { ACMClient, ListCertificatesCommand } from '@aws-sdk/client-acm'
import { ACMPCAClient, ListCertificateAuthoritiesCommand } from '@aws-sdk/client-acm-pca'
import { CloudFormationClient, ListStacksCommand } from '@aws-sdk/client-cloudformation'
import { CloudTrailClient, LookupEventsCommand } from '@aws-sdk/client-cloudtrail'
import { CloudWatchLogsClient, DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs'
import { ECSClient, ListClustersCommand } from '@aws-sdk/client-ecs'
import { EventBridgeClient, ListRulesCommand } from '@aws-sdk/client-eventbridge'
import { KMSClient, ListKeysCommand } from '@aws-sdk/client-kms'
import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda'
import {
  GetResourcesCommand,
  ResourceGroupsTaggingAPIClient,
} from '@aws-sdk/client-resource-groups-tagging-api'
import { ListSecretsCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Mishap } from '../../local/faults.ts'
import { type Local, start } from '../../local/index.ts'
import { client } from '../support/client.ts'

interface Sdk {
  /** A call that reads. */
  call(): Promise<unknown>
  destroy(): void
}

const EAST = 'us-east-1'
const WEST = 'us-west-2'
let aws: Local
let east: Readonly<Record<string, Sdk>>
let west: Readonly<Record<string, Sdk>>

beforeAll(async () => {
  aws = await start()
  east = clients(EAST)
  west = clients(WEST)
  for (const sdk of Object.values(east)) await sdk.call()
})
afterAll(async () => {
  for (const sdk of [...Object.values(east), ...Object.values(west)]) sdk.destroy()
  await aws.close()
})

/** Clients of every service by its SigV4 name. */
function clients(region: string): Record<string, Sdk> {
  const place = {
    ...client(aws, region),
    requestHandler: { requestTimeout: 400, throwOnRequestTimeout: true },
  }
  const acm = new ACMClient(place)
  const pca = new ACMPCAClient(place)
  const formation = new CloudFormationClient(place)
  const trail = new CloudTrailClient(place)
  const logs = new CloudWatchLogsClient(place)
  const ecs = new ECSClient(place)
  const events = new EventBridgeClient(place)
  const keys = new KMSClient(place)
  const lambda = new LambdaClient(place)
  const tagging = new ResourceGroupsTaggingAPIClient(place)
  const secrets = new SecretsManagerClient(place)
  const queues = new SQSClient(place)
  const sts = new STSClient(place)
  const sdk = (call: Sdk['call'], of: { destroy(): void }): Sdk => ({
    call,
    destroy: () => of.destroy(),
  })
  return {
    acm: sdk(() => acm.send(new ListCertificatesCommand({})), acm),
    'acm-pca': sdk(() => pca.send(new ListCertificateAuthoritiesCommand({})), pca),
    cloudformation: sdk(() => formation.send(new ListStacksCommand({})), formation),
    cloudtrail: sdk(() => trail.send(new LookupEventsCommand({ MaxResults: 1 })), trail),
    ecs: sdk(() => ecs.send(new ListClustersCommand({})), ecs),
    events: sdk(() => events.send(new ListRulesCommand({})), events),
    kms: sdk(() => keys.send(new ListKeysCommand({})), keys),
    lambda: sdk(() => lambda.send(new ListFunctionsCommand({})), lambda),
    logs: sdk(() => logs.send(new DescribeLogGroupsCommand({})), logs),
    secretsmanager: sdk(() => secrets.send(new ListSecretsCommand({})), secrets),
    sqs: sdk(() => queues.send(new ListQueuesCommand({})), queues),
    sts: sdk(() => sts.send(new GetCallerIdentityCommand({})), sts),
    tagging: sdk(() => tagging.send(new GetResourcesCommand({})), tagging),
  }
}

/** What came of a call of every service: `ok`, or the error's name and the status of the answer, if one came. */
async function outcomes(of: Readonly<Record<string, Sdk>>): Promise<Record<string, string>> {
  const all = Object.entries(of).map(async ([name, { call }]) => [name, await outcome(call())])
  return Object.fromEntries(await Promise.all(all))
}

async function outcome(call: Promise<unknown>): Promise<string> {
  const error: unknown = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (error === undefined) return 'ok'
  if (!(error instanceof Error)) return String(error)
  const { name } = error
  if (!('$metadata' in error) || !('$fault' in error)) return 'no answer'
  return `${name} ${JSON.stringify(error.$metadata).match(/"httpStatusCode":(\d+)/)?.[1]}`
}

const same = (result: string) => Object.fromEntries(Object.keys(east).map((name) => [name, result]))

describe('a mishap of any kind strikes every service, in one region', () => {
  test.each<[Mishap['kind'], Mishap, string]>([
    ['latency', { kind: 'latency', ms: 30 }, 'ok'],
    ['stale', { kind: 'stale' }, 'ok'],
    ['hang', { kind: 'hang' }, 'no answer'],
    ['refuse', { kind: 'refuse' }, 'no answer'],
    ['reset', { kind: 'reset' }, 'no answer'],
    ['lost', { kind: 'lost' }, 'no answer'],
  ])('%s', async (_kind, mishap, expected) => {
    const away = aws.faults.add({ region: EAST }, mishap)

    const [here, there] = await Promise.all([outcomes(east), outcomes(west)])
    away()

    expect(here).toEqual(same(expected))
    expect(there).toEqual(same('ok'))
  })

  test('error, under the name that the service has for it', async () => {
    const away = aws.faults.add({ region: EAST }, { kind: 'error' })

    const here = await outcomes(east)
    away()

    expect(here).toEqual({
      ...same('InternalFailure 500'),
      ecs: 'ServerException 500',
      events: 'InternalException 500',
      kms: 'KMSInternalException 500',
      lambda: 'ServiceException 500',
      logs: 'ServiceUnavailableException 500',
      secretsmanager: 'InternalServiceError 500',
      tagging: 'InternalServiceException 500',
    })
  })

  test('throttle, under the name that the service has for it', async () => {
    const away = aws.faults.add({ region: EAST }, { kind: 'throttle' })

    const here = await outcomes(east)
    away()

    expect(here).toEqual({
      ...same('ThrottlingException 400'),
      cloudformation: 'Throttling 400',
      lambda: 'TooManyRequestsException 429',
      sqs: 'RequestThrottled 400',
      sts: 'Throttling 400',
    })
  })
})

test.each([
  ['error', 'ServiceUnavailable 503'],
  ['refuse', 'no answer'],
  ['hang', 'no answer'],
] as const)(
  'a whole region is out (%s) until it is back, the other one is not',
  async (kind, expected) => {
    const back = aws.faults.outage(EAST, kind)

    const during = await outcomes(east)
    const elsewhere = await outcomes(west)
    back()
    const after = await outcomes(east)

    expect(during).toEqual(same(expected))
    expect(elsewhere).toEqual(same('ok'))
    expect(after).toEqual(same('ok'))
  },
)
