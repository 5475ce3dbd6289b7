import { AwsError, type Caller, type World } from '../service.ts'
import { type Fn, queueUrl, type Version } from './function.ts'
import type { Outcome } from './sandbox.ts'

/** One event on its way into a function. */
export interface Job {
  readonly fn: Fn
  readonly version: Version
  /** ARN with the qualifier that the caller named. */
  readonly arn: string
  readonly requestId: string
  /** JSON. */
  readonly payload: string
}

/** Runs functions now, or later and again. */
export interface Invocations {
  /** `undefined` when throttled; with `wait`, only when nothing may run at all. */
  run(job: Job, wait: boolean): Promise<Outcome | undefined>
  /** Accepts an asynchronous invocation. */
  enqueue(job: Job): void
}

type Condition = 'RetriesExhausted' | 'EventAgeExceeded' | 'Success'

/** Between an asynchronous invocation that failed and its retries, in milliseconds of the clock. */
const GAPS = [60_000, 120_000]
/** While nothing may run (reserved concurrency zero). */
const THROTTLED_GAP = 60_000
const AGE = 21_600

/**
 * Asynchronous invocations are tried again after one and after two minutes, and end in a destination or a dead-letter
 * queue. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
 */
export function invocations(world: World, identity: (fn: Fn) => Caller): Invocations {
  const { clock, random } = world

  const run: Invocations['run'] = ({ version, arn, requestId, payload }, wait) => {
    const second = Math.floor(clock.now() / 1_000).toString(16)
    const sampled = version.configuration.tracing === 'Active' ? 1 : 0
    const trace = `Root=1-${second}-${random.hex(24)};Parent=${random.hex(16)};Sampled=${sampled}`
    return version.pool.run({ requestId, payload, arn, trace }, wait)
  }

  async function attempt(job: Job, since: number, tried: number): Promise<void> {
    const outcome = await run(job, true)
    const failures = outcome === undefined ? tried : tried + 1
    if (outcome?.failed === false) return conclude(job, 'Success', outcome, failures)
    const { retries = GAPS.length, age = AGE } = job.fn.fate ?? {}
    if (failures > retries) return conclude(job, 'RetriesExhausted', outcome, failures)
    const gap = outcome === undefined ? THROTTLED_GAP : (GAPS[failures - 1] ?? 0)
    if (clock.now() + gap > since + age * 1_000) {
      return conclude(job, 'EventAgeExceeded', outcome, failures)
    }
    clock.after(gap, () => clock.hold(attempt(job, since, failures)))
  }

  async function conclude(
    job: Job,
    condition: Condition,
    outcome: Outcome | undefined,
    count: number,
  ) {
    const { fate, latest } = job.fn
    const succeeded = condition === 'Success'
    const destination = succeeded ? fate?.onSuccess : fate?.onFailure
    if (destination !== undefined) {
      await tell(job.fn, destination, record(job, condition, outcome, count))
    }
    const dead = latest.configuration.deadLetters
    if (succeeded || dead === undefined) return
    const { errorMessage = '' } = parse(outcome?.payload)
    await tell(job.fn, dead, job.payload, {
      RequestID: { DataType: 'String', StringValue: job.requestId },
      ErrorCode: { DataType: 'Number', StringValue: outcome === undefined ? '429' : '200' },
      ErrorMessage: {
        DataType: 'String',
        StringValue: String(errorMessage).slice(0, 1_024) || '-',
      },
    })
  }

  function record(job: Job, condition: Condition, outcome: Outcome | undefined, count: number) {
    const { version, fn } = job
    return JSON.stringify({
      version: '1.0',
      timestamp: new Date(clock.now()).toISOString(),
      requestContext: {
        requestId: job.requestId,
        functionArn: `${fn.arn}:${version.name}`,
        condition,
        approximateInvokeCount: count,
      },
      requestPayload: JSON.parse(job.payload),
      ...(outcome !== undefined && {
        responseContext: {
          statusCode: 200,
          executedVersion: version.name,
          ...(outcome.failed && { functionError: 'Unhandled' }),
        },
        responsePayload: JSON.parse(outcome.payload),
      }),
    })
  }

  async function tell(fn: Fn, arn: string, MessageBody: string, MessageAttributes = {}) {
    const input = { QueueUrl: queueUrl(world.url, arn), MessageBody, MessageAttributes }
    try {
      await world.call('sqs', 'SendMessage', input, { region: fn.region, caller: identity(fn) })
    } catch (error) {
      // AWS counts this in a metric (DestinationDeliveryFailures, DeadLetterErrors) and does no more.
      if (!(error instanceof AwsError)) throw error
    }
  }

  return {
    run,
    enqueue: (job) => clock.hold(attempt(job, clock.now(), 0)),
  }
}

function parse(payload: string | undefined): { readonly errorMessage?: unknown } {
  const value: unknown = payload === undefined ? undefined : JSON.parse(payload)
  return typeof value === 'object' && value !== null ? value : {}
}
