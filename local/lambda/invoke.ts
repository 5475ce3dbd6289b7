import * as v from 'valibot'
import { AwsError, type Call, type Operation, operation, seconds, type World } from '../service.ts'
import { type Directory, type Fn, invalid, missing } from './function.ts'
import type { Invocations } from './invocations.ts'

const text = v.string()
const named = { FunctionName: text, Qualifier: v.optional(text) }
const whole = (low: number, high: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(low), v.maxValue(high)))
const destination = v.optional(v.object({ Destination: v.optional(text) }))
const fate = v.object({
  ...named,
  MaximumRetryAttempts: whole(0, 2),
  MaximumEventAgeInSeconds: whole(60, 21_600),
  DestinationConfig: v.optional(v.object({ OnSuccess: destination, OnFailure: destination }), {}),
})

/** Bytes of payload: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const LARGEST: Readonly<Record<string, number>> = { RequestResponse: 6_291_456, Event: 1_048_576 }

/** Invoke, and how asynchronous invocations end. */
export function invokeOperations(
  world: World,
  directory: Directory,
  work: Invocations,
): Readonly<Record<string, Operation>> {
  const put = (input: v.InferOutput<typeof fate>, { region }: Call) => {
    const { fn } = directory.find(input, region)
    const { OnSuccess, OnFailure } = input.DestinationConfig
    fn.fate = {
      retries: input.MaximumRetryAttempts,
      age: input.MaximumEventAgeInSeconds,
      onSuccess: queueOnly(OnSuccess?.Destination),
      onFailure: queueOnly(OnFailure?.Destination),
      modified: world.clock.now(),
    }
    return show(fn)
  }
  return {
    Invoke: operation(
      v.object({
        ...named,
        InvocationType: v.optional(
          v.picklist(['RequestResponse', 'Event', 'DryRun']),
          'RequestResponse',
        ),
        LogType: v.optional(v.picklist(['None', 'Tail']), 'None'),
        /** Base64. */
        Payload: v.optional(text, ''),
      }),
      async (input, { region, requestId }) => {
        const { fn, version, arn } = directory.find(input, region)
        const payload = checkPayload(input.Payload, input.InvocationType)
        if (input.InvocationType === 'DryRun') return { StatusCode: 204 }
        const job = { fn, version, arn, requestId, payload }
        if (input.InvocationType === 'Event') {
          work.enqueue(job)
          return { StatusCode: 202 }
        }
        const outcome = await work.run(job, false)
        if (outcome === undefined)
          throw new AwsError('TooManyRequestsException', 'Rate Exceeded.', 429)
        return {
          StatusCode: 200,
          ExecutedVersion: version.name,
          Payload: Buffer.from(outcome.payload).toString('base64'),
          ...(outcome.failed && { FunctionError: 'Unhandled' }),
          ...(input.LogType === 'Tail' && { LogResult: outcome.tail }),
        }
      },
      'InvalidParameterValueException',
    ),
    PutFunctionEventInvokeConfig: operation(fate, put, 'InvalidParameterValueException'),
    GetFunctionEventInvokeConfig: operation(v.object(named), (input, { region }) =>
      show(directory.find(input, region).fn),
    ),
    DeleteFunctionEventInvokeConfig: operation(v.object(named), (input, { region }) => {
      const { fn } = directory.find(input, region)
      show(fn)
      fn.fate = undefined
      return {}
    }),
  }
}

/** The payload as JSON text; nothing sent is an empty object. */
function checkPayload(base64: string, type: string): string {
  const bytes = Buffer.from(base64, 'base64')
  const limit = LARGEST[type] ?? Number.POSITIVE_INFINITY
  if (bytes.length > limit) {
    throw new AwsError(
      'RequestTooLargeException',
      `Request must be smaller than ${limit} bytes for the InvokeFunction operation`,
      413,
    )
  }
  if (bytes.length === 0) return '{}'
  const payload = bytes.toString('utf8')
  try {
    JSON.parse(payload)
    return payload
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AwsError(
      'InvalidRequestContentException',
      `Could not parse request body into json: ${reason}`,
    )
  }
}

function show({ arn, fate: own }: Fn): Record<string, unknown> {
  if (own === undefined) {
    throw missing(`The function ${arn}:$LATEST doesn't have an EventInvokeConfig`)
  }
  return {
    FunctionArn: `${arn}:$LATEST`,
    LastModified: seconds(own.modified),
    MaximumRetryAttempts: own.retries,
    MaximumEventAgeInSeconds: own.age,
    DestinationConfig: {
      OnSuccess: { Destination: own.onSuccess },
      OnFailure: { Destination: own.onFailure },
    },
  }
}

function queueOnly(arn: string | undefined): string | undefined {
  if (arn === undefined || /^arn:aws:sqs:[a-z0-9-]+:\d{12}:[\w-]{1,80}$/.test(arn)) return arn
  throw invalid(`The destination ARN ${arn} is invalid: only a queue can be a destination here.`)
}
