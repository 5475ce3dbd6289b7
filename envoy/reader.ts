import { RelayError } from '../pki/error.ts'
import type { Json } from './json.ts'

/** Bounds for what a person writes: characters, and levels of nesting. */
const LARGEST = 4_000_000
const DEEPEST = 100

/** A place in a text, and what YAML says of white space there. */
export class Reader {
  at = 0
  /** What aliases stand for. */
  readonly anchors = new Map<string, Json>()
  readonly text: string
  #depth = 0
  #flowing = 0

  constructor(text: string) {
    if (text.length > LARGEST) throw new RelayError('CONFIG_INVALID', 'is too large')
    const lines = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n')
    this.text = lines.endsWith('\n') ? lines : `${lines}\n`
  }

  get ended(): boolean {
    return this.at >= this.text.length
  }

  /** The character here; a line feed at the end of the text. */
  get char(): string {
    return this.ahead(0)
  }

  ahead(count: number): string {
    return this.text[this.at + count] ?? '\n'
  }

  /** Where the line begins. */
  get line(): number {
    return this.text.lastIndexOf('\n', this.at - 1) + 1
  }

  get column(): number {
    return this.at - this.line
  }

  get isDash(): boolean {
    return this.char === '-' && ' \n'.includes(this.ahead(1))
  }

  /** A line feed, or a comment, comes next. */
  get lineEnded(): boolean {
    return this.char === '\n' || (this.char === '#' && /\s/.test(this.ahead(-1)))
  }

  /** The mark of a document's begin or end is here. */
  get atMark(): boolean {
    return this.column === 0 && /^(---|\.\.\.)\s/.test(this.text.slice(this.at, this.at + 4))
  }

  mark(mark: '---' | '...'): boolean {
    if (!this.atMark || !this.text.startsWith(mark, this.at)) return false
    this.at += mark.length
    return true
  }

  spaces(): void {
    while (this.char === ' ' || this.char === '\t') this.at++
  }

  /** Goes to what comes next, over white space, line feeds and comments. */
  skip(): void {
    while (!this.ended) {
      this.spaces()
      if (this.char === '#' && (this.column === 0 || /\s/.test(this.ahead(-1)))) {
        this.at = this.text.indexOf('\n', this.at)
      }
      if (this.char !== '\n') break
      this.at++
    }
    const before = this.text.slice(this.line, this.at)
    if (!this.ended && this.#flowing === 0 && before.includes('\t') && before.trim() === '') {
      throw this.refuse('a tab in the indentation')
    }
  }

  /** Inside brackets, indentation and tabs mean nothing. */
  flowing<T>(read: () => T): T {
    this.#flowing++
    const value = this.deeper(read)
    this.#flowing--
    return value
  }

  deeper<T>(read: () => T): T {
    if (++this.#depth > DEEPEST) throw this.refuse('nested too deeply')
    const value = read()
    this.#depth--
    return value
  }

  /** The name of an anchor or alias. */
  name(sign: '&' | '*'): string | undefined {
    if (this.char !== sign) return undefined
    const [whole = '', name = ''] = /^.([\w-]+)(?=[\s,\]}])/.exec(this.rest()) ?? []
    if (name === '') throw this.refuse('a name wanted')
    this.at += whole.length
    return name
  }

  /** What an alias stands for; `undefined` when there is none. */
  alias(): Json | undefined {
    const alias = this.name('*')
    if (alias === undefined) return undefined
    const known = this.anchors.get(alias)
    if (known === undefined) throw this.refuse('an alias without its anchor')
    return known
  }

  /** A word without quotes up to the end of the line, a comment, or the colon behind a key. */
  word(inside = false): string {
    if (/[!%@`]/.test(this.char)) throw this.refuse('a tag, directive or reserved character')
    const end = inside ? /\s#|:(?=[\s,[\]{}])|[,[\]{}\n]/ : /\s#|:(?=\s)|\n/
    const rest = this.rest()
    const length = rest.search(end)
    const found = rest.slice(0, length < 0 ? rest.length : length)
    this.at += found.length
    return found.trimEnd()
  }

  rest(): string {
    const end = this.text.indexOf('\n', this.at)
    return this.text.slice(this.at, end + 1)
  }

  refuse(why: string): RelayError {
    const line = this.text.slice(0, Math.min(this.at, this.text.length - 1)).split('\n').length
    return new RelayError('CONFIG_INVALID', `line ${line}: ${why}`)
  }
}
