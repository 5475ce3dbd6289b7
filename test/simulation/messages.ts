import { parsedObject } from '../../pki/json.ts'
import type { Rollout } from '../../ports/queue.ts'
import type { Notice } from '../../workflows/reconcile.ts'

/** What a look's message goes into, after so many seconds. */
interface Into {
  send(body: string, delay: number): void
}

/** As aws/sqs.ts: SQS puts a message off for 900 seconds at most. */
export function putLook(looks: Into, secret: string, delay: number, waits = 0): void {
  const rest = Math.max(0, Math.ceil(delay) - 900)
  looks.send(JSON.stringify({ secret, waits, rest }), Math.min(900, Math.ceil(delay)))
}

/** Reads a look's message, or one that tells of a certificate. */
export function notice(body: string): Notice {
  const { secret, source, why, waits, rest } = parsedObject(body) ?? {}
  if (typeof source === 'string') return { source, why: String(why) }
  return { secret: String(secret), waits: Number(waits), rest: Number(rest) }
}

/** Reads a message that asks for a deployment. */
export function rollout(body: string): Rollout {
  const { service, secret, version, since } = parsedObject(body) ?? {}
  return {
    service: String(service),
    secret: String(secret),
    version: String(version),
    since: Number(since),
  }
}
