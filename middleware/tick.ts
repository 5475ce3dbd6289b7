import type { Ports } from '../ports/index.ts'
import type { Edge } from './edge.ts'

/** A schedule's tick: nobody waits for the answer. */
export function tick<E, R>(
  parse: (event: unknown) => E,
  workflow: (ports: Ports) => Promise<R>,
): Edge<E, R> {
  return { parse, run: (_, { ports }) => workflow(ports) }
}
