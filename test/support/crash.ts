import type { Ports } from '../../ports/index.ts'

/** What a test throws where a process would have died. */
export class Crash extends Error {
  override readonly name = 'Crash'
}

/** Every call that changes or reads the world; clock and log cannot fail. */
const FRAGILE = ['authority', 'vault', 'keeper', 'fleet', 'queue'] as const

/**
 * Ports that die at their nth call (the first is 0): before it has an effect, or after, when the reply is lost.
 * `calls` tells how many were made.
 */
export function crashing(ports: Ports, at: number, when: 'before' | 'after') {
  const count = { calls: 0, last: '' }
  const call = (name: string, run: () => unknown): unknown => {
    const mine = count.calls++ === at
    count.last = mine ? name : count.last
    if (mine && when === 'before') throw new Crash(name)
    const result = run()
    if (!mine) return result
    if (!(result instanceof Promise)) throw new Crash(name)
    return result.then(() => {
      throw new Crash(name)
    })
  }
  const fragile = <T extends object>(port: T, name: string): T =>
    new Proxy(port, {
      get(target, key, receiver) {
        const value: unknown = Reflect.get(target, key, receiver)
        if (typeof value !== 'function') return value
        return (...args: unknown[]) =>
          call(`${name}.${String(key)}`, () => Reflect.apply(value, target, args))
      },
    })
  const wrapped: Ports = {
    ...ports,
    ...Object.fromEntries(FRAGILE.map((name) => [name, fragile(ports[name], name)])),
  }
  return { ports: wrapped, count }
}
