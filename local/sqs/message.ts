import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { AwsError } from '../service.ts'

/** A message attribute on the wire: binary values are base64. */
const attribute = v.object({
  DataType: v.string(),
  StringValue: v.optional(v.string()),
  BinaryValue: v.optional(v.string()),
})

/** `MessageAttributes` of SendMessage. */
export const messageAttributes = v.record(v.string(), attribute)
export type MessageAttributes = v.InferOutput<typeof messageAttributes>

/** One message of a queue. Times are epoch milliseconds. */
export interface Message {
  /** UUID; kept when the message moves to a dead-letter queue. */
  readonly id: string
  readonly body: string
  readonly attributes: MessageAttributes
  /** The sender's principal id, as `SenderId` says it. */
  readonly sender: string
  readonly sent: number
  /** ARN of the queue it was moved from. */
  readonly source?: string
  /** MessageGroupId. */
  readonly group?: string | undefined
  /** MessageDeduplicationId, in a FIFO queue. */
  readonly deduplication?: string
  /** SequenceNumber, in a FIFO queue. */
  readonly sequence?: string
  /** Retention counts from here on: a FIFO queue's dead letters begin anew. */
  readonly since?: number
  /** Receivable from here on. */
  visible: number
  received: number
  first?: number
  /** The latest receipt handle; an older one no longer deletes. */
  receipt?: string
}

/** XML 1.0 characters: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html */
const CONTENTS = /^[\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]*$/u
const NAME = /^(?!\.)(?!.*\.\.)[A-Za-z0-9_.-]{1,256}(?<!\.)$/

/**
 * Checks a message as SendMessage does. `limit` in bytes covers the body and all attributes.
 * @throws AwsError InvalidMessageContents, InvalidParameterValue or MissingParameter.
 */
export function checkMessage(body: string, attributes: MessageAttributes, limit: number): void {
  if (body === '') {
    throw new AwsError('MissingParameter', 'The request must contain the parameter MessageBody.')
  }
  if (!CONTENTS.test(body)) {
    throw new AwsError('InvalidMessageContents', 'Invalid characters found in the message.')
  }
  const names = Object.keys(attributes)
  if (names.length > 10) {
    throw invalid(
      `Number of message attributes [${names.length}] exceeds the allowed maximum [10].`,
    )
  }
  for (const [name, value] of Object.entries(attributes)) checkAttribute(name, value)
  if (size(body, attributes) > limit) {
    throw invalid(
      `One or more parameters are invalid. Reason: Message must be shorter than ${limit} bytes.`,
    )
  }
}

/** Bytes that count towards the size limits of a message and of a batch. */
export function size(body: string, attributes: MessageAttributes): number {
  const own = Object.entries(attributes).map(
    ([name, value]) =>
      Buffer.byteLength(name) + Buffer.byteLength(value.DataType) + bytes(value).length,
  )
  return Buffer.byteLength(body) + own.reduce((sum, each) => sum + each, 0)
}

/** Lower-case hex. */
export function md5(data: string | Buffer): string {
  return createHash('md5').update(data).digest('hex')
}

/**
 * `MD5OfMessageAttributes`: SQS Developer Guide, "Calculating the MD5 message digest for message attributes".
 * `undefined` without attributes, as the member is then absent.
 */
export function md5OfAttributes(attributes: MessageAttributes): string | undefined {
  const parts = Object.entries(attributes)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, value]) => [
      ...measured(Buffer.from(name)),
      ...measured(Buffer.from(value.DataType)),
      Buffer.from([isBinary(value.DataType) ? 2 : 1]),
      ...measured(bytes(value)),
    ])
  return parts.length === 0 ? undefined : md5(Buffer.concat(parts))
}

/** A received message; `All`, `.*` and `prefix.*` choose attributes as in AWS. */
export function show(message: Message, system: readonly string[], wanted: readonly string[]) {
  const facts = {
    ApproximateReceiveCount: String(message.received),
    ApproximateFirstReceiveTimestamp: String(message.first ?? message.sent),
    SenderId: message.sender,
    SentTimestamp: String(message.sent),
    ...(message.source !== undefined && { DeadLetterQueueSourceArn: message.source }),
    ...(message.group !== undefined && { MessageGroupId: message.group }),
    ...(message.deduplication !== undefined && { MessageDeduplicationId: message.deduplication }),
    ...(message.sequence !== undefined && { SequenceNumber: message.sequence }),
  }
  const chosen = Object.entries(facts).filter(
    ([name]) => system.includes('All') || system.includes(name),
  )
  const asked = (name: string) =>
    wanted.some(
      (want) =>
        want === 'All' ||
        want === name ||
        (want.endsWith('.*') && name.startsWith(want.slice(0, -2))),
    )
  const attributes: MessageAttributes = Object.fromEntries(
    Object.entries(message.attributes).filter(([name]) => asked(name)),
  )
  return {
    MessageId: message.id,
    ReceiptHandle: message.receipt,
    Body: message.body,
    MD5OfBody: md5(message.body),
    ...(chosen.length > 0 && { Attributes: Object.fromEntries(chosen) }),
    ...(Object.keys(attributes).length > 0 && {
      MessageAttributes: attributes,
      MD5OfMessageAttributes: md5OfAttributes(attributes),
    }),
  }
}

function checkAttribute(name: string, value: v.InferOutput<typeof attribute>) {
  if (!NAME.test(name) || /^(aws|amazon)\./i.test(name)) {
    throw invalid(`Message (user) attribute name '${name}' is invalid.`)
  }
  if (!/^(String|Number|Binary)(\.[^.].*)?$/.test(value.DataType)) {
    throw invalid(
      `The type of message (user) attribute '${name}' is invalid. You must use only the following supported type prefixes: Binary, Number, String.`,
    )
  }
  const content = isBinary(value.DataType) ? value.BinaryValue : value.StringValue
  if (content === undefined || content === '') {
    throw invalid(
      `Message (user) attribute '${name}' must contain a non-empty value of type '${value.DataType}'.`,
    )
  }
  if (value.DataType.startsWith('Number') && !Number.isFinite(Number(content))) {
    throw invalid(`Can't cast the value of message (user) attribute '${name}' to a number.`)
  }
}

const invalid = (message: string) => new AwsError('InvalidParameterValue', message)
const isBinary = (type: string) => type.startsWith('Binary')
const bytes = (value: v.InferOutput<typeof attribute>) =>
  isBinary(value.DataType)
    ? Buffer.from(value.BinaryValue ?? '', 'base64')
    : Buffer.from(value.StringValue ?? '')

function measured(data: Buffer): Buffer[] {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(data.length)
  return [length, data]
}
