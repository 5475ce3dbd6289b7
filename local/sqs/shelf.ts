import type { Message } from './message.ts'

/** The messages of one queue, in the order in which they came. */
export interface Shelf {
  add(message: Message): void
  delete(message: Message): void
  clear(): void
  get(id: string): Message | undefined
  all(): Iterable<Message>
  /** What a receiver may look at, in order; which of it can be received now is for the queue to say. */
  ready(now: number): Iterable<Message>
  /** Forgets what has been kept since `oldest` (epoch milliseconds) or longer. */
  expire(oldest: number): void
}

/** How long a message has been kept counts from here. */
const since = (message: Message) => message.since ?? message.sent

/**
 * In a FIFO queue nothing of a group is ready of which a message is in flight or still delayed, and one group comes
 * whole before the next.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
 */
export function shelf(fifo: boolean): Shelf {
  const messages = new Map<string, Message>()
  const groups = new Map<string, Set<Message>>()
  let earliest = Number.POSITIVE_INFINITY

  const remove = (message: Message) => {
    messages.delete(message.id)
    const { group = '' } = message
    const line = groups.get(group)
    line?.delete(message)
    if (line?.size === 0) groups.delete(group)
  }
  function* inLine(now: number) {
    for (const line of groups.values()) {
      const messages = [...line]
      if (messages.every(({ visible }) => visible <= now)) yield* messages
    }
  }
  return {
    add(message) {
      messages.set(message.id, message)
      earliest = Math.min(earliest, since(message))
      if (!fifo) return
      const { group = '' } = message
      const line = groups.get(group) ?? new Set<Message>()
      groups.set(group, line.add(message))
    },
    delete: remove,
    clear() {
      messages.clear()
      groups.clear()
    },
    get: (id) => messages.get(id),
    all: () => messages.values(),
    ready: (now) => (fifo ? inLine(now) : messages.values()),
    expire(oldest) {
      if (earliest > oldest) return
      for (const message of messages.values()) if (since(message) <= oldest) remove(message)
      earliest = [...messages.values()].reduce(
        (least, message) => Math.min(least, since(message)),
        Number.POSITIVE_INFINITY,
      )
    },
  }
}
