import * as v from 'valibot'
import { AwsError } from '../service.ts'
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
const KNOWN: readonly string[] = [...Object.keys(RANGES), ...TEXTS]
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
  deadLetterTargetArn: v.pipe(v.string(), v.regex(/^arn:aws:sqs:[a-z0-9-]+:\d{12}:[\w-]{1,80}$/)),
  maxReceiveCount: v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.transform(Number))]),
    v.integer(),
    v.minValue(1),
    v.maxValue(1_000),
  ),
})

/** Checks attributes and puts them into `into`; an empty policy takes it away. @throws AwsError InvalidAttributeName or InvalidAttributeValue. */
export function setAttributes(into: Attributes, given: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(given)) check(name, value)
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
  if (!KNOWN.includes(name)) throw unknown(name)
  const range = RANGES[name]
  if (range !== undefined) {
    const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
    if (!(number >= range[0] && number <= range[1])) throw refused(name)
  }
  if (name === 'SqsManagedSseEnabled' && !['true', 'false'].includes(value)) throw refused(name)
  if (name === 'RedrivePolicy' && value !== '') parseRedrive(value)
  if (name.endsWith('Policy') && value !== '') json(value, name)
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
