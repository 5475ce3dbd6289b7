import * as v from 'valibot'
import { AwsError, type Operation, operation, type World } from '../service.ts'
import { checkNames, setAttributes } from './attributes.ts'
import type { Held, Store } from './store.ts'

const text = v.string()
const settings = v.optional(v.record(text, text), {})
const names = v.optional(v.array(text), [])
const byUrl = { QueueUrl: text }

/** The operations on queues as such. */
export function queueOperations(
  { clock }: Pick<World, 'clock'>,
  store: Store,
): Readonly<Record<string, Operation>> {
  return {
    CreateQueue: operation(
      v.object({ QueueName: text, Attributes: settings, tags: settings }),
      ({ QueueName: name, Attributes: given, tags }, { region }) => {
        checkName(name, given)
        const existing = store.region(region).get(name)
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
        const held = store.create(name, region)
        setAttributes(held.attributes, given)
        for (const [key, value] of Object.entries(tags)) held.tags.set(key, value)
        store.region(region).set(name, held)
        return { QueueUrl: held.url }
      },
    ),
    GetQueueUrl: operation(v.object({ QueueName: text }), ({ QueueName }, call) => ({
      QueueUrl: store.named(QueueName, call).url,
    })),
    GetQueueAttributes: operation(
      v.object({ ...byUrl, AttributeNames: names }),
      ({ QueueUrl, AttributeNames: wanted }, call) => {
        checkNames(wanted)
        const all = describe(store.find(QueueUrl, call))
        const shown = Object.entries(all).filter(
          ([name]) => wanted.includes('All') || wanted.includes(name),
        )
        return shown.length === 0 ? {} : { Attributes: Object.fromEntries(shown) }
      },
    ),
    SetQueueAttributes: operation(
      v.object({ ...byUrl, Attributes: settings }),
      ({ QueueUrl, Attributes: given }, call) => {
        const held = store.find(QueueUrl, call)
        setAttributes(held.attributes, given)
        held.modified = clock.now()
        return {}
      },
    ),
    ListQueues: operation(
      v.object({ QueueNamePrefix: v.optional(text, '') }),
      ({ QueueNamePrefix: prefix }, { region }) => {
        const urls = [...store.region(region).values()]
          .filter(({ name }) => name.startsWith(prefix))
          .map(({ url }) => url)
        return urls.length === 0 ? {} : { QueueUrls: urls.sort() }
      },
    ),
    ListQueueTags: operation(v.object(byUrl), ({ QueueUrl }, call) => ({
      Tags: Object.fromEntries(store.find(QueueUrl, call).tags),
    })),
    DeleteQueue: operation(v.object(byUrl), ({ QueueUrl }, call) => {
      store.region(call.region).delete(store.find(QueueUrl, call).name)
      return {}
    }),
    PurgeQueue: operation(v.object(byUrl), ({ QueueUrl }, call) => {
      store.find(QueueUrl, call).messages.purge()
      return {}
    }),
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
  if (attributes['FifoQueue'] === 'true') {
    if (/^[\w-]{1,75}\.fifo$/.test(name)) return
    throw invalid(
      'The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.',
    )
  }
  if (!/^[\w-]{1,80}$/.test(name)) {
    throw invalid(
      'Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length',
    )
  }
}

const invalid = (message: string) => new AwsError('InvalidParameterValue', message)
