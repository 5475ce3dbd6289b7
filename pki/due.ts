import { hash } from 'node:crypto'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

/**
 * When a certificate is to be renewed: after two thirds of its lifetime or `renewBefore` days before its end, whichever is
 * earlier, minus a spread by a hash of its source so that a fleet does not renew in one minute. Never in the first third:
 * a certificate that is due as soon as it is issued would be renewed and rolled out for ever.
 */
export function due(
  { source, renewBefore }: { readonly source: string; readonly renewBefore?: number },
  { notBefore, notAfter }: { readonly notBefore: number; readonly notAfter: number },
): number {
  const lifetime = notAfter - notBefore
  const spread = share(source) * Math.min(lifetime / 20, 3 * DAY)
  const third = notBefore + (lifetime * 2) / 3
  const wanted = renewBefore === undefined ? third : notAfter - renewBefore * DAY
  return Math.floor(Math.max(notBefore + lifetime / 3, Math.min(third, wanted) - spread))
}

/** A number from 0 to below 1 that is always the same for the same text. */
export function share(text: string): number {
  return Number.parseInt(hash('sha256', text, 'hex').slice(0, 8), 16) / 2 ** 32
}

/** Milliseconds from the nth failed rollout of a certificate to its next one. */
const GAPS = [15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY]
const LEAST_GAP = 10 * MINUTE

/** So many rollouts of one certificate fail before only a person has it tried again. */
export const MOST_ATTEMPTS = GAPS.length + 1

/**
 * When a certificate whose rollout failed is tried again: the gaps grow with the number of failures, and are at most a tenth
 * of the time that the certificate in use has left, for a failed rollout is often not the certificate's fault.
 *
 * @param failed how many rollouts of it failed
 * @param since when it was taken back, epoch milliseconds
 * @param end notAfter of the certificate in use, epoch milliseconds
 * @returns `undefined` when it is not tried again by itself
 */
export function again(failed: number, since: number, end = Infinity): number | undefined {
  if (failed === 0) return since
  const gap = GAPS[failed - 1]
  if (gap === undefined) return undefined
  return since + Math.floor(Math.max(LEAST_GAP, Math.min(gap, (end - since) / 10)))
}
