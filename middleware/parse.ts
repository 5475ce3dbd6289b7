import type { Passing } from './edge.ts'

/** Replaces the raw event by what the edge reads in it. */
export function parse(read: (event: unknown) => unknown) {
  function parseBefore(request: Passing): void {
    request.event = read(request.event)
  }
  return { before: parseBefore }
}
