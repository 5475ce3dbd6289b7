import type { Edge } from './edge.ts'

/** One of two events. */
type Either<T, E> =
  | { readonly of: 'tick'; readonly event: T }
  | { readonly of: 'other'; readonly event: E }

/**
 * A way in for the ticks of a schedule, beside another one: what `isTick` does not know goes there. A tick that fails is thrown.
 */
export function beside<T, S, E, R, P, Q>(
  isTick: (event: unknown) => event is T,
  workflow: (ports: Q) => Promise<S>,
  other: Edge<E, R, P>,
): Edge<Either<T, E>, S | R, P & Q> {
  return {
    parse: (event) =>
      isTick(event) ? { of: 'tick', event } : { of: 'other', event: other.parse(event) },
    run: (one, visit) => (one.of === 'tick' ? workflow(visit.ports) : other.run(one.event, visit)),
    async fail(event, error, log) {
      if (isTick(event) || other.fail === undefined) throw error
      return other.fail(event, error, log)
    },
  }
}
