import * as v from 'valibot'
import { browse } from '../cursor.ts'
import type { Seen } from '../dispatch.ts'
import { operation, type Service, seconds, type World } from '../service.ts'
import { whole } from '../wire.ts'
import { parameters } from './parameters.ts'
import { type Fact, type Trace, trace } from './record.ts'

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
const DATA = new Set(
  `Invoke SendMessage SendMessageBatch ReceiveMessage DeleteMessage DeleteMessageBatch
  ChangeMessageVisibility ChangeMessageVisibilityBatch PutEvents GetLogEvents FilterLogEvents
  PutObject GetObject HeadObject DeleteObject`.split(/\s+/),
)
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
  const history: Fact[] = []
  let count = 0
  const forget = () => {
    const fresh = history.findIndex(({ time }) => time >= clock.now() - DAYS_90)
    history.splice(0, fresh < 0 ? history.length : fresh)
    if (history.length > MOST) history.splice(0, history.length - MOST)
  }

  function seen({ call, status, error, message, resource, input }: Seen) {
    if (DATA.has(call.operation)) return
    const code = error ?? (status >= 500 ? 'InternalFailure' : undefined)
    history.push({
      id: random.uuid(),
      order: count++,
      time: clock.now(),
      call,
      code,
      message,
      resource,
      parameters: parameters(input),
    })
    if (history.length > MOST * 1.1) forget()
  }

  return {
    seen,
    events: () => history.map((fact) => trace(fact, account)),
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
              .filter(({ call, time }) => call.region === region && time >= start && time <= end)
              .map((fact) => trace(fact, account))
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
