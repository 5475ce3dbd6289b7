import * as v from 'valibot'
import type { Mishap } from '../faults.ts'
import { internal } from '../iam.ts'
import { AwsError, type World } from '../service.ts'
import { permits } from './permission.ts'
import { checkTransformation, type Origin, transform, transformation } from './transform.ts'

const text = v.string()

/** A target on the wire: a queue or a function of the same region. */
export const target = v.object({
  Id: v.pipe(text, v.regex(/^[.\-_A-Za-z0-9]{1,64}$/)),
  Arn: text,
  ...transformation,
  RetryPolicy: v.optional(
    v.object({
      MaximumRetryAttempts: v.optional(
        v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(185)),
      ),
      MaximumEventAgeInSeconds: v.optional(
        v.pipe(v.number(), v.integer(), v.minValue(60), v.maxValue(86_400)),
      ),
    }),
  ),
  DeadLetterConfig: v.optional(v.object({ Arn: v.optional(text) })),
  SqsParameters: v.optional(v.object({ MessageGroupId: v.optional(text) })),
})
export type Target = v.InferOutput<typeof target>

/** The envelope, as every target and every pattern sees it. */
export type Event = Readonly<Record<string, unknown>> & {
  readonly 'detail-type': string
  readonly time: string
}

const QUEUE = /^arn:aws:sqs:([a-z0-9-]+):(\d{12}):([\w-]+(?:\.fifo)?)$/
const FUNCTION = /^arn:aws:lambda:([a-z0-9-]+):\d{12}:function:([\w-]+)(?::([\w$-]+))?$/

/** @throws AwsError ValidationException when EventBridge here could not deliver to it. */
export function checkTarget(wanted: Target, region: string): void {
  const place = QUEUE.exec(wanted.Arn) ?? FUNCTION.exec(wanted.Arn)
  if (place === null || place[1] !== region) {
    throw invalid(
      `Parameter ${wanted.Arn} is not valid. Reason: only queues and functions of the same Region can be targets here.`,
    )
  }
  const dead = wanted.DeadLetterConfig?.Arn
  if (dead !== undefined && (QUEUE.exec(dead)?.[1] !== region || dead.endsWith('.fifo'))) {
    throw invalid(
      `Parameter DeadLetterConfig.Arn is not valid. Reason: it must be a standard queue of the same Region.`,
    )
  }
  if (wanted.Arn.endsWith('.fifo') && wanted.SqsParameters?.MessageGroupId === undefined) {
    throw invalid(`Parameter(s) SqsParameters must be specified for target: ${wanted.Id}.`)
  }
  checkTransformation(wanted)
}

/** AWS's own defaults for a retry policy: a day, 185 times. */
const ATTEMPTS = 185
const AGE = 86_400
/** Seconds between tries double from one up to this; AWS says no more than "exponential back off". */
const LONGEST_GAP = 600

/** One event on its way to one target. */
interface Parcel {
  readonly to: Target
  readonly body: string
  readonly rule: string
  readonly detailType: string
  /** Epoch milliseconds of the first attempt. */
  readonly since: number
}

/** How a parcel failed: after so many retries, and which limit ended them. */
interface Failure {
  readonly error: AwsError
  readonly retries: number
  readonly exhausted?: 'MaximumRetryAttempts' | 'MaximumEventAgeInSeconds'
}

/** Delivers events to targets; what fails is tried again by the clock and in the end goes to the dead-letter queue. */
export function delivery(world: World, region: string) {
  const { clock, faults } = world
  const { send } = carrier(world, region)

  async function deliver(event: Event, to: Target, origin: Origin): Promise<void> {
    const body = transform(to, event, origin)
    const detailType = event['detail-type']
    const parcel = { to, body, rule: origin.arn, detailType, since: clock.now() }
    const mishap = faults.strike('events:deliver', detailType, region)
    if (mishap?.kind === 'drop') return
    if (mishap?.kind === 'latency') {
      clock.after(mishap.ms, () => attempt(parcel, 0))
      return
    }
    await attempt(parcel, 0, mishap)
    if (mishap?.kind === 'duplicate') await attempt(parcel, 0)
  }

  async function attempt(parcel: Parcel, retries: number, mishap?: Mishap): Promise<void> {
    try {
      if (FAILING.includes(mishap?.kind ?? '')) throw struck()
      await send(parcel.to, parcel.body, parcel.rule)
      if (mishap?.kind === 'lost') throw struck()
    } catch (error) {
      if (!(error instanceof AwsError)) throw error
      await fail(parcel, { error, retries })
    }
  }

  async function fail(parcel: Parcel, { error, retries }: Failure): Promise<void> {
    const { MaximumRetryAttempts = ATTEMPTS, MaximumEventAgeInSeconds = AGE } =
      parcel.to.RetryPolicy ?? {}
    if (!isTransient(error)) return bury(parcel, { error, retries })
    if (retries >= MaximumRetryAttempts) {
      return bury(parcel, { error, retries, exhausted: 'MaximumRetryAttempts' })
    }
    const gap = Math.min(2 ** retries, LONGEST_GAP) * 1_000
    if (clock.now() + gap > parcel.since + MaximumEventAgeInSeconds * 1_000) {
      return bury(parcel, { error, retries, exhausted: 'MaximumEventAgeInSeconds' })
    }
    clock.after(gap, () => {
      const mishap = faults.strike('events:deliver', parcel.detailType, region)
      return attempt(parcel, retries + 1, mishap)
    })
  }

  async function bury(parcel: Parcel, failure: Failure): Promise<void> {
    const queue = parcel.to.DeadLetterConfig?.Arn
    if (queue === undefined) return
    try {
      await send({ Arn: queue }, parcel.body, parcel.rule, epitaph(parcel, failure))
    } catch (error) {
      // AWS counts this in a metric (InvocationsFailedToBeSentToDlq) and does no more.
      if (!(error instanceof AwsError)) throw error
    }
  }

  return deliver
}

/** Puts a text into a queue or invokes a function with it, if the target's own policy lets EventBridge. */
function carrier(world: World, region: string) {
  const caller = internal(PRINCIPAL)
  const call = (service: string, operation: string, input: Readonly<Record<string, unknown>>) =>
    world.call(service, operation, input, { region, caller })
  const look: typeof call = (service, operation, input) =>
    world.call(service, operation, input, { region, caller, unrecorded: true })

  const allow = (found: unknown, arn: string, action: string, rule: string) => {
    const conditions = { 'aws:SourceArn': rule, 'aws:SourceAccount': world.account }
    const policy = v.safeParse(ownPolicy, found)
    const text = policy.success ? policy.output : undefined
    if (permits(text, PRINCIPAL, action, { arn, conditions })) return
    throw new AwsError(
      'AccessDeniedException',
      `User: ${PRINCIPAL} is not authorized to perform: ${action} on resource: ${arn}`,
    )
  }

  async function enqueue(
    { Arn: arn, SqsParameters }: To,
    body: string,
    rule: string,
    notes: Notes,
  ) {
    const [, , owner = '', name = ''] = QUEUE.exec(arn) ?? []
    const QueueUrl = `${world.url}/${owner}/${name}`
    const found = await look('sqs', 'GetQueueAttributes', { QueueUrl, AttributeNames: ['Policy'] })
    allow(found['Attributes'], arn, 'sqs:SendMessage', rule)
    const MessageAttributes = Object.fromEntries(
      Object.entries(notes).map(([key, StringValue]) => [key, { DataType: 'String', StringValue }]),
    )
    const message = { QueueUrl, MessageBody: body, MessageAttributes, ...SqsParameters }
    await call('sqs', 'SendMessage', message)
  }

  async function invoke(arn: string, body: string, rule: string) {
    const [, , FunctionName = '', Qualifier] = FUNCTION.exec(arn) ?? []
    const named = { FunctionName, ...(Qualifier !== undefined && { Qualifier }) }
    await look('lambda', 'GetFunctionConfiguration', named)
    const found = await look('lambda', 'GetPolicy', named).catch((error: unknown) => {
      if (error instanceof AwsError && error.code === 'ResourceNotFoundException') return {}
      throw error
    })
    allow(found, arn, 'lambda:InvokeFunction', rule)
    const Payload = Buffer.from(body).toString('base64')
    await call('lambda', 'Invoke', { ...named, InvocationType: 'Event', Payload })
  }

  return {
    send: (to: To, body: string, rule: string, notes: Notes = {}): Promise<void> =>
      QUEUE.test(to.Arn) ? enqueue(to, body, rule, notes) : invoke(to.Arn, body, rule),
  }
}

type To = Pick<Target, 'Arn' | 'SqsParameters'>
type Notes = Readonly<Record<string, string>>

/** Message attributes: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html */
function epitaph({ rule, to }: Parcel, { error, retries, exhausted }: Failure): Notes {
  return {
    RULE_ARN: rule,
    TARGET_ARN: to.Arn,
    ERROR_CODE: CODES[error.code] ?? 'ERROR_FROM_TARGET',
    ERROR_MESSAGE: error.message,
    RETRY_ATTEMPTS: String(retries),
    ...(exhausted !== undefined && { EXHAUSTED_RETRY_CONDITION: exhausted }),
  }
}

const PRINCIPAL = 'events.amazonaws.com'
const ownPolicy = v.pipe(
  v.object({ Policy: v.string() }),
  v.transform(({ Policy }) => Policy),
)
const CODES: Readonly<Record<string, string>> = {
  AccessDeniedException: 'NO_PERMISSIONS',
  ResourceNotFoundException: 'NO_RESOURCE',
  QueueDoesNotExist: 'NO_RESOURCE',
  InvalidRequestContentException: 'INVALID_JSON',
  InvalidParameterValue: 'INVALID_PARAMETER',
  TooManyRequestsException: 'THROTTLING',
}
/** Mishaps that keep an event from its target; `lost` delivers it and says that it failed. */
const FAILING: readonly string[] = ['error', 'throttle', 'refuse', 'reset', 'hang']

const isTransient = ({ status, code }: AwsError) =>
  status >= 500 || code === 'TooManyRequestsException'
const struck = () => new AwsError('InternalFailure', 'The target did not answer.', 500)
const invalid = (message: string) => new AwsError('ValidationException', message)
