import * as v from 'valibot'
import { AwsError, type Call, type World } from '../service.ts'
import { lineUp } from './fifo.ts'
import { checkMessage, type Message, md5, md5OfAttributes, messageAttributes } from './message.ts'
import { type Held, milliseconds } from './store.ts'

const text = v.string()

/** Members of SendMessage, and of one entry of its batch. */
export const content = {
  MessageBody: text,
  DelaySeconds: v.optional(v.pipe(v.number(), v.integer())),
  MessageAttributes: v.optional(messageAttributes, {}),
  MessageGroupId: v.optional(text),
  MessageDeduplicationId: v.optional(text),
}
const entry = v.object(content)

/** Puts a message into a queue and gives its answer; a FIFO queue answers a repetition as it did the first time. */
export function sender({ clock, random }: Pick<World, 'clock' | 'random'>) {
  return (to: Held, sent: v.InferOutput<typeof entry>, call: Call) => {
    const { MessageBody: body, MessageAttributes: attributes } = sent
    const line = lineUp(to.attributes, sent)
    checkMessage(body, attributes, Number(to.attributes.get('MaximumMessageSize')))
    const wait = within('DelaySeconds', sent.DelaySeconds, 0, 900)
    const before = line && to.register.recall(line)
    if (before !== undefined) return receipt(before, body, attributes)
    const own = line === undefined && wait !== undefined
    const message: Message = {
      id: random.uuid(),
      body,
      attributes,
      sender: call.caller.internal ? call.caller.arn : senderOf(call),
      sent: clock.now(),
      group: sent.MessageGroupId,
      ...(line && { deduplication: line.deduplication, sequence: to.register.next() }),
      visible: clock.now() + (own ? wait * 1_000 : milliseconds(to.attributes, 'DelaySeconds')),
      received: 0,
    }
    if (line !== undefined) to.register.remember(line, message)
    to.messages.add(message)
    return receipt(message, body, attributes)
  }
}

/** Checksums are of what came now. */
function receipt({ id, sequence }: Message, body: string, attributes: Message['attributes']) {
  return {
    MessageId: id,
    MD5OfMessageBody: md5(body),
    MD5OfMessageAttributes: md5OfAttributes(attributes),
    SequenceNumber: sequence,
  }
}

/** The value, when it is within its range or absent. @throws AwsError InvalidParameterValue */
export function within(name: string, value: number | undefined, low: number, high: number) {
  if (value === undefined || (value >= low && value <= high)) return value
  throw new AwsError(
    'InvalidParameterValue',
    `Value ${value} for parameter ${name} is invalid. Reason: Must be between ${low} and ${high}, if provided.`,
  )
}

const senderOf = ({ caller }: Call) =>
  caller.arn.replace(/^.*:assumed-role\/[^/]+\//, `${caller.accessKeyId}:`)
