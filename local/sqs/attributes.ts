import * as v from 'valibot'
import { AwsError } from '../service.ts'
import { isFifo } from './fifo.ts'
import type { Redrive } from './queue.ts'

/** Attributes of a queue that a caller may set, each as text, as the wire has them. */
export type Attributes = Map<string, string>

/** What CreateQueue starts from. Times in seconds, sizes in bytes. */
export const DEFAULTS: Readonly<Record<string, string>> = {
  VisibilityTimeout: '30',
  MaximumMessageSize: '1048576',
  MessageRetentionPeriod: '345600',
  DelaySeconds: '0',
  ReceiveMessageWaitTimeSeconds: '0',
  SqsManagedSseEnabled: 'true',
}

/** What a FIFO queue has besides. */
export const FIFO_DEFAULTS: Readonly<Record<string, string>> = {
  FifoQueue: 'true',
  ContentBasedDeduplication: 'false',
  DeduplicationScope: 'queue',
  FifoThroughputLimit: 'perQueue',
}

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html */
const RANGES: Readonly<Record<string, readonly [number, number]>> = {
  VisibilityTimeout: [0, 43_200],
  MaximumMessageSize: [1_024, 1_048_576],
  MessageRetentionPeriod: [60, 1_209_600],
  DelaySeconds: [0, 900],
  ReceiveMessageWaitTimeSeconds: [0, 20],
  KmsDataKeyReusePeriodSeconds: [60, 86_400],
}
const TEXTS = [
  'KmsMasterKeyId',
  'SqsManagedSseEnabled',
  'Policy',
  'RedrivePolicy',
  'RedriveAllowPolicy',
]
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  SqsManagedSseEnabled: ['true', 'false'],
  ContentBasedDeduplication: ['true', 'false'],
  DeduplicationScope: ['messageGroup', 'queue'],
  FifoThroughputLimit: ['perQueue', 'perMessageGroupId'],
  FifoQueue: ['true'],
}
const STANDARD: readonly string[] = [...Object.keys(RANGES), ...TEXTS]
const FIFO: readonly string[] = Object.keys(FIFO_DEFAULTS)
const KNOWN: readonly string[] = [...STANDARD, ...FIFO]
const READ_ONLY: readonly string[] = [
  'All',
  'QueueArn',
  'ApproximateNumberOfMessages',
  'ApproximateNumberOfMessagesNotVisible',
  'ApproximateNumberOfMessagesDelayed',
  'CreatedTimestamp',
  'LastModifiedTimestamp',
]

const redrive = v.object({
  deadLetterTargetArn: v.pipe(
    v.string(),
    v.regex(/^arn:aws:sqs:[a-z0-9-]+:\d{12}:[\w-]{1,80}(\.fifo)?$/),
  ),
  maxReceiveCount: v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.transform(Number))]),
    v.integer(),
    v.minValue(1),
    v.maxValue(1_000),
  ),
})

/**
 * Checks attributes and puts them into `into`, those of a queue whose kind is settled; an empty policy takes it away.
 * @throws AwsError InvalidAttributeName, InvalidAttributeValue or InvalidParameterValue.
 */
export function setAttributes(into: Attributes, given: Readonly<Record<string, string>>): void {
  const fifo = into.get('FifoQueue') === 'true'
  const known = fifo ? KNOWN : STANDARD
  for (const [name, value] of Object.entries(given)) {
    if (!known.includes(name)) throw unknown(name)
    check(name, value)
  }
  if (fifo) checkThroughput({ ...Object.fromEntries(into), ...given })
  checkDeadLetters(given['RedrivePolicy'] ?? '', fifo)
  for (const [name, value] of Object.entries(given)) {
    if (value === '') into.delete(name)
    else into.set(name, value)
  }
}

/** @throws AwsError InvalidAttributeName for names that GetQueueAttributes does not know. */
export function checkNames(names: readonly string[]): void {
  for (const name of names) {
    if (!KNOWN.includes(name) && !READ_ONLY.includes(name)) throw unknown(name)
  }
}

/** The redrive policy, parsed. */
export function redriveOf(attributes: Attributes): Redrive | undefined {
  const text = attributes.get('RedrivePolicy')
  return text === undefined ? undefined : parseRedrive(text)
}

function check(name: string, value: string) {
  const range = RANGES[name]
  if (range !== undefined) {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
    if (!(number >= range[0] && number <= range[1])) throw refused(name)
  }
  if (CHOICES[name]?.includes(value) === false) throw refused(name)
  if (name === 'RedrivePolicy' && value !== '') parseRedrive(value)
  if (name.endsWith('Policy') && value !== '') json(value, name)
}

function checkThroughput(all: Readonly<Record<string, string>>) {
  const { FifoThroughputLimit, DeduplicationScope } = all
  if (FifoThroughputLimit !== 'perMessageGroupId' || DeduplicationScope === 'messageGroup') return
  throw refused('FifoThroughputLimit')
}

function checkDeadLetters(policy: string, fifo: boolean) {
  if (policy === '' || isFifo(parseRedrive(policy).deadLetterTargetArn) === fifo) return
  throw new AwsError(
    'InvalidParameterValue',
    `Value ${policy} for parameter RedrivePolicy is invalid. Reason: Dead-letter queue must be same type of queue as the source.`,
  )
}

function parseRedrive(text: string): Redrive {
  const parsed = v.safeParse(redrive, json(text, 'RedrivePolicy'))
  if (!parsed.success) throw refused('RedrivePolicy')
  return parsed.output
}

function json(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw refused(name)
  }
}

const unknown = (name: string) => new AwsError('InvalidAttributeName', `Unknown Attribute ${name}.`)
const refused = (name: string) =>
  new AwsError('InvalidAttributeValue', `Invalid value for the parameter ${name}.`)
