import { RESERVE } from './pace.ts'

/** Tries of one call. */
const MOST = 8
/** The longest that a throttle is waited out for at first, doubled from then on, and at most. Milliseconds. */
const [FIRST, LONGEST] = [500, 20_000]

/** How often a call was tried again, and the milliseconds until the next try. */
interface Token {
  getRetryCount(): number
  getRetryDelay(): number
}

/**
 * Tries a call again that AWS throttled, and no other: what was throttled was not carried out, and of a time-out, a broken
 * connection or a server error nobody knows. With full jitter
 * (https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html), and only within the invocation.
 *
 * @param remaining milliseconds that are left of the invocation
 */
export function throttlesOnly(remaining: () => number, random: () => number = Math.random) {
  return {
    acquireInitialRetryToken: async () => token(0, 0),
    async refreshRetryTokenForRetry(before: Token, { errorType }: { readonly errorType: string }) {
      const count = before.getRetryCount() + 1
      const delay = random() * Math.min(LONGEST, FIRST * 2 ** (count - 1))
      if (errorType !== 'THROTTLING' || count >= MOST || delay > remaining() - RESERVE)
        throw new Error('it is not tried again') // the SDK throws what the call ended with
      return token(count, delay)
    },
    recordSuccess: () => undefined,
  }
}

function token(count: number, delay: number): Token {
  return { getRetryCount: () => count, getRetryDelay: () => delay }
}
