import { RelayError } from '../pki/error.ts'
import { flow } from './flow.ts'
import type { Json } from './json.ts'
import { Reader } from './reader.ts'
import { blockText, plain, quoted, type Resolve, scalarOf } from './text.ts'

/**
 * Reads the YAML, or JSON, of one bootstrap: what Envoy's documentation uses of YAML 1.2, and Envoy's own idea of what a word
 * means (`on` is true, 1.5 a text that a number field takes). Tags, complex keys, merge keys and several documents are
 * refused, and so are duplicate keys, of which Envoy would take one without a word.
 *
 * @param resolve tells what a word without quotes means
 * @throws RelayError CONFIG_INVALID with the line, never with what stands there
 */
export function parseYaml(text: string, resolve: Resolve = scalarOf): Json {
  const reader = new Reader(text)
  reader.skip()
  if (reader.mark('---')) reader.skip()
  const value = node(reader, 0, resolve)
  reader.skip()
  if (reader.mark('...')) reader.skip()
  if (!reader.ended) throw reader.refuse(reader.atMark ? 'only one document' : 'bad indentation')
  return value
}

/** The node that begins here; `null` when what comes next is indented less than `least`. */
function node(reader: Reader, least: number, resolve: Resolve): Json {
  reader.skip()
  if (reader.ended || reader.atMark || reader.column < least) return null
  return reader.deeper(() => {
    const anchor = reader.name('&')
    if (anchor === undefined) return content(reader, least, resolve)
    reader.spaces()
    const value = reader.lineEnded ? node(reader, least, resolve) : content(reader, least, resolve)
    reader.anchors.set(anchor, value)
    return value
  })
}

function content(reader: Reader, least: number, resolve: Resolve): Json {
  const { column } = reader
  if (reader.isDash) return sequence(reader, column, resolve)
  const start = reader.at
  const isMapping = keyHere(reader) !== undefined
  reader.at = start
  return isMapping ? mapping(reader, column, resolve) : value(reader, least, resolve)
}

/** What stands behind a key or a dash on the same line, and is no block. */
function value(reader: Reader, least: number, resolve: Resolve): Json {
  const known = reader.alias()
  if (known !== undefined) return known
  if ('{['.includes(reader.char)) return flow(reader, resolve)
  if ('\'"'.includes(reader.char)) return quoted(reader, least)
  if ('|>'.includes(reader.char)) return blockText(reader, least)
  return resolve(plain(reader, least))
}

function sequence(reader: Reader, column: number, resolve: Resolve): Json {
  const items: Json[] = []
  while (!reader.ended && reader.column === column && reader.isDash) {
    reader.at++
    items.push(node(reader, column + 1, resolve))
    reader.skip()
  }
  return closed(reader, column, items)
}

function mapping(reader: Reader, column: number, resolve: Resolve): Json {
  const members = new Map<string, Json>()
  while (!reader.ended && reader.column === column && !reader.atMark && !reader.isDash) {
    const key = keyHere(reader)
    if (key === undefined) throw reader.refuse('a key and a colon wanted')
    if (key === '<<') throw reader.refuse('merge keys are not known to Envoy')
    if (members.has(key)) throw reader.refuse('a key that is there already')
    members.set(key, member(reader, column, resolve))
    reader.skip()
  }
  return closed(reader, column, Object.fromEntries(members))
}

/** The value of a key of a block; the dashes of a list may stand under the key itself. */
function member(reader: Reader, column: number, resolve: Resolve): Json {
  reader.spaces()
  if (reader.lineEnded) {
    reader.skip()
    const isList = !reader.ended && reader.column === column && reader.isDash
    return isList ? sequence(reader, column, resolve) : node(reader, column + 1, resolve)
  }
  const anchor = reader.name('&')
  if (anchor !== undefined) {
    const anchored = member(reader, column, resolve)
    reader.anchors.set(anchor, anchored)
    return anchored
  }
  if (reader.isDash) throw reader.refuse('a list begins on a line of its own')
  const found = value(reader, column + 1, resolve)
  if (reader.column === 0) return found // behind a block of text
  reader.spaces()
  if (!reader.lineEnded) throw reader.refuse('the end of the line wanted')
  return found
}

function closed(reader: Reader, column: number, value: Json): Json {
  if (!reader.ended && !reader.atMark && reader.column > column) {
    throw reader.refuse('bad indentation')
  }
  return value
}

/** Reads `key:`; `undefined`, and anywhere on the line, when there is none. */
function keyHere(reader: Reader): string | undefined {
  if (reader.char === '?' && ' \n'.includes(reader.ahead(1))) {
    throw reader.refuse('complex keys are not read')
  }
  if ('{[|>*&'.includes(reader.char)) return undefined
  const { line } = reader
  const isQuoted = '\'"'.includes(reader.char)
  const key = isQuoted ? quoted(reader, 0) : reader.word()
  reader.spaces()
  if (reader.line !== line || reader.char !== ':' || !' \n'.includes(reader.ahead(1))) {
    return undefined
  }
  reader.at++
  return key
}

/** @throws RelayError CONFIG_INVALID naming the file and what it lacks */
export function parseFile(path: string, text: string): Json {
  try {
    return parseYaml(text)
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    throw new RelayError(error.code, `${path} ${error.message}`, { cause: error })
  }
}
