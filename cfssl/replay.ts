/** Which tokens were used, so that nobody uses one again. */
export interface Replays {
  /** Whether `token` was not seen before; it is from now on. `now` in epoch milliseconds. */
  first(token: Uint8Array, now: number): boolean
  /** Lets a token be used again: what it was for did not happen. */
  forget(token: Uint8Array): void
}

const TURN = 0 // how often the halves have changed places
const LOCK = 1 // 1 while somebody changes them
const BEGAN = 2 // when the young half began, epoch milliseconds
const HEAD = 3
const PROBES = 32
const GONE = -1n // a slot whose token was forgotten

/** How much is remembered, and for how long. */
export interface Size {
  /** Slots of a half, a power of two. */
  readonly slots: number
  /** How long a token is remembered at least, milliseconds. */
  readonly window: number
}

export function memoryFor({ slots }: Size): SharedArrayBuffer {
  return new SharedArrayBuffer((HEAD + 2 * slots) * 8)
}

/**
 * A set of tokens of fixed size that the threads of a process share without locks. Tokens are 256 bits of HMAC, so that 64 of
 * them are a fair name and 32 others a fair hash. They live in two halves: the young one takes what comes, and every `window`
 * the old one is emptied and they change places. When the young one is full they change sooner: `early` counts it.
 */
export class Remembered implements Replays {
  readonly #words: BigInt64Array
  readonly #size: Size
  /** How often tokens had to be forgotten before their time. */
  early = 0

  constructor(memory: SharedArrayBuffer, size: Size) {
    this.#words = new BigInt64Array(memory)
    this.#size = size
  }

  first(token: Uint8Array, now: number): boolean {
    const { name, slot } = marks(token)
    for (;;) {
      const turn = Atomics.load(this.#words, TURN)
      if (now - Number(Atomics.load(this.#words, BEGAN)) >= this.#size.window)
        this.#change(turn, now)
      const young = Number(Atomics.load(this.#words, TURN) & 1n)
      if (this.#finds(1 - young, slot, name)) return false
      const taken = this.#take(young, slot, name)
      if (taken !== 'full') return taken === 'taken'
      if (this.#change(Atomics.load(this.#words, TURN), now)) this.early++
    }
  }

  forget(token: Uint8Array): void {
    const { name, slot } = marks(token)
    for (const half of [0, 1])
      for (let probe = 0; probe < PROBES; probe++)
        Atomics.compareExchange(this.#words, this.#place(half, slot + probe), name, GONE)
  }

  /** Empties the old half and makes it the young one, unless another thread has done so since `turn`. */
  #change(turn: bigint, now: number): boolean {
    if (Atomics.compareExchange(this.#words, LOCK, 0n, 1n) !== 0n) return false
    const mine = Atomics.load(this.#words, TURN) === turn
    if (mine) {
      const from = HEAD + (1 - Number(turn & 1n)) * this.#size.slots
      this.#words.fill(0n, from, from + this.#size.slots)
      Atomics.store(this.#words, BEGAN, BigInt(now))
      Atomics.add(this.#words, TURN, 1n)
    }
    Atomics.store(this.#words, LOCK, 0n)
    return mine
  }

  #finds(half: number, slot: number, name: bigint): boolean {
    for (let probe = 0; probe < PROBES; probe++) {
      const found = Atomics.load(this.#words, this.#place(half, slot + probe))
      if (found === name) return true
      if (found === 0n) return false
    }
    return false
  }

  #take(half: number, slot: number, name: bigint): 'taken' | 'there' | 'full' {
    for (let probe = 0; probe < PROBES; probe++) {
      const place = this.#place(half, slot + probe)
      const found = Atomics.compareExchange(this.#words, place, 0n, name)
      if (found === 0n) return 'taken'
      if (found === name) return 'there'
    }
    return 'full'
  }

  #place(half: number, slot: number): number {
    return HEAD + half * this.#size.slots + (slot & (this.#size.slots - 1))
  }
}

/** What stands for a token, and where it is looked for first. */
function marks(token: Uint8Array): { readonly name: bigint; readonly slot: number } {
  const view = new DataView(token.buffer, token.byteOffset, token.byteLength)
  const name = view.getBigInt64(0)
  return { name: name === 0n || name === GONE ? 1n : name, slot: view.getUint32(8) }
}
