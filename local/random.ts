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
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/** A generator seeded by a number (the sfc32 construction): the same seed gives the same run. */
export function seeded(seed: number): Random {
  let a = seed >>> 0
  let b = (seed ^ 0x9e3779b9) >>> 0
  let c = 0xdeadbeef
  let counter = 1
  const next = () => {
    const sum = (((a + b) >>> 0) + counter) >>> 0
    counter = (counter + 1) >>> 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) >>> 0
    c = (((c << 21) | (c >>> 11)) + sum) >>> 0
    return sum / 2 ** 32
  }
  for (let i = 0; i < 16; i++) next()
  const pick = (alphabet: string, length: number) => {
    let text = ''
    for (let i = 0; i < length; i++) text += alphabet.charAt(Math.floor(next() * alphabet.length))
    return text
  }
  const hex = (length: number) => {
    let text = ''
    while (text.length < length)
      text += Math.floor(next() * 2 ** 32)
        .toString(16)
        .padStart(8, '0')
    return text.slice(0, length)
  }
  return {
    next,
    hex,
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-${pick('89ab', 1)}${hex(3)}-${hex(12)}`,
    letters: (length) => pick(ALPHABET, length),
  }
}
