import { RelayError } from '../../pki/error.ts'
import type { Ports } from '../../ports/index.ts'

/** What a test throws where a process would have died. */
export class Crash extends Error {
  override readonly name = 'Crash'
}

/** Every call that changes or reads the world; clock and log cannot fail. */
const FRAGILE = ['authority', 'vault', 'keeper', 'fleet', 'queue', 'bus', 'keys'] as const
/** What may answer as it did before; a version's content never changes, but may not be shown yet. */
const READS =
  /^(authority\.(describe|leaf|issuer)|vault\.find|fleet\.look|keeper\.managed|queue\.waiting)$/

/** How a call goes wrong. */
export const MISHAPS = {
  before: 'killed before it',
  after: 'killed after it, before the reply',
  unavailable: 'answered with 5xx although it was done',
  throttled: 'throttled',
  stale: 'answered as the time before, or before a version was there',
} as const
export type Mishap = keyof typeof MISHAPS

/** Answers of reads by call and arguments, and when they were given: what a stale read answers. */
export type Memory = Map<string, { readonly answer: unknown; readonly at: number }>
/** What asks for one version: its first answer may be that there is none. */
const NAMING = /^vault\.(read|move)$/
/** The answer of what asks for a version before it was there. */
const ABSENT = Symbol('absent')
/** No read is staler, milliseconds. */
const STALEST = 3_600_000

/**
 * Ports whose nth call (the first is 0) goes wrong. `calls` tells how many were made, `last` which one was struck, if any: a
 * stale read strikes only what was read before.
 */
export function crashing(ports: Ports, at: number, when: Mishap, memory: Memory = new Map()) {
  const count = { calls: 0, last: '' }
  const hit = (name: string): boolean => {
    count.last = name
    return true
  }
  const error = (name: string) =>
    when === 'before' || when === 'after'
      ? new Crash(name)
      : new RelayError('SERVICE_UNAVAILABLE', `${name}: ${when}`)
  const early = when === 'before' || when === 'throttled'

  const recent = (key: string) => {
    const known = memory.get(key)
    return known !== undefined && known.at >= ports.clock.now() - STALEST ? known : undefined
  }
  const once = async (name: string, key: string, mine: boolean, run: () => Promise<unknown>) => {
    if (mine && when === 'stale') {
      const known = recent(key)
      if (known === undefined) return run()
      hit(name)
      if (known.answer === ABSENT) throw new RelayError('VERSION_MISSING', `${name}: ${when}`)
      return known.answer
    }
    if (mine && early && hit(name)) throw error(name)
    const answer = await run()
    if (READS.test(name)) memory.set(key, { answer, at: ports.clock.now() })
    if (NAMING.test(name)) memory.delete(key)
    if (name === 'vault.put')
      for (const one of namings(key)) memory.set(one, { answer: ABSENT, at: ports.clock.now() })
    if (mine && hit(name)) throw error(name)
    return answer
  }
  const pages = async function* (
    name: string,
    key: string,
    mine: boolean,
    run: () => AsyncIterable<unknown>,
  ) {
    const collected = async () => {
      const all: unknown[] = []
      for await (const page of run()) all.push(page)
      return all
    }
    const answer = await once(name, key, mine, collected)
    if (Array.isArray(answer)) yield* answer
  }
  const fragile = <T extends object>(port: T, name: string): T =>
    new Proxy(port, {
      get(target, property, receiver) {
        const value: unknown = Reflect.get(target, property, receiver)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          const call = `${name}.${String(property)}`
          const mine = count.calls++ === at
          const key = keyOf(call, args)
          const run = () => Reflect.apply(value, target, args)
          return call === 'keeper.managed'
            ? pages(call, key, mine, run)
            : once(call, key, mine, run)
        }
      },
    })
  const wrapped: Ports = {
    ...ports,
    ...Object.fromEntries(
      FRAGILE.flatMap((name) => {
        const port = ports[name]
        return port === undefined ? [] : [[name, fragile(port, name)]]
      }),
    ),
  }
  return { ports: wrapped, count }
}

function keyOf(call: string, args: readonly unknown[]): string {
  const [, second, , fourth] = args
  if (call === 'vault.read' || call === 'vault.put') return `${call} ${second}`
  if (call === 'vault.move') return `${call} ${fourth}`
  return READS.test(call) ? `${call} ${JSON.stringify(args)}` : call
}

/** What will ask for the version that a put has stored. */
function namings(put: string): readonly string[] {
  return ['read', 'move'].map((one) => put.replace('put', one))
}
