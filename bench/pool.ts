/** Bytes of a body. */
const SLOT = 512

/** Messages that wait until their time, the earliest first; none of them lies in JavaScript's heap. */
export interface Pool {
  add(message: Waiting): void
  /** When the earliest is due, epoch milliseconds; Infinity when there is none. */
  next(): number
  /** The earliest. @throws TypeError when there is none */
  take(): Waiting
}

export interface Waiting {
  /** Epoch milliseconds. */
  readonly at: number
  readonly body: string
  readonly tries: number
}

/** Room for so many messages. */
interface Room {
  readonly bodies: Buffer
  readonly lengths: Uint16Array
  readonly at: Float64Array
  readonly order: Float64Array
  readonly tries: Uint8Array
  /** Slots: those in use as a binary heap by time, then those that are free. */
  readonly slots: Uint32Array
}

/** An empty pool, which grows as it is filled. */
export function pool(): Pool {
  let room = build(1_024)
  let size = 0
  let count = 0
  const earlier = (a: number, b: number) =>
    get(room.at, a) - get(room.at, b) || get(room.order, a) - get(room.order, b)
  const before = (one: number, other: number) =>
    earlier(get(room.slots, one), get(room.slots, other)) < 0
  const swap = (one: number, other: number) => {
    const kept = get(room.slots, one)
    room.slots[one] = get(room.slots, other)
    room.slots[other] = kept
  }
  return {
    add({ at, body, tries }) {
      if (size === room.slots.length) room = build(2 * size, room)
      const slot = get(room.slots, size)
      room.lengths[slot] = room.bodies.write(body, slot * SLOT, SLOT)
      if (get(room.lengths, slot) < body.length) throw new TypeError('a message that is too long')
      room.at[slot] = at
      room.order[slot] = count++
      room.tries[slot] = tries
      let place = size++
      for (let above = (place - 1) >> 1; place > 0 && before(place, above); ) {
        swap(place, above)
        place = above
        above = (place - 1) >> 1
      }
    },
    next: () => (size === 0 ? Infinity : get(room.at, get(room.slots, 0))),
    take() {
      if (size === 0) throw new TypeError('there is no message')
      const slot = get(room.slots, 0)
      swap(0, --size)
      for (let place = 0; ; ) {
        const [left, right] = [2 * place + 1, 2 * place + 2]
        const child = right < size && before(right, left) ? right : left
        if (child >= size || !before(child, place)) break
        swap(child, place)
        place = child
      }
      const from = slot * SLOT
      const body = room.bodies.toString('utf8', from, from + get(room.lengths, slot))
      return { at: get(room.at, slot), body, tries: get(room.tries, slot) }
    },
  }
}

function build(most: number, old?: Room): Room {
  const room = {
    bodies: Buffer.alloc(most * SLOT),
    lengths: new Uint16Array(most),
    at: new Float64Array(most),
    order: new Float64Array(most),
    tries: new Uint8Array(most),
    slots: Uint32Array.from({ length: most }, (_, nth) => nth),
  }
  if (old === undefined) return room
  old.bodies.copy(room.bodies)
  room.lengths.set(old.lengths)
  room.at.set(old.at)
  room.order.set(old.order)
  room.tries.set(old.tries)
  room.slots.set(old.slots)
  return room
}

function get(list: Float64Array | Uint32Array | Uint16Array | Uint8Array, place: number): number {
  return list[place] ?? 0
}
