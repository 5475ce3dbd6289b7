/** Deterministic identifiers and dice; never for keys, passphrases or serial numbers. */
export interface Random {
  /** In [0, 1). */
  next(): number
  /** Lower-case hex digits. */
  hex(length: number): string
  /** A version 4 shaped UUID. */
  uuid(): string
  /** Letters and digits, as in the suffix of a secret's ARN. */
  letters(length: number): string
  /**
   * A generator of its own under the same seed: what one drawer takes does not change what another gets, so that the
   * certificates of a run are named alike however often somebody looked at its queues meanwhile.
   */
  fork(name: string): Random
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
/** Two hex digits for each byte. */
const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** A generator seeded by a number (the sfc32 construction): the same seed gives the same run. */
export function seeded(seed: number): Random {
  const word = words(seed)
  const next = () => word() / 2 ** 32
  const hex = (length: number) => {
    let text = ''
    while (text.length < length) text += digits(word())
    return text.slice(0, length)
  }
  return {
    next,
    hex,
    uuid() {
      const text = hex(32)
      const variant = '89ab'.charAt(Number.parseInt(text.charAt(16), 16) & 3)
      return `${text.slice(0, 8)}-${text.slice(8, 12)}-4${text.slice(13, 16)}-${variant}${text.slice(17, 20)}-${text.slice(20)}`
    },
    letters(length) {
      let text = ''
      for (let i = 0; i < length; i++) text += ALPHABET.charAt(Math.floor(next() * ALPHABET.length))
      return text
    },
    fork: (name) => seeded(mix(seed, name)),
  }
}

/** The generator itself: 32 bits at a time. */
function words(seed: number): () => number {
  let a = seed >>> 0
  let b = (seed ^ 0x9e3779b9) >>> 0
  let c = 0xdeadbeef
  let counter = 1
  const word = () => {
    const sum = (((a + b) >>> 0) + counter) >>> 0
    counter = (counter + 1) >>> 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) >>> 0
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0
    return sum
  }
  for (let i = 0; i < 16; i++) word()
  return word
}

function digits(word: number): string {
  const byte = (shift: number) => HEX[(word >>> shift) & 255] ?? ''
  return byte(24) + byte(16) + byte(8) + byte(0)
}

/** FNV-1a over the name, from the seed on. */
function mix(seed: number, name: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return hash >>> 0
}
