import { isRecord } from './json.ts'

/** Why a text is not the JSON that was wanted; the message never quotes the text. */
export class BadJson extends Error {}

/** How deep lists and objects may nest. */
const DEEPEST = 32
const SPACE: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d])
/** What a string cannot hold as it is: escapes and control characters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are looked for
const UNPLAIN = /[\\\u0000-\u001f]/
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * Reads JSON (RFC 8259) of a request: an integer that a double cannot hold is a `bigint`, objects have no prototype, and a key
 * that comes twice is refused, since two readers might see two requests in it.
 *
 * @param doubled lets a key come twice: the last one counts, as in Go
 * @throws BadJson
 */
export function readJson(text: string, doubled = false): unknown {
  const reader = new Reader(text, doubled)
  const value = reader.value(0)
  reader.end()
  return value
}

/** The object that a request's text is, read as strictly; `undefined` when it is none. */
export function strictObject(text: string): Record<string, unknown> | undefined {
  try {
    const value = readJson(text)
    return isRecord(value) ? value : undefined
  } catch (error) {
    if (error instanceof BadJson) return undefined
    throw error
  }
}

class Reader {
  readonly #text: string
  readonly #doubled: boolean
  #at = 0

  constructor(text: string, doubled: boolean) {
    this.#text = text
    this.#doubled = doubled
  }

  value(depth: number): unknown {
    if (depth > DEEPEST) throw new BadJson('JSON nests too deep')
    switch (this.#peek()) {
      case '{':
        return this.#object(depth)
      case '[':
        return this.#list(depth)
      case '"':
        return this.#string()
      case 't':
        return this.#word('true', true)
      case 'f':
        return this.#word('false', false)
      case 'n':
        return this.#word('null', null)
      default:
        return this.#number()
    }
  }

  end(): void {
    this.#space()
    if (this.#at < this.#text.length) throw new BadJson('something follows the JSON')
  }

  #object(depth: number): Record<string, unknown> {
    const found: Record<string, unknown> = Object.create(null)
    this.#at++
    if (this.#peek() === '}') {
      this.#at++
      return found
    }
    do {
      if (this.#peek() !== '"') throw new BadJson('a key of a JSON object is missing')
      const key = this.#string()
      if (!this.#doubled && key in found) throw new BadJson('a key comes twice in the JSON')
      if (this.#peek() !== ':') throw new BadJson('a colon is missing in the JSON')
      this.#at++
      found[key] = this.value(depth + 1)
    } while (this.#goesOn('}'))
    return found
  }

  #list(depth: number): unknown[] {
    const found: unknown[] = []
    this.#at++
    if (this.#peek() === ']') {
      this.#at++
      return found
    }
    do found.push(this.value(depth + 1))
    while (this.#goesOn(']'))
    return found
  }

  /** Takes the comma after an element, or the bracket after the last one. */
  #goesOn(close: string): boolean {
    const char = this.#peek()
    if (char !== ',' && char !== close) throw new BadJson('a comma is missing in the JSON')
    this.#at++
    return char === ','
  }

  #string(): string {
    const start = this.#at
    let end = this.#text.indexOf('"', start + 1)
    while (end > 0 && this.#escaped(end)) end = this.#text.indexOf('"', end + 1)
    if (end < 0) throw new BadJson('a string of the JSON does not end')
    this.#at = end + 1
    const plain = this.#text.slice(start + 1, end)
    return UNPLAIN.test(plain) ? unescaped(this.#text.slice(start, end + 1)) : plain
  }

  /** Whether the quote at `at` belongs to the string: an odd number of backslashes stands before it. */
  #escaped(at: number): boolean {
    let from = at
    while (this.#text.charCodeAt(from - 1) === BACKSLASH) from--
    return (at - from) % 2 === 1 && this.#text.charCodeAt(at) === QUOTE
  }

  #number(): number | bigint {
    NUMBER.lastIndex = this.#at
    const found = NUMBER.exec(this.#text)
    if (found === null) throw new BadJson('the text is not JSON')
    const [all, fraction, exponent] = found
    this.#at += all.length
    const value = Number(all)
    const whole = fraction === undefined && exponent === undefined
    return whole && !Number.isSafeInteger(value) ? BigInt(all) : value
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw new BadJson('the text is not JSON')
    this.#at += word.length
    return value
  }

  #peek(): string {
    this.#space()
    return this.#text.charAt(this.#at)
  }

  #space(): void {
    while (SPACE.has(this.#text.charCodeAt(this.#at))) this.#at++
  }
}

function unescaped(quoted: string): string {
  try {
    return String(JSON.parse(quoted))
  } catch {
    throw new BadJson('a string of the JSON is malformed') // the parser's own message would quote it
  }
}
