import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs'
import type { Queue } from '../ports/queue.ts'
import { ask } from './errors.ts'

/** SQS as the queue of "look at this secret". */
export function queue(
  client: SQSClient,
  urls: { readonly work: string; readonly dead: string },
): Queue {
  return {
    async look(secret, delay) {
      const command = new SendMessageCommand({
        QueueUrl: urls.work,
        MessageBody: JSON.stringify({ certrelay: 'look', secret }),
        DelaySeconds: Math.min(900, Math.max(0, Math.ceil(delay))),
      })
      await ask(`queue a look at secret ${secret}`, () => client.send(command))
    },
    async bury(body, { code, message }) {
      const text = (StringValue: string) => ({ DataType: 'String', StringValue })
      const command = new SendMessageCommand({
        QueueUrl: urls.dead,
        MessageBody: body,
        MessageAttributes: { code: text(code), reason: text(message.slice(0, 1_000)) },
      })
      await ask('put a message into the dead-letter queue', () => client.send(command))
    },
  }
}
