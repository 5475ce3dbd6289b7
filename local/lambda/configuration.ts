import * as v from 'valibot'
import { AwsError } from '../service.ts'
import type { Code } from './code.ts'

const text = v.string()
const whole = (low: number, high: number) =>
  v.pipe(v.number(), v.integer(), v.minValue(low), v.maxValue(high))
const queueArn = v.pipe(
  text,
  v.regex(/^(arn:aws:sqs:[a-z0-9-]+:\d{12}:[\w-]{1,80})?$/, 'Only a queue can be a target here'),
)

/** What CreateFunction and UpdateFunctionConfiguration may set. Timeout in seconds, sizes in MB. */
export const configurationMembers = {
  Runtime: v.optional(v.picklist(['nodejs20.x', 'nodejs22.x', 'nodejs24.x'])),
  Role: v.optional(text),
  Handler: v.optional(v.pipe(text, v.regex(/^[^\s]{1,128}$/))),
  Description: v.optional(v.pipe(text, v.maxLength(256))),
  Timeout: v.optional(whole(1, 900)),
  MemorySize: v.optional(whole(128, 10_240)),
  Environment: v.optional(v.object({ Variables: v.optional(v.record(text, text), {}) })),
  Architectures: v.optional(v.array(v.picklist(['x86_64', 'arm64']))),
  EphemeralStorage: v.optional(v.object({ Size: whole(512, 10_240) })),
  TracingConfig: v.optional(v.object({ Mode: v.picklist(['Active', 'PassThrough']) })),
  DeadLetterConfig: v.optional(v.object({ TargetArn: v.optional(queueArn) })),
  LoggingConfig: v.optional(
    v.object({ LogGroup: v.optional(text), LogFormat: v.optional(v.picklist(['Text', 'JSON'])) }),
  ),
}
const members = v.object(configurationMembers)
export type Settings = v.InferOutput<typeof members>

/** A function's settings with everything that has a default filled in. */
export interface Configuration {
  readonly runtime: string
  /** ARN. */
  readonly role: string
  readonly handler: string
  readonly description: string
  /** Seconds. */
  readonly timeout: number
  /** MB. */
  readonly memory: number
  readonly variables: Readonly<Record<string, string>>
  readonly architectures: readonly string[]
  /** MB. */
  readonly storage: number
  readonly tracing: string
  /** ARN of a queue. */
  readonly deadLetters: string | undefined
  readonly logGroup: string
  readonly logFormat: string
}

/** Settings on top of what was before. @throws AwsError InvalidParameterValueException. */
export function configure(given: Settings, before: Configuration): Configuration {
  const variables = given.Environment?.Variables ?? before.variables
  checkVariables(variables)
  const dead =
    given.DeadLetterConfig === undefined ? before.deadLetters : given.DeadLetterConfig.TargetArn
  return {
    runtime: given.Runtime ?? before.runtime,
    role: given.Role ?? before.role,
    handler: given.Handler ?? before.handler,
    description: given.Description ?? before.description,
    timeout: given.Timeout ?? before.timeout,
    memory: given.MemorySize ?? before.memory,
    variables,
    architectures: given.Architectures ?? before.architectures,
    storage: given.EphemeralStorage?.Size ?? before.storage,
    tracing: given.TracingConfig?.Mode ?? before.tracing,
    deadLetters: dead === '' ? undefined : dead,
    logGroup: given.LoggingConfig?.LogGroup ?? before.logGroup,
    logFormat: given.LoggingConfig?.LogFormat ?? before.logFormat,
  }
}

/** What a new function has before anything is set. */
export function defaults(name: string): Configuration {
  return {
    runtime: 'nodejs24.x',
    role: '',
    handler: '',
    description: '',
    timeout: 3,
    memory: 128,
    variables: {},
    architectures: ['x86_64'],
    storage: 512,
    tracing: 'PassThrough',
    deadLetters: undefined,
    logGroup: `/aws/lambda/${name}`,
    logFormat: 'Text',
  }
}

/** `FunctionConfiguration` on the wire. */
export function describeConfiguration(
  own: Configuration,
  about: {
    readonly name: string
    readonly arn: string
    readonly version: string
    readonly code: Code
    /** Epoch milliseconds. */
    readonly modified: number
    readonly revision: string
  },
): Record<string, unknown> {
  const { name, arn, version, code, modified, revision } = about
  return {
    FunctionName: name,
    FunctionArn: arn,
    Runtime: own.runtime,
    Role: own.role,
    Handler: own.handler,
    CodeSize: code.size,
    Description: own.description,
    Timeout: own.timeout,
    MemorySize: own.memory,
    LastModified: new Date(modified).toISOString().replace('Z', '+0000'),
    CodeSha256: code.sha256,
    Version: version,
    ...(Object.keys(own.variables).length > 0 && { Environment: { Variables: own.variables } }),
    ...(own.deadLetters !== undefined && { DeadLetterConfig: { TargetArn: own.deadLetters } }),
    TracingConfig: { Mode: own.tracing },
    RevisionId: revision,
    State: 'Active',
    LastUpdateStatus: 'Successful',
    PackageType: 'Zip',
    Architectures: own.architectures,
    EphemeralStorage: { Size: own.storage },
    LoggingConfig: { LogFormat: own.logFormat, LogGroup: own.logGroup },
  }
}

/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html, "Defined runtime environment variables" */
const RESERVED = [
  '_HANDLER',
  '_X_AMZN_TRACE_ID',
  'AWS_DEFAULT_REGION',
  'AWS_REGION',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_ACCESS_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SESSION_TOKEN',
  'AWS_LAMBDA_RUNTIME_API',
  'LAMBDA_TASK_ROOT',
  'LAMBDA_RUNTIME_DIR',
]

function checkVariables(variables: Readonly<Record<string, string>>) {
  const names = Object.keys(variables)
  const reserved = names.filter((name) => RESERVED.includes(name))
  if (reserved.length > 0) {
    throw invalid(
      `Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: ${reserved.join(', ')}`,
    )
  }
  const bad = names.find((name) => !/^[a-zA-Z]\w+$/.test(name))
  if (bad !== undefined) throw invalid(`Environment variable name ${bad} is not valid.`)
  if (Buffer.byteLength(JSON.stringify(variables)) > 4_096) {
    throw invalid(
      'Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit.',
    )
  }
}

const invalid = (message: string) => new AwsError('InvalidParameterValueException', message)
