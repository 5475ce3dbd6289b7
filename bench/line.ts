import type { Failures } from '../middleware/batch.ts'
import type { Loop } from '../test/simulation/loop.ts'
import { type Environment, environment, type Visit } from './account.ts'
import { pool, type Waiting } from './pool.ts'

const VISIBILITY = 720_000
const TIMEOUT = 120_000
const PLACE = { region: 'us-east-1', account: '111122223333' }

/** A message as a batch has it. */
export interface Message {
  readonly id: string
  readonly body: string
  readonly tries: number
  readonly region: string
  readonly account: string
}

/** A queue and the function behind it, without misfortunes. What waits in it takes no room in the heap (pool.ts). */
export interface Line {
  /** `delay` in seconds. */
  send(body: string, delay: number): void
  size(): number
}

interface Mapping {
  /** Messages a batch. */
  readonly most: number
  readonly concurrency: number
  /** CERTRELAY_SHARE. */
  readonly share: number
  /** Of every message, milliseconds. */
  readonly delay: number
  readonly work: (visit: Visit, messages: readonly Message[]) => Promise<Failures>
}

/** As many environments as run at once; each keeps its pace over all of its invocations. */
export function line(loop: Loop, { most, concurrency, share, delay, work }: Mapping): Line {
  const idle: Environment[] = Array.from({ length: concurrency }, () => environment(share))
  const waiting = pool()
  let alarm = Infinity // when the next message is looked for
  let size = 0

  function come(body: string, tries: number, after: number): void {
    waiting.add({ at: loop.now() + after, body, tries })
    wake()
  }

  function wake(): void {
    const next = waiting.next()
    if (next >= alarm || next === Infinity) return
    alarm = next
    loop.at(next, () => {
      if (alarm === next) alarm = Infinity
      pump()
    })
  }

  function pump(): void {
    while (waiting.next() <= loop.now()) {
      const own = idle.pop()
      if (own === undefined) return
      const batch: Waiting[] = []
      while (batch.length < most && waiting.next() <= loop.now()) batch.push(waiting.take())
      invoke(own, batch)
    }
    wake()
  }

  function invoke(own: Environment, batch: readonly Waiting[]): void {
    const until = loop.now() + TIMEOUT
    const remaining = () => until - loop.now()
    const messages = batch.map(({ body, tries }, n) => ({ id: String(n), body, tries, ...PLACE }))
    let failed = new Set<string>()
    loop.spawn(
      async (run) => {
        const answer = await work({ run, environment: own, remaining }, messages)
        failed = new Set(answer.batchItemFailures.map(({ itemIdentifier }) => itemIdentifier))
      },
      (_, error) => {
        if (error !== undefined) throw error
        for (const { id, body, tries } of messages)
          if (failed.has(id)) come(body, tries + 1, VISIBILITY)
        size -= messages.length - failed.size
        idle.unshift(own)
        loop.after(5, pump)
      },
      true,
    )
  }

  return {
    send(body, seconds) {
      size++
      come(body, 1, seconds * 1_000 + delay + 20)
    },
    size: () => size,
  }
}
