import * as v from 'valibot'
import { idle } from '../idle.ts'
import { AwsError, type Caller, type World } from '../service.ts'
import { type Fn, queueUrl } from './function.ts'
import type { Invocations } from './invocations.ts'

/** A queue that feeds a function. */
export interface Mapping {
  /** UUID. */
  readonly id: string
  readonly region: string
  /** ARN of the queue. */
  readonly source: string
  terms: Terms
  enabled: boolean
  /** Epoch milliseconds. */
  modified: number
  /** Ends the poller that is at work now. */
  stop: () => void
}

/** What may change while a mapping lives. */
export interface Terms {
  /** ARN as it was given, with its qualifier. */
  readonly target: string
  readonly batch: number
  /** Seconds to wait for a fuller batch. */
  readonly window: number
  /** Batches at a time. */
  readonly concurrency: number | undefined
  /** ReportBatchItemFailures. */
  readonly partial: boolean
}

const message = v.object({
  MessageId: v.string(),
  ReceiptHandle: v.string(),
  Body: v.string(),
  MD5OfBody: v.string(),
  Attributes: v.optional(v.record(v.string(), v.string()), {}),
  MessageAttributes: v.optional(
    v.record(
      v.string(),
      v.object({
        DataType: v.string(),
        StringValue: v.optional(v.string()),
        BinaryValue: v.optional(v.string()),
      }),
    ),
    {},
  ),
})
const answer = v.object({ Messages: v.optional(v.array(message), []) })
type Message = v.InferOutput<typeof message>

/** Batches that AWS starts with when no maximum is set. */
const CONCURRENCY = 5
/** After a queue or a function could not be used, in milliseconds of the clock. */
const PAUSE = 10_000

/**
 * Polls a mapping's queue until it is stopped: what the function has handled is deleted, what it has not is left until
 * its visibility timeout ends. https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
 */
export function poll(
  mapping: Mapping,
  around: {
    readonly world: World
    readonly invocations: Invocations
    readonly identity: (fn: Fn) => Caller
    /** The function that an ARN names, while it is there. */
    readonly find: (arn: string) => Pick<Job, 'fn' | 'version'> | undefined
  },
): () => void {
  const { world, invocations, identity, find } = around
  const { terms, region, source } = mapping
  const { clock } = world
  const QueueUrl = queueUrl(world.url, source)
  let stopped = false
  let running = 0
  let freed = () => {}

  const call = (fn: Fn, operation: string, input: Readonly<Record<string, unknown>>) =>
    world.call('sqs', operation, { QueueUrl, ...input }, { region, caller: identity(fn) })

  async function receive(fn: Fn, most: number, wait: number): Promise<readonly Message[]> {
    const output = await call(fn, 'ReceiveMessage', {
      MaxNumberOfMessages: Math.min(10, most),
      WaitTimeSeconds: wait,
      MessageSystemAttributeNames: ['All'],
      MessageAttributeNames: ['All'],
    })
    return v.parse(answer, output).Messages
  }

  async function gather(fn: Fn): Promise<readonly Message[]> {
    const batch = [...(await receive(fn, terms.batch, 20))]
    const end = clock.now() + terms.window * 1_000
    while (batch.length > 0 && batch.length < terms.batch && clock.now() < end && !stopped) {
      await clock.sleep(Math.min(1_000, end - clock.now()))
      batch.push(...(await receive(fn, terms.batch - batch.length, 0)))
    }
    return batch
  }

  async function handle(job: Pick<Job, 'fn' | 'version'>, batch: readonly Message[]) {
    const payload = JSON.stringify({ Records: batch.map((each) => recordOf(each, mapping)) })
    const requestId = world.random.uuid()
    const outcome = await invocations.run({ ...job, arn: terms.target, requestId, payload }, true)
    if (outcome === undefined || outcome.failed) return
    const failed = terms.partial ? failures(outcome.payload, batch) : []
    const done = batch.filter(({ MessageId }) => !failed.includes(MessageId))
    for (let start = 0; start < done.length; start += 10) {
      const Entries = done
        .slice(start, start + 10)
        .map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }))
      await call(job.fn, 'DeleteMessageBatch', { Entries })
    }
  }

  async function giveBack(fn: Fn, batch: readonly Message[]) {
    for (const { ReceiptHandle } of batch) {
      await call(fn, 'ChangeMessageVisibility', { ReceiptHandle, VisibilityTimeout: 0 })
    }
  }

  async function loop() {
    while (!stopped) {
      const job = find(terms.target)
      try {
        if (job === undefined) throw new AwsError('ResourceNotFoundException', terms.target, 404)
        const batch = await gather(job.fn)
        if (batch.length === 0) continue
        if (stopped) return await giveBack(job.fn, batch)
        running++
        const work = handle(job, batch).finally(() => {
          running--
          freed()
        })
        clock.hold(work)
        while (running >= (terms.concurrency ?? CONCURRENCY)) {
          await new Promise<void>((resolve) => {
            freed = resolve
          })
        }
      } catch (error) {
        if (!(error instanceof AwsError)) throw error
        await new Promise<void>((resolve) => idle(clock, PAUSE, resolve))
      }
    }
  }
  loop().catch((error: unknown) => clock.hold(Promise.reject(error))) // reported like a timer's mistake
  return () => {
    stopped = true
  }
}

type Job = Parameters<Invocations['run']>[0]

/** One element of `Records`: https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html, "Example event" */
function recordOf(each: Message, { source, region }: Mapping) {
  return {
    messageId: each.MessageId,
    receiptHandle: each.ReceiptHandle,
    body: each.Body,
    attributes: each.Attributes,
    messageAttributes: Object.fromEntries(
      Object.entries(each.MessageAttributes).map(([name, value]) => [
        name,
        {
          ...(value.StringValue !== undefined && { stringValue: value.StringValue }),
          ...(value.BinaryValue !== undefined && { binaryValue: value.BinaryValue }),
          stringListValues: [],
          binaryListValues: [],
          dataType: value.DataType,
        },
      ]),
    ),
    md5OfBody: each.MD5OfBody,
    eventSource: 'aws:sqs',
    eventSourceARN: source,
    awsRegion: region,
  }
}

const report = v.object({
  batchItemFailures: v.nullish(v.array(v.object({ itemIdentifier: v.string() }))),
})

/**
 * Ids of the messages to keep. Nothing said means success; an answer that cannot be understood, or that names a
 * message of another batch, means that all have failed:
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html, "Success and failure conditions"
 */
function failures(payload: string, batch: readonly Message[]): readonly string[] {
  const all = batch.map(({ MessageId }) => MessageId)
  const parsed = v.safeParse(v.nullable(report), JSON.parse(payload))
  if (!parsed.success) return all
  const named = (parsed.output?.batchItemFailures ?? []).map((each) => each.itemIdentifier)
  return named.every((id) => all.includes(id)) ? named : all
}
