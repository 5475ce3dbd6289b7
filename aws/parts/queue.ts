import { SQSClient } from '@aws-sdk/client-sqs'
import type { Ports } from '../../ports/index.ts'
import type { Part } from '../part.ts'
import { queue as queues } from '../sqs.ts'

/** SQS: the queues of looks, of deployments, and of dead letters. */
export const queue: Part<Pick<Ports, 'queue'>> = ({ paced, settings, config }) => ({
  queue: queues(paced(new SQSClient(settings)), {
    work: config.queue,
    rollouts: config.rollouts,
    dead: config.deadLetters,
  }),
})
