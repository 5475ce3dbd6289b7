import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import { RelayError } from '../pki/error.ts'
import type { Bus } from '../ports/bus.ts'
import { ask } from './errors.ts'
import { entry } from './news.ts'

/**
 * EventBridge's default bus as the bus; `events/news.ts` reads what arrives. PutEvents answers 200 when it took nothing
 * (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html).
 */
export function bus(client: EventBridgeClient): Bus {
  return {
    async tell(news) {
      const { kind, secret } = news
      const what = `tell that secret ${secret} is ${kind}`
      const { FailedEntryCount = 0, Entries = [] } = await ask(what, () =>
        client.send(new PutEventsCommand({ Entries: [entry(news)] })),
      )
      if (FailedEntryCount > 0) {
        const code = Entries[0]?.ErrorCode ?? 'no reason given'
        throw new RelayError('SERVICE_UNAVAILABLE', `cannot ${what}: ${code}; it is tried again`)
      }
    },
  }
}
