import { createHash } from 'node:crypto'
import type { Options, Surroundings } from '../../middleware/conduct.ts'
import { failover } from '../../middleware/failover.ts'
import { type Memory, memory } from '../../middleware/memory.ts'
import type { Time } from '../../middleware/time.ts'
import { time as real } from '../../middleware/time.ts'
import type { Context } from '../../pki/sealed.ts'
import type { Keyhole, Turned, Use } from '../../ports/keys.ts'
import type { Fields } from '../../ports/log.ts'

export const EAST = 'us-east-1'
export const WEST = 'us-west-2'

/** Time that only moves when a test says so. */
export interface Moved extends Time {
  /** Lets so many milliseconds pass, timer by timer, with everything that follows from each. */
  pass(milliseconds: number): Promise<void>
  /** Passes time until the work is done, and answers what it answered. */
  until<T>(work: Promise<T>): Promise<T>
  /** Hours of a frozen container: the clock goes on, timers and the stopwatch do not. */
  freeze(milliseconds: number): void
}

export function still(): Moved {
  let elapsed = 0
  let frozen = 0
  const timers = new Set<{ readonly at: number; readonly task: () => void }>()
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  }
  const step = async (limit: number) => {
    const [next] = [...timers].sort((a, b) => a.at - b.at)
    if (next === undefined || next.at > limit) return false
    elapsed = next.at
    timers.delete(next)
    next.task()
    await settle()
    return true
  }
  return {
    now: () => 1_800_000_000_000 + elapsed + frozen,
    elapsed: () => elapsed,
    random: () => 0.5,
    after(milliseconds, task) {
      const timer = { at: elapsed + milliseconds, task }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    async pass(milliseconds) {
      const until = elapsed + milliseconds
      await settle()
      while (await step(until)) await settle()
      elapsed = until
    },
    async until(work) {
      let done = false
      const ended = work.then(
        () => {
          done = true
        },
        () => {
          done = true
        },
      )
      await settle()
      while (!done && (await step(Number.POSITIVE_INFINITY))) await settle()
      await ended
      return work
    },
    freeze(milliseconds) {
      frozen += milliseconds
    },
  }
}

/** What a region does when it is asked: answers after so long, hangs, or fails with an error after so long. */
export type Mood =
  | { readonly ms: number }
  | 'hangs'
  | { readonly fails: unknown; readonly ms?: number }

/** A key in a region, bound to its context, that counts who asks. */
export interface Region {
  readonly hole: Keyhole
  readonly calls: ('encrypt' | 'decrypt')[]
  /** Attempts that were given up. */
  aborted: number
  mood: Mood
  /** Runs after a call got its mood. */
  onceCalled?: (() => void) | undefined
}

export const keyOf = (region: string, id = region) => `arn:aws:kms:${region}:111122223333:key/${id}`

export function region(
  name: string,
  time: Time,
  {
    mood = { ms: 5 },
    id = name,
    former = false,
  }: { mood?: Mood; id?: string; former?: boolean } = {},
): Region {
  const key = keyOf(name, id)
  const secret = createHash('sha256').update(id).digest()
  const mask = (bytes: Uint8Array) =>
    Buffer.from(bytes.map((byte, at) => byte ^ (secret[at % secret.length] ?? 0)))
  const bound = (context: Context) => createHash('sha256').update(JSON.stringify(context)).digest()
  const about: Region = {
    calls: [],
    aborted: 0,
    mood,
    hole: {
      region: name,
      key,
      former,
      encrypt: (plain, context, use) =>
        work('encrypt', use, () => Buffer.concat([bound(context), mask(plain)])),
      decrypt: (blob, context, use) =>
        work('decrypt', use, () => {
          if (!bound(context).equals(Buffer.from(blob.subarray(0, 32))))
            throw sdk('InvalidCiphertextException', status(400))
          return mask(blob.subarray(32))
        }),
    },
  }
  function work(call: 'encrypt' | 'decrypt', { signal }: Use, result: () => Buffer) {
    about.calls.push(call)
    const requestId = `${name}-${about.calls.length}`
    const { mood: now, onceCalled } = about
    onceCalled?.()
    return new Promise<Turned>((resolve, reject) => {
      signal.addEventListener('abort', () => {
        about.aborted++
        reject(sdk('AbortError'))
      })
      if (now === 'hangs') return
      time.after(now.ms ?? 5, () => {
        if ('fails' in now) return reject(now.fails)
        try {
          resolve({ bytes: result(), key, requestId })
        } catch (error) {
          reject(error)
        }
      })
    })
  }
  return about
}

/** An error as the SDK throws it. */
export function sdk(name: string, more: object = {}): Error {
  return Object.assign(new Error(`${name} happened`), { name, ...more })
}

export function status(httpStatusCode: number, requestId = 'r') {
  return { $metadata: { httpStatusCode, requestId } }
}

/** The failover over these regions, and everything that it says. */
export function house(
  regions: readonly Region[],
  time: Time,
  options: Options & { readonly remaining?: number; readonly memory?: Memory } = {},
) {
  const lines: { readonly line: Fields; readonly attempts: readonly Fields[] }[] = []
  const warnings: string[] = []
  const metrics: { readonly metric: string; readonly value: number; readonly at: string }[] = []
  const remembered = options.memory ?? memory(time.random)
  const keys = failover(
    regions.map(({ hole }) => hole),
    {
      audit: (line, attempts) => void lines.push({ line, attempts }),
      warn: (event) => void warnings.push(event),
      count: (metric, value, dimensions = {}) =>
        void metrics.push({ metric, value, at: Object.values(dimensions).join(' ') }),
      time,
      memory: remembered,
      remaining: () => options.remaining ?? 10_000,
      options,
    },
  )
  const state = (name: string) => remembered.of(name).breaker.state(time.now())
  return { ...keys, lines, warnings, metrics, memory: remembered, state }
}

/** Surroundings that say nothing, in real time. */
export function quiet(): Surroundings {
  return {
    audit: () => {},
    warn: () => {},
    count: () => {},
    time: real,
    memory: memory(real.random),
    remaining: () => 10_000,
  }
}
