import type { Decision } from './observed.ts'
import { CALL, type Progress, type Slow } from './rollout.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** ECS's event is expected earlier. */
export const POLL = 5 * MINUTE

/**
 * Deployments run or are about to begin: they are waited for. Those that take long are named, and a person is called when they
 * take very long: then the next certificate is not held up either.
 */
export function unended({ late, running, slow, deadline }: Progress, now: number): Decision {
  const called = slow.filter(({ began }) => now >= began + CALL)
  if (called.length > 0) {
    const [first] = called.map(({ limit }) => limit)
    const reason = `deployments do not end: ${lasting(called, now)}; the circuit breaker has not given them up, see in ECS's events what their tasks wait for: after ${span(first ?? 0)} they count as failed`
    return { step: 'alarm', reason, at: deadline }
  }
  const names = [...late, ...running].join(' ')
  const why = slow.length === 0 ? '' : `, slow is ${lasting(slow, now)}`
  const reason = `deployments are under way: ${names}${why}`
  return { step: 'wait', reason, at: Math.min(now + POLL, deadline) }
}

function lasting(slow: readonly Slow[], now: number): string {
  return slow.map(({ name, began }) => `${name} (${span(now - began)})`).join(' ')
}

function span(milliseconds: number): string {
  const [minutes, hours] = [milliseconds / MINUTE, milliseconds / HOUR].map(Math.floor)
  return milliseconds < 2 * HOUR ? `${minutes} minutes` : `${hours} hours`
}
