import type { Iam } from '../iam.ts'
import { AwsError, type Caller } from '../service.ts'
import type { Code } from './code.ts'
import type { Configuration } from './configuration.ts'
import type { Pool } from './pool.ts'

/** One version of a function: settings and code that never change, and the environments that run them. */
export interface Version {
  /** `$LATEST` or a number. */
  readonly name: string
  readonly configuration: Configuration
  readonly code: Code
  readonly pool: Pool
  /** Epoch milliseconds. */
  readonly modified: number
  /** UUID. */
  readonly revision: string
}

/** How asynchronous invocations are retried and where their fate is told. */
export interface Fate {
  /** After the first attempt; 2 when absent. */
  readonly retries?: number | undefined
  /** Seconds; six hours when absent. */
  readonly age?: number | undefined
  /** ARNs of queues. */
  readonly onFailure?: string | undefined
  readonly onSuccess?: string | undefined
  /** Epoch milliseconds. */
  readonly modified: number
}

/** A function with its versions and all that hangs on it. */
export interface Fn {
  readonly region: string
  readonly name: string
  /** Without a qualifier. */
  readonly arn: string
  readonly tags: Map<string, string>
  readonly versions: Map<string, Version>
  /** Statements of its own policy by their id. */
  readonly policy: Map<string, Readonly<Record<string, unknown>>>
  latest: Version
  reserved: number | undefined
  fate: Fate | undefined
}

/** A function with the version that a name, a name with qualifier, or an ARN stands for. */
export interface Located {
  readonly fn: Fn
  readonly version: Version
  /** ARN with the qualifier that was given, if any. */
  readonly arn: string
}

/** Where the operations of Lambda find functions. */
export interface Directory {
  locate(given: string, region: string, qualifier?: string): Located | undefined
  /** @throws AwsError ResourceNotFoundException. */
  find(named: Named, region: string): Located
}

/** How an operation names a function. */
export interface Named {
  readonly FunctionName: string
  readonly Qualifier?: string | undefined
}

const NAME =
  /^(?:(?:arn:aws:lambda:([a-z0-9-]+):)?(?:(\d{12}):)?function:)?([\w-]{1,64})(?::(\$LATEST|[\w-]+))?$/

/** The parts of a function's name, partial ARN or ARN; `undefined` when it is none of them. */
export function parseName(given: string) {
  const match = NAME.exec(given)
  if (match === null) return undefined
  const [, region, owner, name = '', qualifier] = match
  return { region, owner, name, qualifier }
}

/** Who a function is when Lambda uses its execution role for it (queues it polls, destinations). */
export function identities(iam: Iam) {
  const known = new Map<string, Caller>()
  return (fn: Fn): Caller => {
    const { role } = fn.latest.configuration
    const key = `${role} ${fn.name}`
    const credentials = known.has(key) ? undefined : iam.assume(role, fn.name)
    const caller = known.get(key) ?? iam.identify(credentials?.accessKeyId ?? '')?.caller
    if (caller === undefined) return { arn: role, accessKeyId: '', internal: false }
    known.set(key, caller)
    return caller
  }
}

/** URL of the queue with this ARN. */
export function queueUrl(base: string, arn: string): string {
  const [, , , , owner, name] = arn.split(':')
  return `${base}/${owner}/${name}`
}

/** Lambda's answer to bad input. */
export const invalid = (message: string) => new AwsError('InvalidParameterValueException', message)
export const missing = (message: string) => new AwsError('ResourceNotFoundException', message, 404)
export const conflict = (message: string) => new AwsError('ResourceConflictException', message, 409)
