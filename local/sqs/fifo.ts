import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { AwsError } from '../service.ts'
import type { Attributes } from './attributes.ts'
import type { Message } from './message.ts'

/** Where a message stands in a FIFO queue. */
export interface Line {
  /** MessageGroupId. */
  readonly group: string
  /** MessageDeduplicationId, as given or made of the body. */
  readonly deduplication: string
}

/** How long a deduplication id is remembered, in milliseconds, whatever becomes of its message. */
const WINDOW = 300_000
const ID = /^[A-Za-z0-9!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]{1,128}$/

/** True for the name or the ARN of a FIFO queue. */
export const isFifo = (name: string) => name.endsWith('.fifo')

/**
 * The place that a sender asks for, checked as SendMessage does it for this kind of queue.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html
 * @throws AwsError MissingParameter or InvalidParameterValue
 */
export function lineUp(
  attributes: Attributes,
  sent: {
    readonly MessageBody: string
    readonly DelaySeconds?: number | undefined
    readonly MessageGroupId?: string | undefined
    readonly MessageDeduplicationId?: string | undefined
  },
): Line | undefined {
  const { MessageGroupId: group, MessageDeduplicationId: given, DelaySeconds: delay } = sent
  if (attributes.get('FifoQueue') !== 'true') {
    if (given !== undefined) throw misplaced(given, 'MessageDeduplicationId')
    return undefined
  }
  if (group === undefined) {
    throw new AwsError('MissingParameter', 'The request must contain the parameter MessageGroupId.')
  }
  checkId(group, 'MessageGroupId')
  if (delay !== undefined && delay !== 0) throw misplaced(delay, 'DelaySeconds')
  if (given !== undefined) checkId(given, 'MessageDeduplicationId')
  else if (attributes.get('ContentBasedDeduplication') !== 'true') {
    throw invalid(
      'The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly',
    )
  }
  return { group, deduplication: given ?? sha256(sent.MessageBody) }
}

/** Tells what was sent before under the same deduplication id, and numbers what is new. */
export interface Register {
  recall(line: Line): Message | undefined
  remember(line: Line, message: Message): void
  /** The next SequenceNumber: 20 digits, growing, with gaps. */
  next(): string
}

/** `attributes` say whether ids count in the whole queue or in their group (DeduplicationScope). */
export function register(clock: Pick<Clock, 'now'>, attributes: Attributes): Register {
  const known = new Map<string, { readonly until: number; readonly message: Message }>()
  let sequence = 18_849_496_460_467_696_128n
  const key = ({ group, deduplication }: Line) =>
    attributes.get('DeduplicationScope') === 'messageGroup'
      ? `${group} ${deduplication}`
      : deduplication
  const forget = () => {
    for (const [id, { until }] of known) {
      if (until > clock.now()) return
      known.delete(id)
    }
  }
  return {
    recall(line) {
      forget()
      return known.get(key(line))?.message
    },
    remember: (line, message) =>
      void known.set(key(line), { until: clock.now() + WINDOW, message }),
    next() {
      sequence += 256n
      return String(sequence)
    },
  }
}

function checkId(id: string, name: string) {
  if (ID.test(id)) return
  throw invalid(
    `Value ${id} for parameter ${name} is invalid. Reason: ${name} can only include alphanumeric and punctuation characters. 1 to 128 in length.`,
  )
}

const sha256 = (body: string) => createHash('sha256').update(body).digest('hex')
const invalid = (message: string) => new AwsError('InvalidParameterValue', message)
const misplaced = (value: string | number, name: string) =>
  invalid(
    `Value ${value} for parameter ${name} is invalid. Reason: The request include parameter that is not valid for this queue type.`,
  )
