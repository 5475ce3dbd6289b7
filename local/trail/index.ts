import * as v from 'valibot'
import { browse } from '../cursor.ts'
import type { Seen } from '../server.ts'
import { type Caller, operation, type Service, seconds, type World } from '../service.ts'
import { whole } from '../wire.ts'
import { parameters } from './parameters.ts'

/** One event of the history, as LookupEvents and the record inside it tell it. */
export interface Trace {
  readonly id: string
  /** Counts the events from the beginning. */
  readonly order: number
  /** Epoch milliseconds. */
  readonly time: number
  readonly region: string
  /** `kms.amazonaws.com`. */
  readonly source: string
  readonly name: string
  readonly readOnly: boolean
  readonly user: string
  readonly accessKeyId: string
  readonly resource?: string | undefined
  /** The CloudTrail record, as JSON. */
  readonly record: Readonly<Record<string, unknown>>
}

export interface Trail {
  readonly service: Service
  /** The sink of finished requests. */
  seen(seen: Seen): void
  /** Everything that is remembered, oldest first; for tests. */
  events(): readonly Trace[]
}

const DAYS_90 = 90 * 86_400_000
/** More are not remembered, whatever their age. */
const MOST = 50_000
/** Data events: not part of the event history. */
const DATA =
  /^(lambda:Invoke|sqs:(Send|Receive|Delete|ChangeMessage).*|events:PutEvents|logs:(Get|Filter)LogEvents)$/
const READS =
  /^(Get|List|Describe|Lookup|BatchGet|Filter|Search|Validate|Encrypt|Decrypt|ReEncrypt|GenerateDataKey|GenerateRandom|Sign|Verify)/
const KEYS = [
  'AccessKeyId',
  'EventId',
  'EventName',
  'EventSource',
  'ReadOnly',
  'ResourceName',
  'ResourceType',
  'Username',
] as const

/**
 * AWS CloudTrail's event history: management events of the last 90 days, at once where AWS takes minutes.
 * https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
 */
export function trail(world: Pick<World, 'account' | 'clock' | 'random'>): Trail {
  const { account, clock, random } = world
  const history: Trace[] = []
  let count = 0
  const forget = () => {
    const fresh = history.findIndex(({ time }) => time >= clock.now() - DAYS_90)
    history.splice(0, fresh < 0 ? history.length : fresh)
    if (history.length > MOST) history.splice(0, history.length - MOST)
  }

  function seen({ call, status, error, message, resource, input }: Seen) {
    const { caller } = call
    if (DATA.test(`${call.service}:${call.operation}`)) return
    const id = random.uuid()
    const time = clock.now()
    const source = `${call.service}.amazonaws.com`
    const readOnly = READS.test(call.operation)
    const code = error ?? (status >= 500 ? 'InternalFailure' : undefined)
    const record = {
      eventVersion: '1.11',
      userIdentity: identity(caller, account),
      eventTime: new Date(time).toISOString().replace(/\.\d+Z$/, 'Z'),
      eventSource: source,
      eventName: call.operation,
      awsRegion: call.region,
      sourceIPAddress: caller.via ?? (caller.internal ? caller.arn : '127.0.0.1'),
      ...(code !== undefined && { errorCode: code }),
      ...(message !== undefined && message !== '' && { errorMessage: message }),
      requestParameters: parameters(input),
      responseElements: null,
      requestID: call.requestId,
      eventID: id,
      readOnly,
      ...(resource !== undefined && { resources: [{ accountId: account, ARN: resource }] }),
      eventType: 'AwsApiCall',
      managementEvent: true,
      recipientAccountId: account,
      eventCategory: 'Management',
    }
    const user = caller.arn.split('/').at(-1) ?? caller.arn
    const { region, operation: name } = call
    const { accessKeyId } = caller
    history.push({
      id,
      order: count++,
      time,
      region,
      source,
      name,
      readOnly,
      user,
      accessKeyId,
      resource,
      record,
    })
    if (history.length > MOST * 1.1) forget()
  }

  return {
    seen,
    events: () => [...history],
    service: {
      name: 'cloudtrail',
      operations: {
        LookupEvents: operation(
          v.object({
            LookupAttributes: v.optional(
              v.pipe(
                v.array(v.object({ AttributeKey: v.picklist(KEYS), AttributeValue: v.string() })),
                v.maxLength(1),
              ),
              [],
            ),
            StartTime: v.optional(v.number(), 0),
            EndTime: v.optional(v.number(), Number.POSITIVE_INFINITY),
            MaxResults: v.optional(whole(1, 50), 50),
            NextToken: v.optional(v.string()),
          }),
          (input, { region }) => {
            forget()
            const [start, end] = [input.StartTime * 1000, input.EndTime * 1000]
            const found = history
              .filter((trace) => trace.region === region)
              .filter(({ time }) => time >= start && time <= end)
              .filter((trace) =>
                input.LookupAttributes.every(
                  (one) => attribute(trace, one.AttributeKey) === one.AttributeValue,
                ),
              )
            const { items, next } = browse(found, ({ order }) => String(order).padStart(12, '0'), {
              size: input.MaxResults,
              token: input.NextToken,
              backwards: true,
            })
            return { Events: items.map(entry), NextToken: next }
          },
          'InvalidParameterCombinationException',
        ),
      },
    },
  }
}

function attribute(trace: Trace, key: (typeof KEYS)[number]): string | undefined {
  switch (key) {
    case 'AccessKeyId':
      return trace.accessKeyId
    case 'EventId':
      return trace.id
    case 'EventName':
      return trace.name
    case 'EventSource':
      return trace.source
    case 'ReadOnly':
      return String(trace.readOnly)
    case 'ResourceName':
      return trace.resource
    case 'ResourceType':
      return undefined
    case 'Username':
      return trace.user
  }
}

function entry(trace: Trace) {
  return {
    EventId: trace.id,
    EventName: trace.name,
    ReadOnly: String(trace.readOnly),
    AccessKeyId: trace.accessKeyId,
    EventTime: seconds(trace.time),
    EventSource: trace.source,
    Username: trace.user,
    Resources: trace.resource === undefined ? [] : [{ ResourceName: trace.resource }],
    CloudTrailEvent: JSON.stringify(trace.record),
  }
}

/** userIdentity: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html */
function identity({ arn, accessKeyId, internal, via }: Caller, accountId: string) {
  if (internal) return { type: 'AWSService', invokedBy: arn }
  const name = arn.split('/').at(-1)
  const invokedBy = via === undefined ? undefined : via.replace(/^([^.]+)\.[^.]+\./, '$1.')
  const common = { arn, accountId, accessKeyId, principalId: accessKeyId, invokedBy }
  const role = /:assumed-role\/([^/]+)\//.exec(arn)?.[1]
  if (role === undefined) return { type: 'IAMUser', ...common, userName: name }
  const sessionIssuer = {
    type: 'Role',
    arn: `arn:aws:iam::${accountId}:role/${role}`,
    accountId,
    userName: role,
  }
  return { type: 'AssumedRole', ...common, sessionContext: { sessionIssuer } }
}
