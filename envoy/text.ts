import type { Json } from './json.ts'
import type { Reader } from './reader.ts'

/** Tells what a word without quotes means. */
export type Resolve = (word: string) => Json

const TRUE = /^(y|yes|true|on|Y|Yes|True|On|YES|TRUE|ON)$/
const FALSE = /^(n|no|false|off|N|No|False|Off|NO|FALSE|OFF)$/
const NOTHING = /^(~|null|Null|NULL|)$/
const WHOLE = /^[-+]?(0|[1-9]\d*|0x[\da-fA-F]+)$/
const OCTAL = /^[-+]?0[0-7]+$/

/** As Envoy reads it: what is no boolean and no whole number of 32 bits is a text. */
export function scalarOf(word: string): Json {
  if (NOTHING.test(word)) return null
  if (TRUE.test(word)) return true
  if (FALSE.test(word)) return false
  if (!WHOLE.test(word) && !OCTAL.test(word)) return word
  const digits = word.replace(/^[-+]/, '')
  const size = OCTAL.test(word) ? Number.parseInt(digits, 8) : Number(digits)
  const number = word.startsWith('-') ? -size : size
  return Math.abs(number) < 2 ** 31 ? number : word
}

/** A text without quotes; it goes on in lines that are indented by `least` or more. */
export function plain(reader: Reader, least: number): string {
  let found = reader.word()
  for (;;) {
    if (reader.char === ':') throw reader.refuse('a colon; put the text into quotes')
    const back = reader.at
    reader.spaces()
    if (reader.char === '#') return found
    const feeds = lineFeeds(reader)
    if (reader.ended || reader.atMark || reader.column < least || reader.char === '#') {
      reader.at = back
      return found
    }
    const more = reader.word()
    if (reader.char === ':') {
      reader.at = back
      return found
    }
    found += feeds > 1 ? '\n'.repeat(feeds - 1) : ' '
    found += more
  }
}

/** Goes over white space; how many line feeds were in it. */
function lineFeeds(reader: Reader): number {
  let feeds = 0
  for (; !reader.ended && /\s/.test(reader.char); reader.at++) if (reader.char === '\n') feeds++
  return feeds
}

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ '0': '\0', a: '\x07', b: '\b', t: '\t', n: '\n', v: '\v', f: '\f', r: '\r', e: '\x1b' },
  ...{ ' ': ' ', '"': '"', '/': '/', '\\': '\\', N: '\x85', _: '\xa0', L: '\u2028', P: '\u2029' },
}
const HEX: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }

/** A text in quotes; lines are folded. */
export function quoted(reader: Reader, least: number): string {
  const quote = reader.char
  reader.at++
  let found = ''
  for (;;) {
    const { char } = reader
    if (reader.ended) throw reader.refuse('a quote that is not closed')
    if (char === '\n') found = `${found.replace(/[ \t]+$/, '')}${fold(reader, least)}`
    else {
      reader.at++
      if (char === quote && !(quote === "'" && reader.char === "'")) return found
      if (char === quote) reader.at++
      found += char === '\\' && quote === '"' ? escaped(reader, least) : char
    }
  }
}

function fold(reader: Reader, least: number): string {
  const feeds = lineFeeds(reader)
  if (reader.ended || reader.column < least) throw reader.refuse('a quote that is not closed')
  return feeds > 1 ? '\n'.repeat(feeds - 1) : ' '
}

function escaped(reader: Reader, least: number): string {
  const { char } = reader
  if (char === '\n') {
    const folded = fold(reader, least)
    return folded === ' ' ? '' : folded
  }
  reader.at++
  const digits = HEX[char]
  if (digits === undefined) {
    const known = ESCAPES[char]
    if (known === undefined) throw reader.refuse('an escape that YAML does not know')
    return known
  }
  const hex = reader.text.slice(reader.at, reader.at + digits)
  const code = /^[\da-fA-F]+$/.test(hex) && hex.length === digits ? Number.parseInt(hex, 16) : -1
  if (code < 0 || code > 0x10_ffff) throw reader.refuse('an escape without its digits')
  reader.at += digits
  return digits === 8 ? String.fromCodePoint(code) : String.fromCharCode(code)
}

/** `|` keeps lines, `>` folds them; `-` drops the last line feed, `+` keeps all. */
export function blockText(reader: Reader, least: number): string {
  const head = reader.rest()
  const [, style, one = '', two = ''] =
    /^([|>])([-+1-9]?)([-+1-9]?)\s*(?:\s#.*)?\n$/.exec(head) ?? []
  if (style === undefined) throw reader.refuse('a block of text begins on the next line')
  reader.at += head.length
  const given = Number(/[1-9]/.exec(one + two)?.[0] ?? 0)
  const chomp = /[-+]/.exec(one + two)?.[0]
  const lines = textLines(reader, least, given)
  let blank = 0
  while (lines.length > 0 && lines.at(-1) === '') {
    lines.pop()
    blank++
  }
  const body = style === '|' ? lines.join('\n') : folded(lines)
  if (chomp === '-') return body
  if (chomp === '+') return lines.length > 0 ? `${body}\n${'\n'.repeat(blank)}` : '\n'.repeat(blank)
  return lines.length > 0 ? `${body}\n` : ''
}

function textLines(reader: Reader, least: number, given: number): string[] {
  const lines: string[] = []
  let indent = given > 0 ? Math.max(0, least - 1) + given : 0
  while (!reader.ended) {
    const line = reader.rest().slice(0, -1)
    const depth = line.search(/[^ ]/)
    if (depth >= 0 && indent === 0) indent = Math.max(depth, least, 1)
    if (depth >= 0 && depth < indent) break
    lines.push(indent > 0 ? line.slice(indent) : '')
    reader.at += line.length + 1
  }
  return lines
}

/** Lines become one, but for those that are indented further. */
function folded(lines: readonly string[]): string {
  let found = ''
  for (const [index, line] of lines.entries()) {
    const before = lines[index - 1]
    if (before === undefined) found = line
    else if (line === '' || /^[ \t]/.test(line) || /^[ \t]/.test(before)) found += `\n${line}`
    else if (before === '') found += line === '' ? '\n' : afterBlank(lines, index) + line
    else found += ` ${line}`
  }
  return found
}

/** Blank lines between two lines of text are one line feed fewer than they look; each has added its own already. */
function afterBlank(lines: readonly string[], index: number): string {
  const above = lines.slice(0, index).findLast((line) => line !== '')
  return above === undefined || /^[ \t]/.test(above) ? '\n' : ''
}
