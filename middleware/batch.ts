import { RelayError } from '../pki/error.ts'
import type { Ports } from '../ports/index.ts'
import type { Edge } from './edge.ts'
import { ours, timeUp } from './report.ts'

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

/**
 * One less than the maxReceiveCount in resources.yml: on the last try the reason goes along into the dead-letter queue, and who
 * takes a message once more writes why it never came so far.
 */
const MOST_TRIES = 5

/** What became of a batch so far: the messages that need not come again. */
interface Course {
  readonly done: Set<string>
  /** The time is up: what is still under way is not waited for. */
  over: boolean
}

/**
 * Messages of a queue, all at a time, for most of their time is spent waiting; in a FIFO queue those of a group one after the
 * other. One that nobody can process goes into the dead-letter queue with its reason; one that may succeed later comes again,
 * alone, or in a FIFO queue with those of its group that came after it. So does one that is not finished when the time is up.
 */
export function batch<N, P = Ports>(
  parseBatch: (event: unknown) => readonly Message[],
  parseNotice: (body: string, place: { region: string; account: string }) => N,
  workflow: (ports: P, notice: N, remaining: () => number) => Promise<unknown>,
): Edge<readonly Message[], Failures, P & Needs> {
  const courses = new WeakMap<readonly Message[], Course>()
  return {
    parse: parseBatch,
    async run(messages, { ports, remaining }) {
      const course: Course = { done: new Set(), over: false }
      courses.set(messages, course)
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
          return !course.over && settled(ports, message, ours(thrown))
        }
      }
      const inTurn = async (group: readonly Message[]): Promise<void> => {
        for (const message of group) {
          if (course.over || !(await one(message))) return
          course.done.add(message.id)
        }
      }
      await Promise.all(groups(messages).map(inTurn))
      return failures(messages, course)
    },
    late(messages, log) {
      const course = courses.get(messages) ?? { done: new Set(), over: false }
      course.over = true
      for (const { id, tries } of messages.filter((message) => !course.done.has(message.id))) {
        const { code, remedy, message: reason } = timeUp()
        log.error('comes-again', { messageId: id, code, remedy, reason, tries })
        log.count('Retried', 1, { code })
      }
      return failures(messages, course)
    },
  }
}

function failures(messages: readonly Message[], { done }: Course): Failures {
  const left = messages.filter(({ id }) => !done.has(id))
  return { batchItemFailures: left.map(({ id }) => ({ itemIdentifier: id })) }
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
