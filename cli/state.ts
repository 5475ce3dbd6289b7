import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { open, readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { resolve } from 'node:path'
import type { Ledger } from '../authority/issue.ts'
import { type Revoked, reasonOf } from '../authority/list.ts'
import type { Revocations } from '../authority/revocations.ts'
import { parsedObject } from '../pki/json.ts'

/** What a server remembers beyond its life: which certificates are revoked, and which serials clients chose. */
export interface State extends Revocations, Ledger {
  close(): Promise<void>
}

/**
 * Kept in a file of JSON lines that only grows; every line is on the disk before it is answered. One process at a time has it.
 *
 * @throws Error when a line of the file is none of ours, or another process has it
 */
export async function state(file: string): Promise<State> {
  const release = await taken(file)
  const lists = new Map<string, Map<string, Revoked>>()
  const claimed = new Set<string>()
  const content = await readFile(file, 'utf8').catch(absent)
  const whole = content.slice(0, content.lastIndexOf('\n') + 1)
  for (const [at, line] of whole.split('\n').slice(0, -1).entries()) take(line, at)
  const handle = await open(file, 'a', 0o600)
  // a line that power took the end of was never answered
  if (whole !== content) await handle.truncate(Buffer.byteLength(whole))
  let turn: Promise<void> = Promise.resolve()

  function take(line: string, at: number): void {
    const { label, serial, claim, reason = '', at: when, notAfter } = parsedObject(line) ?? {}
    const why = typeof reason === 'string' ? reasonOf(reason) : undefined
    if (typeof label === 'string' && typeof claim === 'string') claimed.add(`${label}/${claim}`)
    else if (typeof label === 'string' && typeof serial === 'string' && typeof when === 'number')
      note(label, {
        ...{ serial, at: when },
        ...(why !== undefined && { reason: why }),
        ...(typeof notAfter === 'number' && { notAfter }),
      })
    else throw new Error(`line ${at + 1} of ${file} is no state of an authority: restore the file`)
  }

  function note(label: string, one: Revoked): boolean {
    const own = lists.get(label) ?? new Map<string, Revoked>()
    lists.set(label, own)
    if (own.has(one.serial)) return false
    own.set(one.serial, one)
    return true
  }

  /** One line after the other, each on the disk before the next. */
  function append(entry: unknown): Promise<void> {
    turn = turn.then(async () => {
      await handle.appendFile(`${JSON.stringify(entry)}\n`)
      await handle.datasync()
    })
    return turn
  }

  return {
    async revoke(label, one) {
      if (note(label, one)) await append({ label, ...one })
    },
    list: async (label) => [...(lists.get(label)?.values() ?? [])],
    async claim(label, serial) {
      const name = `${label}/${serial}`
      if (claimed.has(name)) return false
      claimed.add(name)
      await append({ label, claim: serial })
      return true
    },
    async close() {
      await turn
      await handle.close()
      release()
    },
  }
}

function absent(error: unknown): string {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
  throw error
}

/** Holds the file until it is released: an abstract socket of Linux, as in lock.mjs, which its holder's end frees. */
async function taken(file: string): Promise<() => void> {
  if (process.platform !== 'linux') return () => {}
  const name = createHash('sha256').update(resolve(file)).digest('hex')
  const lock = createServer((socket) => socket.destroy())
  const held = once(lock, 'listening')
  lock.listen({ path: `\0certrelay-state-${name}`, exclusive: true })
  await held.catch(() => {
    throw new Error(`another server keeps its state in ${file}: give this one its own`)
  })
  return () => void lock.close()
}
