import type { Alarm } from '../clock.ts'
import { idle } from '../idle.ts'
import { AwsError, type World } from '../service.ts'
import type { Message } from './message.ts'
import { shelf } from './shelf.ts'

/** Where messages go that were received too often. */
export interface Redrive {
  readonly deadLetterTargetArn: string
  readonly maxReceiveCount: number
}

/** What ReceiveMessage asks for. Times in milliseconds. */
export interface Wish {
  readonly max: number
  readonly visibility: number
  readonly wait: number
}

/** The messages of one queue: first in first out as far as visibility lets it be, in a FIFO queue within each group. */
export interface Queue {
  add(message: Message): void
  receive(wish: Wish): Promise<readonly Message[]>
  /**
   * Forgets a message; a handle that is not the latest one is accepted and does nothing, as in AWS.
   * @throws AwsError in a FIFO queue, when the message can be received again.
   */
  remove(handle: string): void
  /** @throws AwsError when the message is gone or was received again since. */
  hide(handle: string, milliseconds: number): void
  purge(): void
  /** Ends every long poll that is under way, empty-handed. */
  close(): void
  counts(): { readonly visible: number; readonly hidden: number; readonly delayed: number }
}

interface Waiter {
  readonly wish: Wish
  readonly done: (messages: readonly Message[]) => void
  readonly alarm: Alarm
}

/** Everything about a queue that may change by SetQueueAttributes is asked for each time. */
export interface Terms {
  /** Part of every receipt handle. */
  readonly id: string
  readonly fifo: boolean
  /** In milliseconds. */
  retention(): number
  redrive(): Redrive | undefined
  /** Hands a message to the queue with this ARN; false when there is none. */
  bury(arn: string, message: Message): boolean
}

export function queue(world: Pick<World, 'clock' | 'random'>, terms: Terms): Queue {
  const { clock, random } = world
  const messages = shelf(terms.fifo)
  const waiters = new Set<Waiter>()
  let alarm: Alarm | undefined
  /** When the alarm rings. */
  let due = Number.POSITIVE_INFINITY

  const arm = (time: number) => {
    if (time >= due) return
    alarm?.cancel()
    due = time
    alarm = clock.at(time, serve)
  }
  const expire = () => messages.expire(clock.now() - terms.retention())
  const buried = (message: Message) => {
    const redrive = terms.redrive()
    if (redrive === undefined || message.received < redrive.maxReceiveCount) return false
    if (!terms.bury(redrive.deadLetterTargetArn, message)) return false
    messages.delete(message)
    return true
  }
  const take = ({ max, visibility }: Wish): Message[] => {
    const taken: Message[] = []
    const now = clock.now()
    for (const message of messages.ready(now)) {
      if (taken.length >= max) break
      if (message.visible > now || buried(message)) continue
      message.received++
      message.first ??= now
      message.visible = now + visibility
      message.receipt = Buffer.from(`${terms.id} ${message.id} ${random.hex(16)}`).toString(
        'base64',
      )
      taken.push({ ...message })
    }
    return taken
  }
  const serve = () => {
    alarm?.cancel()
    due = Number.POSITIVE_INFINITY
    expire()
    for (const waiter of waiters) {
      const taken = take(waiter.wish)
      if (taken.length === 0) break
      waiters.delete(waiter)
      waiter.alarm.cancel()
      waiter.done(taken)
    }
    if (waiters.size === 0) return
    const now = clock.now()
    let next = Number.POSITIVE_INFINITY
    for (const { visible } of messages.all()) if (visible > now && visible < next) next = visible
    if (next < Number.POSITIVE_INFINITY) arm(next)
  }
  const find = (handle: string) => {
    const [id, message, nonce] = Buffer.from(handle, 'base64').toString('utf8').split(' ')
    if (id !== terms.id || message === undefined || nonce === undefined) {
      throw new AwsError(
        'ReceiptHandleIsInvalid',
        `The input receipt handle "${handle}" is not a valid receipt handle.`,
      )
    }
    const found = messages.get(message)
    return found?.receipt === handle ? found : undefined
  }
  return {
    add(message) {
      messages.add(message)
      if (waiters.size === 0) return
      if (message.visible > clock.now()) arm(message.visible)
      else serve()
    },
    receive(wish) {
      expire()
      const taken = take(wish)
      if (taken.length > 0 || wish.wait === 0) return Promise.resolve(taken)
      return new Promise((done) => {
        const waiter: Waiter = {
          wish,
          done,
          alarm: idle(clock, wish.wait, () => {
            waiters.delete(waiter)
            done([])
          }),
        }
        waiters.add(waiter)
        serve()
      })
    },
    remove(handle) {
      const message = find(handle)
      if (message === undefined) return
      if (terms.fifo && message.visible <= clock.now()) throw expired(handle)
      messages.delete(message)
      if (terms.fifo) serve()
    },
    hide(handle, milliseconds) {
      const message = find(handle)
      if (message === undefined || message.visible <= clock.now()) {
        throw new AwsError(
          'InvalidParameterValue',
          `Value ${handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
        )
      }
      message.visible = clock.now() + milliseconds
      serve()
    },
    purge: () => messages.clear(),
    close() {
      for (const { alarm, done } of waiters) {
        alarm.cancel()
        done([])
      }
      waiters.clear()
    },
    counts() {
      expire()
      const all = [...messages.all()]
      const hidden = all.filter(({ visible }) => visible > clock.now())
      const delayed = hidden.filter(({ received }) => received === 0).length
      return {
        visible: all.length - hidden.length,
        hidden: hidden.length - delayed,
        delayed,
      }
    },
  }
}

const expired = (handle: string) =>
  new AwsError(
    'InvalidParameterValue',
    `Value ${handle} for parameter ReceiptHandle is invalid. Reason: The receipt handle has expired.`,
  )
