import type { Ports } from '../ports/index.ts'
import type { Edge } from './edge.ts'

/** Something that nobody waits for, or that is tried again as a whole when it fails: a schedule's tick, an event, a step. */
export function tick<E, R, P = Ports>(
  parse: (event: unknown) => E,
  workflow: (ports: P, event: E) => Promise<R>,
): Edge<E, R, P> {
  return { parse, run: (event, { ports }) => workflow(ports, event) }
}
