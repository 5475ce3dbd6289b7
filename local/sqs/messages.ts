import * as v from 'valibot'
import { AwsError, type Operation, operation, type World } from '../service.ts'
import { each } from './batch.ts'
import { show, size } from './message.ts'
import { content, sender, within } from './send.ts'
import { type Held, milliseconds, type Store } from './store.ts'

const text = v.string()
const count = v.pipe(v.number(), v.integer())
const names = v.optional(v.array(text), [])
const byUrl = { QueueUrl: text }
const batch = <const S extends v.ObjectEntries>(members: S) =>
  v.object({ ...byUrl, Entries: v.array(v.object({ Id: text, ...members })) })

/** The operations on the messages of queues. */
export function messageOperations(
  world: Pick<World, 'clock' | 'random'>,
  store: Store,
): Readonly<Record<string, Operation>> {
  const send = sender(world)
  const hide = (from: Held, handle: string, timeout: number) => {
    from.messages.hide(handle, (within('VisibilityTimeout', timeout, 0, 43_200) ?? 0) * 1_000)
    return {}
  }
  const remove = (from: Held, handle: string) => {
    from.messages.remove(handle)
    return {}
  }

  return {
    SendMessage: operation(v.object({ ...byUrl, ...content }), (input, call) =>
      send(store.find(input.QueueUrl, call), input, call),
    ),
    SendMessageBatch: operation(batch(content), ({ QueueUrl, Entries }, call) => {
      const held = store.find(QueueUrl, call)
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
        /** Without effect. */
        ReceiveRequestAttemptId: v.optional(text),
        AttributeNames: names,
        MessageSystemAttributeNames: names,
        MessageAttributeNames: names,
      }),
      async (input, call) => {
        const held = store.find(input.QueueUrl, call)
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
        const shown = messages.map((message) => show(message, system, input.MessageAttributeNames))
        return shown.length === 0 ? {} : { Messages: shown }
      },
    ),
    DeleteMessage: operation(
      v.object({ ...byUrl, ReceiptHandle: text }),
      ({ QueueUrl, ReceiptHandle }, call) => {
        return remove(store.find(QueueUrl, call), ReceiptHandle)
      },
    ),
    DeleteMessageBatch: operation(batch({ ReceiptHandle: text }), ({ QueueUrl, Entries }, call) => {
      const held = store.find(QueueUrl, call)
      return each(Entries, ({ ReceiptHandle }) => remove(held, ReceiptHandle))
    }),
    ChangeMessageVisibility: operation(
      v.object({ ...byUrl, ReceiptHandle: text, VisibilityTimeout: count }),
      ({ QueueUrl, ReceiptHandle, VisibilityTimeout }, call) => {
        return hide(store.find(QueueUrl, call), ReceiptHandle, VisibilityTimeout)
      },
    ),
    ChangeMessageVisibilityBatch: operation(
      batch({ ReceiptHandle: text, VisibilityTimeout: count }),
      ({ QueueUrl, Entries }, call) => {
        const held = store.find(QueueUrl, call)
        return each(Entries, (entry) => hide(held, entry.ReceiptHandle, entry.VisibilityTimeout))
      },
    ),
  }
}
