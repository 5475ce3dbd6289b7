import { type EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge'
import { RelayError } from '../pki/error.ts'
import type { Bus, News } from '../ports/bus.ts'
import { ask } from './errors.ts'

/** Of `detail`: a reader of 1 may count on every field that `events/news.ts` has. */
const FORMAT = 1

/**
 * EventBridge's default bus as the bus; `events/news.ts` reads what arrives. PutEvents answers 200 when it took nothing
 * (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html).
 */
export function bus(client: EventBridgeClient): Bus {
  return {
    async tell(news) {
      const { kind, secret, source } = news
      const entry = {
        Source: 'certrelay',
        DetailType: kind,
        Resources: [secret, source],
        Detail: JSON.stringify({ format: FORMAT, ...detail(news) }),
      }
      const what = `tell that secret ${secret} is ${kind}`
      const { FailedEntryCount = 0, Entries = [] } = await ask(what, () =>
        client.send(new PutEventsCommand({ Entries: [entry] })),
      )
      if (FailedEntryCount > 0) {
        const code = Entries[0]?.ErrorCode ?? 'no reason given'
        throw new RelayError('SERVICE_UNAVAILABLE', `cannot ${what}: ${code}; it is tried again`)
      }
    },
  }
}

/** As JSON wants it: times as ISO 8601. */
function detail({ kind: _, ...rest }: News) {
  return 'notAfter' in rest ? { ...rest, notAfter: new Date(rest.notAfter).toISOString() } : rest
}
