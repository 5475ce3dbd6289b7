import type { Call, Caller } from '../service.ts'

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

/** What is kept of a finished request; the record is written when somebody reads it. */
export interface Fact extends Pick<Trace, 'id' | 'order' | 'time' | 'resource'> {
  readonly call: Call
  /** The exception's name when it failed. */
  readonly code: string | undefined
  readonly message: string | undefined
  readonly parameters: Readonly<Record<string, unknown>> | null
}

const READS =
  /^(Get|List|Describe|Lookup|BatchGet|Filter|Search|Validate|Encrypt|Decrypt|ReEncrypt|GenerateDataKey|GenerateRandom|Sign|Verify)/

export function trace(fact: Fact, account: string): Trace {
  const { id, order, time, call, resource } = fact
  const { region, operation: name, caller } = call
  return {
    id,
    order,
    time,
    region,
    source: `${call.service}.amazonaws.com`,
    name,
    readOnly: READS.test(name),
    user: caller.arn.split('/').at(-1) ?? caller.arn,
    accessKeyId: caller.accessKeyId,
    resource,
    record: record(fact, account),
  }
}

/** https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html */
function record({ id, time, call, code, message, resource, parameters }: Fact, account: string) {
  const { caller, operation } = call
  return {
    eventVersion: '1.11',
    userIdentity: identity(caller, account),
    eventTime: new Date(time).toISOString().replace(/\.\d+Z$/, 'Z'),
    eventSource: `${call.service}.amazonaws.com`,
    eventName: operation,
    awsRegion: call.region,
    sourceIPAddress: caller.via ?? (caller.internal ? caller.arn : '127.0.0.1'),
    ...(call.userAgent !== undefined && { userAgent: call.userAgent }),
    ...(code !== undefined && { errorCode: code }),
    ...(message !== undefined && message !== '' && { errorMessage: message }),
    requestParameters: parameters,
    responseElements: null,
    requestID: call.requestId,
    eventID: id,
    readOnly: READS.test(operation),
    ...(resource !== undefined && { resources: [{ accountId: account, ARN: resource }] }),
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: account,
    eventCategory: 'Management',
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
