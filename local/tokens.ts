import type { Clock } from './clock.ts'

/** Remembers idempotency tokens for a while: the same token gives the same answer. */
export interface Tokens<T> {
  /** Runs `make` unless the token was used within the window; a failure is not remembered. */
  once(token: string | undefined, make: () => Promise<T>): Promise<T>
}

/** `window` in milliseconds of the local clock: 5 minutes for Private CA, an hour for ACM. */
export function tokens<T>(clock: Clock, window: number): Tokens<T> {
  const known = new Map<string, { readonly until: number; readonly answer: Promise<T> }>()
  return {
    once(token, make) {
      if (token === undefined) return make()
      const before = known.get(token)
      if (before !== undefined && clock.now() < before.until) return before.answer
      const answer = make()
      known.set(token, { until: clock.now() + window, answer })
      answer.catch(() => known.delete(token))
      return answer
    },
  }
}
