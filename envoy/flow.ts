import type { Json } from './json.ts'
import type { Reader } from './reader.ts'
import { quoted, type Resolve } from './text.ts'

/** A list or map in brackets: the part of YAML that JSON is. */
export function flow(reader: Reader, resolve: Resolve): Json {
  return reader.flowing(() => {
    const isList = reader.char === '['
    reader.at++
    return isList ? list(reader, resolve) : map(reader, resolve)
  })
}

function list(reader: Reader, resolve: Resolve): Json {
  const items: Json[] = []
  while (!done(reader, ']')) {
    items.push(item(reader, resolve))
    separate(reader, ']')
  }
  return items
}

function map(reader: Reader, resolve: Resolve): Json {
  const members = new Map<string, Json>()
  while (!done(reader, '}')) {
    const isQuoted = '\'"'.includes(reader.char)
    const key = isQuoted ? quoted(reader, 0) : reader.word(true)
    if (!isQuoted && key === '') throw reader.refuse('a key wanted')
    if (members.has(key)) throw reader.refuse('a key that is there already')
    reader.skip()
    if (reader.char !== ':') throw reader.refuse('a colon wanted')
    reader.at++
    members.set(key, item(reader, resolve))
    separate(reader, '}')
  }
  return Object.fromEntries(members)
}

function item(reader: Reader, resolve: Resolve): Json {
  reader.skip()
  const known = reader.alias()
  if (known !== undefined) return known
  if ('{['.includes(reader.char)) return flow(reader, resolve)
  if ('\'"'.includes(reader.char)) return quoted(reader, 0)
  return resolve(reader.word(true))
}

function done(reader: Reader, bracket: string): boolean {
  reader.skip()
  if (reader.char !== bracket) return false
  reader.at++
  return true
}

function separate(reader: Reader, bracket: string): void {
  reader.skip()
  if (reader.char === ',') reader.at++
  else if (reader.char !== bracket) throw reader.refuse(`a comma or ${bracket} wanted`)
}
