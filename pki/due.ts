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

/** The thresholds, in days before the end, at which somebody is told once. */
export const NEAR = [14, 7, 3, 1] as const

/** Milliseconds from the nth failed rollout of a certificate to its next one. */
const GAPS = [15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY]
const LEAST_GAP = 10 * MINUTE
/** An old certificate must live so long to go back to it. */
export const WORTHWHILE = HOUR
/** When a certificate that failed so often is tried again: so long before the end of the one in use. */
const LAST = [...NEAR.map((days) => days * DAY), WORTHWHILE]
/** A deployment with nothing to go back to is tried again for so long. */
const PATIENCE = 30 * DAY

/** So many rollouts of one certificate fail in quick succession before a person is called. */
export const MOST_ATTEMPTS = GAPS.length + 1

/**
 * When a certificate whose rollout failed is tried again: the gaps grow with the number of failures, and are at most a tenth
 * of the time that the certificate in use has left, for a failed rollout is often not the certificate's fault. After the
 * sixth failure it is tried when somebody is told that the one in use ends soon: 14, 7, 3 and 1 days before, and an hour
 * before, when there is nothing left to lose; should all of that be missed, once a day.
 *
 * @param failed how many rollouts of it failed
 * @param since when it was taken back, epoch milliseconds
 * @param end notAfter of the certificate in use, epoch milliseconds
 * @returns `undefined` when it is not tried again by itself, because nobody knows that end
 */
export function again(failed: number, since: number, end = Infinity): number | undefined {
  if (failed === 0) return since
  const gap = GAPS[failed - 1]
  if (gap !== undefined)
    return since + Math.floor(Math.max(LEAST_GAP, Math.min(gap, (end - since) / 10)))
  if (end === Infinity) return undefined
  return LAST.map((left) => end - left).find((at) => at > since) ?? since + DAY
}

/**
 * When a service whose deployment failed gets another one, where there is no certificate to go back to: after gaps that grow
 * in the same way, then once a day, for thirty days after the promotion.
 *
 * @param failed how many of its deployments failed since the promotion
 * @param began when the last of them began, epoch milliseconds
 * @param since when the version was promoted, epoch milliseconds
 * @returns `undefined` when it gets none by itself any more
 */
export function anew(failed: number, began: number, since: number): number | undefined {
  const at = began + (GAPS[failed - 1] ?? DAY)
  return at < since + PATIENCE ? at : undefined
}
