import * as v from 'valibot'
import { AwsError, type Call, operation, type Service, type World } from '../service.ts'
import { type Attributes, checkNames, DEFAULTS, redriveOf, setAttributes } from './attributes.ts'
import { each } from './batch.ts'
import {
  checkMessage,
  type Message,
  md5,
  md5OfAttributes,
  messageAttributes,
  show,
  size,
} from './message.ts'
import { type Queue, queue } from './queue.ts'

/** One queue with its name, its settings and its messages. Times are epoch milliseconds. */
interface Held {
  readonly name: string
  readonly url: string
  readonly arn: string
  readonly attributes: Attributes
  readonly tags: Map<string, string>
  readonly messages: Queue
  readonly created: number
  modified: number
}

const text = v.string()
const count = v.pipe(v.number(), v.integer())
const settings = v.optional(v.record(text, text), {})
const names = v.optional(v.array(text), [])
const byUrl = { QueueUrl: text }
const delay = v.optional(count)
const content = {
  MessageBody: text,
  DelaySeconds: delay,
  MessageAttributes: v.optional(messageAttributes, {}),
  MessageGroupId: v.optional(text),
  MessageDeduplicationId: v.optional(text),
}
const entry = v.object(content)
const batch = <const S extends v.ObjectEntries>(members: S) =>
  v.object({ ...byUrl, Entries: v.array(v.object({ Id: text, ...members })) })

/**
 * Amazon SQS, standard queues only.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
 */
export function sqs(world: World): Service {
  const { clock, random, account } = world
  const regions = new Map<string, Map<string, Held>>()
  const queues = (region: string) => {
    const known = regions.get(region) ?? new Map<string, Held>()
    regions.set(region, known)
    return known
  }
  world.onClose(() => {
    for (const known of regions.values())
      for (const { messages } of known.values()) messages.close()
  })
  const byArn = (arn: string) => {
    const [, , , region = '', owner, name = ''] = arn.split(':')
    return owner === account ? queues(region).get(name) : undefined
  }
  const find = (url: string, { region }: Call) => {
    const found = queues(region).get(nameOf(url))
    if (found === undefined) throw missing()
    return found
  }
  const create = (name: string, region: string): Held => {
    const attributes: Attributes = new Map(Object.entries(DEFAULTS))
    const messages = queue(world, {
      id: random.uuid(),
      retention: () => milliseconds(attributes, 'MessageRetentionPeriod'),
      redrive: () => redriveOf(attributes),
      bury(arn, message) {
        const target = byArn(arn)
        target?.messages.add({ ...message, source: held.arn, visible: clock.now() })
        return target !== undefined
      },
    })
    const held: Held = {
      name,
      url: `${world.url}/${account}/${name}`,
      arn: `arn:aws:sqs:${region}:${account}:${name}`,
      attributes,
      tags: new Map(),
      messages,
      created: clock.now(),
      modified: clock.now(),
    }
    return held
  }
  const send = (to: Held, sent: v.InferOutput<typeof entry>, call: Call) => {
    const { MessageBody: body, MessageAttributes: attributes } = sent
    if (sent.MessageDeduplicationId !== undefined) {
      throw invalid(
        `Value ${sent.MessageDeduplicationId} for parameter MessageDeduplicationId is invalid. Reason: The request includes a parameter that is not valid for this queue type.`,
      )
    }
    checkMessage(body, attributes, Number(to.attributes.get('MaximumMessageSize')))
    const wait = within('DelaySeconds', sent.DelaySeconds, 0, 900)
    const message: Message = {
      id: random.uuid(),
      body,
      attributes,
      sender: call.caller.internal ? call.caller.arn : senderOf(call),
      sent: clock.now(),
      visible:
        clock.now() +
        (wait === undefined ? milliseconds(to.attributes, 'DelaySeconds') : wait * 1_000),
      received: 0,
    }
    to.messages.add(message)
    return {
      MessageId: message.id,
      MD5OfMessageBody: md5(body),
      MD5OfMessageAttributes: md5OfAttributes(attributes),
    }
  }
  const hide = (from: Held, handle: string, timeout: number) => {
    from.messages.hide(handle, (within('VisibilityTimeout', timeout, 0, 43_200) ?? 0) * 1_000)
    return {}
  }
  const remove = (from: Held, handle: string) => {
    from.messages.remove(handle)
    return {}
  }

  return {
    name: 'sqs',
    subject: (_operation, input, { region }) => {
      const name = input['QueueName'] ?? nameOf(String(input['QueueUrl'] ?? ''))
      const known = queues(region).get(String(name))
      return {
        arn: name === '' ? '*' : `arn:aws:sqs:${region}:${account}:${String(name)}`,
        ...(known && { tags: Object.fromEntries(known.tags) }),
      }
    },
    operations: {
      CreateQueue: operation(
        v.object({ QueueName: text, Attributes: settings, tags: settings }),
        ({ QueueName: name, Attributes: given, tags }, { region }) => {
          checkName(name, given)
          const existing = queues(region).get(name)
          if (existing !== undefined) {
            const differs = Object.entries(given).find(
              ([key, value]) => existing.attributes.get(key) !== value,
            )
            if (differs === undefined) return { QueueUrl: existing.url }
            throw new AwsError(
              'QueueNameExists',
              `A queue already exists with the same name and a different value for attribute ${differs[0]}`,
            )
          }
          const held = create(name, region)
          setAttributes(held.attributes, given)
          for (const [key, value] of Object.entries(tags)) held.tags.set(key, value)
          queues(region).set(name, held)
          return { QueueUrl: held.url }
        },
      ),
      GetQueueUrl: operation(v.object({ QueueName: text }), ({ QueueName }, call) => ({
        QueueUrl: find(QueueName, call).url,
      })),
      GetQueueAttributes: operation(
        v.object({ ...byUrl, AttributeNames: names }),
        ({ QueueUrl, AttributeNames: wanted }, call) => {
          checkNames(wanted)
          const all = describe(find(QueueUrl, call))
          const shown = Object.entries(all).filter(
            ([name]) => wanted.includes('All') || wanted.includes(name),
          )
          return shown.length === 0 ? {} : { Attributes: Object.fromEntries(shown) }
        },
      ),
      SetQueueAttributes: operation(
        v.object({ ...byUrl, Attributes: settings }),
        ({ QueueUrl, Attributes: given }, call) => {
          const held = find(QueueUrl, call)
          setAttributes(held.attributes, given)
          held.modified = clock.now()
          return {}
        },
      ),
      ListQueues: operation(
        v.object({ QueueNamePrefix: v.optional(text, '') }),
        ({ QueueNamePrefix: prefix }, { region }) => {
          const urls = [...queues(region).values()]
            .filter(({ name }) => name.startsWith(prefix))
            .map(({ url }) => url)
          return urls.length === 0 ? {} : { QueueUrls: urls.sort() }
        },
      ),
      ListQueueTags: operation(v.object(byUrl), ({ QueueUrl }, call) => ({
        Tags: Object.fromEntries(find(QueueUrl, call).tags),
      })),
      DeleteQueue: operation(v.object(byUrl), ({ QueueUrl }, call) => {
        queues(call.region).delete(find(QueueUrl, call).name)
        return {}
      }),
      PurgeQueue: operation(v.object(byUrl), ({ QueueUrl }, call) => {
        find(QueueUrl, call).messages.purge()
        return {}
      }),
      SendMessage: operation(v.object({ ...byUrl, ...content }), (input, call) =>
        send(find(input.QueueUrl, call), input, call),
      ),
      SendMessageBatch: operation(batch(content), ({ QueueUrl, Entries }, call) => {
        const held = find(QueueUrl, call)
        const total = Entries.reduce(
          (sum, entry) => sum + size(entry.MessageBody, entry.MessageAttributes),
          0,
        )
        if (total > 1_048_576) {
          throw new AwsError(
            'BatchRequestTooLong',
            `Batch requests cannot be longer than 1048576 bytes. You have sent ${total} bytes.`,
          )
        }
        return each(Entries, (entry) => send(held, entry, call))
      }),
      ReceiveMessage: operation(
        v.object({
          ...byUrl,
          MaxNumberOfMessages: v.optional(count, 1),
          VisibilityTimeout: v.optional(count),
          WaitTimeSeconds: v.optional(count),
          AttributeNames: names,
          MessageSystemAttributeNames: names,
          MessageAttributeNames: names,
        }),
        async (input, call) => {
          const held = find(input.QueueUrl, call)
          const max = within('MaxNumberOfMessages', input.MaxNumberOfMessages, 1, 10) ?? 1
          const hidden = within('VisibilityTimeout', input.VisibilityTimeout, 0, 43_200)
          const wait = within('WaitTimeSeconds', input.WaitTimeSeconds, 0, 20)
          const setting = (value: number | undefined, name: string) =>
            value === undefined ? milliseconds(held.attributes, name) : value * 1_000
          const messages = await held.messages.receive({
            max,
            visibility: setting(hidden, 'VisibilityTimeout'),
            wait: setting(wait, 'ReceiveMessageWaitTimeSeconds'),
          })
          const system = [...input.AttributeNames, ...input.MessageSystemAttributeNames]
          const shown = messages.map((message) =>
            show(message, system, input.MessageAttributeNames),
          )
          return shown.length === 0 ? {} : { Messages: shown }
        },
      ),
      DeleteMessage: operation(
        v.object({ ...byUrl, ReceiptHandle: text }),
        ({ QueueUrl, ReceiptHandle }, call) => {
          return remove(find(QueueUrl, call), ReceiptHandle)
        },
      ),
      DeleteMessageBatch: operation(
        batch({ ReceiptHandle: text }),
        ({ QueueUrl, Entries }, call) => {
          const held = find(QueueUrl, call)
          return each(Entries, ({ ReceiptHandle }) => remove(held, ReceiptHandle))
        },
      ),
      ChangeMessageVisibility: operation(
        v.object({ ...byUrl, ReceiptHandle: text, VisibilityTimeout: count }),
        ({ QueueUrl, ReceiptHandle, VisibilityTimeout }, call) => {
          return hide(find(QueueUrl, call), ReceiptHandle, VisibilityTimeout)
        },
      ),
      ChangeMessageVisibilityBatch: operation(
        batch({ ReceiptHandle: text, VisibilityTimeout: count }),
        ({ QueueUrl, Entries }, call) => {
          const held = find(QueueUrl, call)
          return each(Entries, (entry) => hide(held, entry.ReceiptHandle, entry.VisibilityTimeout))
        },
      ),
    },
  }
}

function describe({ arn, attributes, created, modified, messages }: Held): Record<string, string> {
  const { visible, hidden, delayed } = messages.counts()
  return {
    ...Object.fromEntries(attributes),
    QueueArn: arn,
    ApproximateNumberOfMessages: String(visible),
    ApproximateNumberOfMessagesNotVisible: String(hidden),
    ApproximateNumberOfMessagesDelayed: String(delayed),
    CreatedTimestamp: String(Math.floor(created / 1_000)),
    LastModifiedTimestamp: String(Math.floor(modified / 1_000)),
  }
}

function checkName(name: string, attributes: Readonly<Record<string, string>>) {
  if (name.endsWith('.fifo') || attributes['FifoQueue'] !== undefined) {
    throw new AwsError('UnsupportedOperation', 'only standard queues exist here, not FIFO queues')
  }
  if (!/^[\w-]{1,80}$/.test(name)) {
    throw invalid(
      'Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length',
    )
  }
}

function within(name: string, value: number | undefined, low: number, high: number) {
  if (value === undefined || (value >= low && value <= high)) return value
  throw invalid(
    `Value ${value} for parameter ${name} is invalid. Reason: Must be between ${low} and ${high}, if provided.`,
  )
}

const invalid = (message: string) => new AwsError('InvalidParameterValue', message)
const missing = () => new AwsError('QueueDoesNotExist', 'The specified queue does not exist.')
const nameOf = (url: string) => url.slice(url.lastIndexOf('/') + 1)
const senderOf = ({ caller }: Call) =>
  caller.arn.replace(/^.*:assumed-role\/[^/]+\//, `${caller.accessKeyId}:`)
const milliseconds = (attributes: Attributes, name: string) =>
  Number(attributes.get(name) ?? DEFAULTS[name] ?? 0) * 1_000
