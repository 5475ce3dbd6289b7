import * as v from 'valibot'
import type { Clock } from './clock.ts'
import type { Faults } from './faults.ts'
import type { Random } from './random.ts'

/** Who signed a request: an IAM role session, the account's administrator, or AWS itself. */
export interface Caller {
  /** `arn:aws:sts::111122223333:assumed-role/NAME/SESSION`, `arn:aws:iam::111122223333:user/NAME`, or a service principal. */
  readonly arn: string
  readonly accessKeyId: string
  /** True for AWS calling AWS (CloudFormation, ACM …): policies are not evaluated. */
  readonly internal: boolean
  /** The service that calls on this caller's behalf, for `kms:ViaService`: `secretsmanager.us-east-1.amazonaws.com`. */
  readonly via?: string
}

/** One request, as an operation sees it. */
export interface Call {
  /** SigV4 service name (`acm`, `secretsmanager` …). */
  readonly service: string
  readonly operation: string
  readonly region: string
  readonly account: string
  readonly caller: Caller
  /** UUID, answered in `x-amzn-requestid`. */
  readonly requestId: string
  /** The client's `user-agent`, where it came over the wire. */
  readonly userAgent?: string | undefined
  /** It reaches a part of the service that has not heard of what came last. */
  readonly stale?: boolean
}

/** What an IAM policy is asked about: the resource and the condition keys of one request. */
export interface Subject {
  /** Resource ARN, or `*` when the operation names none. */
  readonly arn: string
  /** Tags of the resource, for `aws:ResourceTag/…`. */
  readonly tags?: Readonly<Record<string, string>>
  /** Further condition keys, lower-cased on comparison (`kms:EncryptionContext:org` …). */
  readonly conditions?: Readonly<Record<string, string | readonly string[]>>
}

/** One API operation: wire input in, wire output out (timestamps are epoch seconds, blobs base64). */
export interface Operation {
  run(input: unknown, call: Call): Promise<Record<string, unknown>>
}

/** One AWS service of the local AWS. */
export interface Service {
  /** SigV4 service name. */
  readonly name: string
  readonly operations: Readonly<Record<string, Operation>>
  /** What a policy is asked about; without it, `*`. Must not throw on any input. */
  subject?(operation: string, input: Readonly<Record<string, unknown>>, call: Call): Subject
}

/** An error as AWS would answer it: `code` is the exception's name. */
export class AwsError extends Error {
  readonly code: string
  readonly status: number

  constructor(code: string, message: string, status = 400) {
    super(message)
    this.name = 'AwsError'
    this.code = code
    this.status = status
  }
}

/** An operation whose input is checked against a schema; unknown members are dropped, as AWS does. */
export function operation<const S extends v.GenericSchema>(
  schema: S,
  run: (
    input: v.InferOutput<S>,
    call: Call,
  ) => Promise<Record<string, unknown>> | Record<string, unknown>,
  invalid = 'ValidationException',
): Operation {
  return {
    async run(raw, call) {
      const parsed = v.safeParse(schema, raw)
      if (!parsed.success) throw new AwsError(invalid, describeIssues(parsed.issues))
      return run(parsed.output, call)
    },
  }
}

function describeIssues(issues: readonly v.BaseIssue<unknown>[]): string {
  const lines = issues.map((issue) => {
    const path = v.getDotPath(issue) ?? 'request'
    return `Value at '${path}' failed to satisfy constraint: ${
      issue.input === undefined ? 'Member must not be null' : issue.message
    }`
  })
  const plural = lines.length === 1 ? 'error' : 'errors'
  return `${lines.length} validation ${plural} detected: ${lines.join('; ')}`
}

/** An event as AWS services put it on the default bus; `id`, `time`, `account`, `version` are added. */
export interface Emission {
  readonly source: string
  readonly detailType: string
  readonly resources: readonly string[]
  readonly detail: Readonly<Record<string, unknown>>
}

/** Answers a plain HTTP request under a path prefix (Lambda runtime API, response URLs, task metadata). */
export type Route = (request: Asked) => Promise<Reply>

export interface Asked {
  readonly method: string
  /** Path after the registered prefix, with query, without a leading slash. */
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal
}

export interface Reply {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
}

/** A line of a log stream, with the clock's time in milliseconds. */
export interface LogLine {
  readonly region: string
  readonly group: string
  readonly stream: string
  readonly time: number
  readonly message: string
}

/** What every service of one local AWS shares. Services reach each other only through `call` and `emit`. */
export interface World {
  /** Twelve digits. */
  readonly account: string
  readonly regions: readonly string[]
  readonly clock: Clock
  /** Seeded: for identifiers and faults, never for keys. */
  readonly random: Random
  readonly faults: Faults
  /** The endpoint, `http://127.0.0.1:PORT`. */
  readonly url: string
  /** A private folder that is removed on close. */
  readonly folder: string
  /** Whether this world has a service of that name. */
  has(service: string): boolean
  /**
   * Calls an operation in-process as AWS itself or as `caller`; faults and the wire are left out. `unrecorded` is for
   * a look that only this imitation has to take: it does not appear in CloudTrail.
   * @throws AwsError as the operation does.
   */
  call(
    service: string,
    operation: string,
    input: Readonly<Record<string, unknown>>,
    as: { readonly region: string; readonly caller?: Caller; readonly unrecorded?: boolean },
  ): Promise<Record<string, unknown>>
  /** Puts an event of an AWS service on the region's default bus. */
  emit(region: string, event: Emission): void
  /** Appends to CloudWatch Logs; groups and streams appear by themselves. */
  log(region: string, group: string, stream: string, message: string): void
  /** Serves a path prefix (`/_runtime/`) beside the AWS APIs. Returns its URL. */
  route(prefix: string, route: Route): string
  /** Runs on close, last registered first. */
  onClose(hook: () => Promise<void> | void): void
  /** Leases a loopback address (127.x.y.z) that nothing else of any local AWS on this machine uses. */
  lease(): Promise<Lease>
}

export interface Lease {
  readonly address: string
  release(): Promise<void>
}

/** Milliseconds as the wire wants them: epoch seconds with fractions. */
export function seconds(milliseconds: number): number {
  return milliseconds / 1000
}
