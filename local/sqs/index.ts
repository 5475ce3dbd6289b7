import type { Service, World } from '../service.ts'
import { messageOperations } from './messages.ts'
import { queueOperations } from './queues.ts'
import { nameOf, store } from './store.ts'

/**
 * Amazon SQS: standard and FIFO queues.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
 */
export function sqs(world: World): Service {
  const all = store(world)
  return {
    name: 'sqs',
    subject(_operation, { QueueName, QueueUrl }, { region, account }) {
      const url = typeof QueueUrl === 'string' ? nameOf(QueueUrl) : ''
      const name = typeof QueueName === 'string' ? QueueName : url
      const known = all.region(region).get(name)
      return {
        arn: name === '' ? '*' : `arn:aws:sqs:${region}:${account}:${name}`,
        ...(known && { tags: Object.fromEntries(known.tags) }),
      }
    },
    operations: { ...queueOperations(world, all), ...messageOperations(world, all) },
  }
}
