import { RelayError } from '../pki/error.ts'
import type { Ports } from '../ports/index.ts'
import type { Edge } from './edge.ts'
import { ours } from './report.ts'

type Needs = Pick<Ports, 'queue' | 'log'>

/** A message as `events/batch.ts` reads it. */
interface Message {
  readonly id: string
  readonly body: string
  readonly tries: number
  readonly group?: string
  readonly region: string
  readonly account: string
}

/** Lambda's answer for a batch: these messages come again. */
export interface Failures {
  readonly batchItemFailures: readonly { readonly itemIdentifier: string }[]
}

/** As the queue's maxReceiveCount in serverless.yml: on the last try the reason goes along into the dead-letter queue. */
const MOST_TRIES = 5

/**
 * Messages of a queue, all at a time, for most of their time is spent waiting; in a FIFO queue those of a group one after the
 * other. One that nobody can process goes into the dead-letter queue with its reason; one that may succeed later comes again,
 * alone, or in a FIFO queue with those of its group that came after it.
 */
export function batch<N, P = Ports>(
  parseBatch: (event: unknown) => readonly Message[],
  parseNotice: (body: string, place: { region: string; account: string }) => N,
  workflow: (ports: P, notice: N, remaining: () => number) => Promise<unknown>,
): Edge<readonly Message[], Failures, P & Needs> {
  return {
    parse: parseBatch,
    async run(messages, { ports, remaining }) {
      const failed = new Set<string>()
      const one = async (message: Message): Promise<boolean> => {
        try {
          if (message.tries > MOST_TRIES)
            throw new RelayError(
              'EVENT_INVALID',
              `the message was taken ${message.tries} times and never finished; see what became of those invocations`,
            )
          await workflow(ports, parseNotice(message.body, message), remaining)
          return true
        } catch (thrown) {
          return settled(ports, message, ours(thrown))
        }
      }
      const inTurn = async (group: readonly Message[]): Promise<void> => {
        let well = true
        for (const message of group) {
          well = well && (await one(message))
          if (!well) failed.add(message.id)
        }
      }
      await Promise.all(groups(messages).map(inTurn))
      const ids = messages.filter(({ id }) => failed.has(id)).map(({ id }) => id)
      return { batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier })) }
    },
  }
}

/** A message without a group is one of its own. */
function groups(messages: readonly Message[]): readonly (readonly Message[])[] {
  const alone = messages.filter(({ group }) => group === undefined).map((message) => [message])
  const found = Map.groupBy(
    messages.filter(({ group }) => group !== undefined),
    ({ group }) => group,
  )
  return [...alone, ...found.values()]
}

/** True when the message need not come again. */
async function settled(
  { queue, log }: Needs,
  { id, body, tries }: Message,
  error: RelayError,
): Promise<boolean> {
  const { code, remedy, message: reason } = error
  const over = tries >= MOST_TRIES || (remedy !== 'retry' && remedy !== 'wait')
  log.error(over ? 'buried' : 'comes-again', { messageId: id, code, remedy, reason, tries })
  log.count(over ? 'Buried' : 'Retried', 1, { code })
  if (!over) return false
  try {
    await queue.bury(body, error)
    return true
  } catch (thrown) {
    log.error('not-buried', { messageId: id, reason: ours(thrown).message })
    return false
  }
}
