import type { World } from './world.ts'

/** A message that was handed out: delete it, or it comes again. */
export interface Receipt {
  readonly id: string
  readonly body: string
  /** How often it was received, this time included. */
  readonly tries: number
  /** Of a FIFO queue. */
  readonly group?: string
}

interface Message {
  readonly id: string
  readonly body: string
  readonly group: string
  /** Nobody gets it before, epoch milliseconds. */
  visible: number
  tries: number
  gone: boolean
}

/** A queue of SQS that invokes a function. */
export interface Queue {
  send(body: string, delay: number, about?: { readonly group: string; readonly once: string }): void
  /** About how many wait or are being worked on. */
  size(): number
}

interface Mapping {
  readonly most: number
  /** Invocations at a time. */
  readonly concurrency: number
  /** Answers for the messages that are done: the others come again. */
  readonly invoke: (batch: readonly Receipt[], done: (ids: readonly string[]) => void) => void
}

const VISIBILITY = 720_000
const MOST_RECEIVES = 5
const DEDUPLICATION = 300_000

/** A queue whose messages come at least once, in any order, and are given up after five times. */
export function standard(world: World, mapping: Mapping): Queue {
  const { loop, dice } = world
  const ready: Message[] = []
  let all = 0
  let running = 0
  let ids = 0

  function ripen(message: Message, at: number): void {
    message.visible = at
    loop.at(at, () => {
      if (message.gone || message.visible !== at) return
      if (message.tries >= MOST_RECEIVES) {
        message.gone = true
        all--
        world.counts.dead++
        world.note('dead letter', message.body)
        return
      }
      ready.push(message)
      pump()
    })
  }

  function pump(): void {
    while (running < mapping.concurrency && ready.length > 0) {
      const batch: Message[] = []
      while (batch.length < mapping.most && ready.length > 0) {
        const place = dice.chance(0.9) ? 0 : Math.floor(dice.roll() * ready.length)
        batch.push(...ready.splice(place, 1))
      }
      for (const one of batch) {
        one.tries++
        ripen(one, loop.now() + VISIBILITY)
      }
      running++
      mapping.invoke(batch.map(receipt), (done) => {
        for (const one of batch) {
          if (!done.includes(one.id) || one.gone) continue
          one.gone = true
          all--
        }
        running--
        loop.after(0, pump)
      })
    }
  }

  return {
    send(body, delay) {
      const { weather } = world
      for (const _copy of dice.chance(weather.twice) ? [1, 2] : [1]) {
        all++
        const id = `m${++ids}`
        const late = dice.chance(weather.late) ? dice.stretch(1_000, 600_000) : dice.between(0, 200)
        const message = { id, body, group: '', visible: 0, tries: 0, gone: false }
        ripen(message, loop.now() + delay * 1_000 + late)
      }
    },
    size: () => all,
  }
}

/** A FIFO queue: one message of a group after the other, every message late by `delay` seconds, and the same once in 5 minutes. */
export function fifo(world: World, delay: number, mapping: Mapping): Queue {
  const { loop, dice } = world
  const groups = new Map<string, Message[]>()
  const recent = new Map<string, number>()
  let running = 0
  let ids = 0

  function take(): Message[] {
    const batch: Message[] = []
    for (const list of groups.values()) {
      for (const one of list) {
        if (batch.length === mapping.most || one.visible > loop.now()) break
        batch.push(one)
      }
    }
    return batch
  }

  function pump(): void {
    while (running < mapping.concurrency) {
      const batch = take()
      if (batch.length === 0) return
      for (const one of batch) {
        one.tries++
        one.visible = loop.now() + VISIBILITY
        loop.at(one.visible, pump) // until then it holds its group back
      }
      running++
      mapping.invoke(batch.map(receipt), (done) => {
        for (const one of batch) if (done.includes(one.id)) remove(one)
        running--
        loop.after(0, pump)
      })
    }
  }

  function remove(message: Message): void {
    message.gone = true
    const left = (groups.get(message.group) ?? []).filter((one) => one !== message)
    if (left.length === 0) groups.delete(message.group)
    else groups.set(message.group, left)
  }

  return {
    send(body, _, about = { group: '', once: '' }) {
      const now = loop.now()
      if ((recent.get(about.once) ?? -Infinity) > now - DEDUPLICATION) return
      recent.set(about.once, now)
      const visible = now + delay * 1_000 + dice.between(0, 200)
      const rest = { id: `f${++ids}`, tries: 0, gone: false }
      const message: Message = { ...rest, body, group: about.group, visible }
      groups.set(about.group, [...(groups.get(about.group) ?? []), message])
      loop.at(visible, pump)
    },
    size: () => [...groups.values()].reduce((sum, list) => sum + list.length, 0),
  }
}

function receipt({ id, body, tries, group }: Message): Receipt {
  return { id, body, tries, ...(group !== '' && { group }) }
}
