import { createHash } from 'node:crypto'
import {
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs'
import { RelayError } from '../pki/error.ts'
import type { Queue } from '../ports/queue.ts'
import { ask } from './errors.ts'

const MOST = 10 // SendMessageBatch takes ten at a time
const MOST_DELAY = 900 // seconds

/** URLs. */
interface Queues {
  /** Looks at secrets. */
  readonly work: string
  /** Deployments: a FIFO queue, which serves one message of a group at a time. */
  readonly rollouts: string
  readonly dead: string
}

/** SQS as the queues of work. */
export function queue(client: SQSClient, urls: Queues): Queue {
  const batch = async (looks: readonly { readonly secret: string; readonly delay: number }[]) => {
    const Entries = looks.map(({ secret, delay }, index) => ({
      Id: String(index),
      MessageBody: body(secret, delay),
      DelaySeconds: seconds(delay),
    }))
    const command = new SendMessageBatchCommand({ QueueUrl: urls.work, Entries })
    const what = `queue looks at ${looks.length} secrets`
    const { Failed = [] } = await ask(what, () => client.send(command))
    if (Failed.length > 0)
      throw new RelayError(
        'SERVICE_UNAVAILABLE',
        `${what}: SQS did not take ${Failed.length} of them (${Failed[0]?.Code}); try again`,
      )
  }
  return {
    async look(secret, delay, waits = 0) {
      const command = new SendMessageCommand({
        QueueUrl: urls.work,
        MessageBody: body(secret, delay, waits),
        DelaySeconds: seconds(delay),
      })
      await ask(`queue a look at secret ${secret}`, () => client.send(command))
    },
    async looks(all) {
      const parts = Array.from({ length: Math.ceil(all.length / MOST) }, (_, index) =>
        all.slice(index * MOST, (index + 1) * MOST),
      )
      await Promise.all(parts.map(batch))
    },
    async waiting() {
      const command = new GetQueueAttributesCommand({
        QueueUrl: urls.work,
        AttributeNames: [
          'ApproximateNumberOfMessages',
          'ApproximateNumberOfMessagesNotVisible',
          'ApproximateNumberOfMessagesDelayed',
        ],
      })
      const { Attributes = {} } = await ask('count the looks that wait', () => client.send(command))
      return Object.values(Attributes).reduce((sum, one) => sum + Number(one), 0)
    },
    async roll({ service, secret, version, since }) {
      const command = new SendMessageCommand({
        QueueUrl: urls.rollouts,
        MessageBody: JSON.stringify({ certrelay: 'roll', service, secret, version, since }),
        MessageGroupId: group(service),
        MessageDeduplicationId: `${version}.${since}.${group(service)}`.slice(0, 128),
      })
      await ask(`ask for a deployment of ${service}`, () => client.send(command))
    },
    async bury(text, { code, message }) {
      const value = (StringValue: string) => ({ DataType: 'String', StringValue })
      const command = new SendMessageCommand({
        QueueUrl: urls.dead,
        MessageBody: text,
        MessageAttributes: { code: value(code), reason: value(message.slice(0, 1_000)) },
      })
      await ask('put a message into the dead-letter queue', () => client.send(command))
    },
  }
}

function body(secret: string, delay: number, waits = 0): string {
  const rest = Math.max(0, Math.ceil(delay) - MOST_DELAY)
  const more = { ...(waits > 0 && { waits }), ...(rest > 0 && { rest }) }
  return JSON.stringify({ certrelay: 'look', secret, ...more })
}

function seconds(delay: number): number {
  return Math.min(MOST_DELAY, Math.max(0, Math.ceil(delay)))
}

/** Names of services may be longer than the 128 characters of a group's. */
function group(service: string): string {
  return createHash('sha256').update(service).digest('hex').slice(0, 32)
}
