import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'

const text = v.pipe(v.string(), v.minLength(1))

/**
 * A custom resource's request as CloudFormation sends it
 * (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html).
 * Its properties are read later, because a bad property must be answered too.
 */
const schema = v.object({
  RequestType: v.picklist(['Create', 'Update', 'Delete']),
  RequestId: text,
  ResponseURL: v.pipe(v.string(), v.url()),
  StackId: text,
  LogicalResourceId: text,
  PhysicalResourceId: v.optional(text),
  ResourceType: text,
  ResourceProperties: v.optional(v.record(v.string(), v.unknown()), {}),
  OldResourceProperties: v.optional(v.record(v.string(), v.unknown())),
  /** Ours: when the request is given up (epoch milliseconds) and how often it was handed on. */
  certrelay: v.optional(v.object({ until: v.number(), attempt: v.number() })),
})

/** A request whose envelope is sound. */
export interface Request {
  readonly type: 'Create' | 'Update' | 'Delete'
  readonly requestId: string
  /** A bearer credential: never logged. */
  readonly responseUrl: string
  readonly stackId: string
  readonly logicalId: string
  readonly physicalId: string | undefined
  readonly properties: Readonly<Record<string, unknown>>
  /** What they were before; only with an Update. */
  readonly former: Readonly<Record<string, unknown>> | undefined
  /** `STACK-UUID/LogicalId`. */
  readonly owner: string
  /** `ACCOUNT/REGION/STACK/LogicalId`: the same for a stack of that name that is made again. */
  readonly home: string
  /** 32 hex digits, the same for every delivery of this request. */
  readonly token: string
  readonly region: string
  readonly account: string
  readonly until: number | undefined
  readonly attempt: number
}

/** @throws RelayError EVENT_INVALID naming the members, never their values. */
export function parseRequest(event: unknown): Request {
  const parsed = v.safeParse(schema, event)
  if (!parsed.success) {
    const members = [...new Set(parsed.issues.map((issue) => v.getDotPath(issue) ?? 'the event'))]
    throw new RelayError(
      'EVENT_INVALID',
      `not a request of CloudFormation: ${members.join(', ')}; this function answers custom resources only`,
    )
  }
  const { output } = parsed
  const { StackId, LogicalResourceId, RequestId, certrelay } = output
  // arn:aws:cloudformation:REGION:ACCOUNT:stack/NAME/UUID
  const [, , , region = '', account = '', path = ''] = StackId.split(':')
  const [, name = '', uuid = StackId] = path.split('/')
  const token = createHash('sha256')
    .update(`${StackId}\n${LogicalResourceId}\n${RequestId}`)
    .digest('hex')
  return {
    type: output.RequestType,
    requestId: RequestId,
    responseUrl: output.ResponseURL,
    stackId: StackId,
    logicalId: LogicalResourceId,
    physicalId: output.PhysicalResourceId,
    properties: output.ResourceProperties,
    former: output.OldResourceProperties,
    owner: `${uuid}/${LogicalResourceId}`.slice(0, 256),
    home: [account, region, name, LogicalResourceId].join('/').slice(0, 256),
    token: token.slice(0, 32),
    region,
    account,
    until: certrelay?.until,
    attempt: certrelay?.attempt ?? 0,
  }
}
