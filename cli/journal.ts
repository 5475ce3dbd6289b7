import { writeSync } from 'node:fs'
import type { Counts } from '../cfssl/counts.ts'
import type { Fields, Log } from '../ports/log.ts'

/** Octets that wait at most before they are written. */
const MOST = 65_536

/**
 * Lines of JSON on a file descriptor. What comes in one turn of the event loop is written in one go, when it is flushed or the turn
 * ends; a reader that is slow makes the writer wait, and nothing is lost.
 */
export function journal(descriptor: number): { write(line: string): void; flush(): void } {
  let waiting = ''
  let planned = false
  const flush = () => {
    planned = false
    if (waiting === '') return
    const bytes = Buffer.from(waiting)
    waiting = ''
    for (let at = 0; at < bytes.length; ) at += written(descriptor, bytes.subarray(at))
  }
  return {
    flush,
    write(line) {
      waiting += `${line}\n`
      if (waiting.length > MOST) flush()
      else if (!planned) {
        planned = true
        setImmediate(flush)
      }
    },
  }
}

const PAUSE = new Int32Array(new SharedArrayBuffer(4))

/** How many octets went out; a pipe that is full is asked again. */
function written(descriptor: number, bytes: Uint8Array): number {
  try {
    return writeSync(descriptor, bytes)
  } catch (error) {
    const full = error instanceof Error && 'code' in error && error.code === 'EAGAIN'
    if (!full) return bytes.length // nobody reads any more: there is nowhere to say so
    Atomics.wait(PAUSE, 0, 0, 1)
    return 0
  }
}

/** The log of a server: every line, JSON, has its time; metrics are counted, not written. */
export function logTo(write: (line: string) => void, counts: Pick<Counts, 'own'>): Log {
  const line =
    (level: string) =>
    (event: string, fields: Fields = {}) => {
      // fields are not copied into an object with the head: audit lines have many, and are most of what is written
      const head = JSON.stringify({ time: timeNow(), level, message: event })
      const rest = JSON.stringify(fields)
      write(rest === '{}' ? head : `${head.slice(0, -1)},${rest.slice(1)}`)
    }
  const audit = line('AUDIT')
  return {
    info: line('INFO'),
    warn: line('WARN'),
    error: line('ERROR'),
    audit: (fields, attempts = []) => {
      audit('audit', fields)
      for (const one of attempts) audit('attempt', one)
    },
    count: (metric, value, fields = {}, unit = 'Count') => {
      if (unit === 'Count') counts.own(metric, fields, value)
    },
  }
}

let last = { at: 0, text: '' }

/** ISO 8601; the lines of a millisecond have the same. */
function timeNow(): string {
  const at = Date.now()
  if (last.at !== at) last = { at, text: new Date(at).toISOString() }
  return last.text
}
