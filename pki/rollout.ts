import { sameCertificate } from './version.ts'

/** A service that uses the secret. */
export interface Running {
  /** `cluster/service`. */
  readonly name: string
  /**
   * Only `active` ones are rolled out; `foreign`: its deployments are CodeDeploy's or somebody else's, not ECS's own, and shown as
   * far as ECS knows of them.
   */
  readonly state: 'active' | 'idle' | 'draining' | 'gone' | 'foreign'
  /** Deployments that began since the promotion, the newest first. */
  readonly deployments: readonly Deployment[]
  /** Its deployments are given up by ECS itself when their tasks do not start: the deployment circuit breaker. */
  readonly breaker?: boolean
  /** For each of its running tasks the version ids that it says it serves; only where that was asked. */
  readonly serving?: readonly (readonly string[])[]
}

/** One deployment of a service. */
export interface Deployment {
  /** Epoch milliseconds. */
  readonly began: number
  /** `failed` covers every end but success: rolled back, stopped. */
  readonly state: 'running' | 'completed' | 'failed'
}

/** How far the promotion has come in the services that run. */
export interface Progress {
  /** No deployment has begun since. */
  readonly late: readonly string[]
  /** No deployment has begun, and none need: their tasks are given time to take the version by themselves. */
  readonly taking: readonly string[]
  readonly running: readonly string[]
  /** Of those that run, what is past the deadline and left to ECS's circuit breaker. */
  readonly slow: readonly Slow[]
  readonly proven: readonly string[]
  readonly failed: readonly Failed[]
  /** Somebody else has to deploy them, and has not yet. */
  readonly foreign: readonly string[]
  /** There is no such service. */
  readonly gone: readonly string[]
  /** When the first of those that are waited for counts as failed, late, or slow, epoch milliseconds. */
  readonly deadline: number
}

/** A service whose newest deployment since the promotion failed, after `times` - 1 others. */
export interface Failed {
  readonly name: string
  readonly times: number
  /** When the newest began, epoch milliseconds. */
  readonly began: number
}

/** A service whose newest deployment since the promotion goes on for longer than the deadline. */
export interface Slow {
  readonly name: string
  /** Epoch milliseconds. */
  readonly began: number
  /** Milliseconds after which it counts as failed. */
  readonly limit: number
}

/** A deployment that has not ended after so many milliseconds counts as failed, where nothing else is configured. */
export const DEADLINE = 30 * 60_000
/** With the circuit breaker: so many milliseconds, or the deadline where that is later. */
export const LONGEST = 12 * 3_600_000
/** A person is called when a deployment with the circuit breaker has run for so many milliseconds, and for the deadline. */
export const CALL = 2 * 3_600_000
/** Sidecars that rotate hot have so many milliseconds to prove that they serve a version; then there is a deployment. */
export const HOT = 5 * 60_000

/**
 * What the deployments since a promotion say. A service is proven by any deployment since then that completed: what became of
 * later ones is not the certificate's doing. A service without the deployment circuit breaker never reports a failure (ECS,
 * DeploymentCircuitBreaker), so that one which is still running after `deadline` milliseconds counts as failed. With it ECS
 * says so itself, and large services with long drains take their time: only after twelve hours it counts as failed all the same,
 * for the breaker counts tasks that fail, not tasks that never come.
 *
 * @param deadline milliseconds
 * @param hot the version, where sidecars take it without a deployment and say so
 */
export function progress(
  services: readonly Running[],
  since: number,
  now: number,
  { deadline = DEADLINE, hot }: { readonly deadline?: number; readonly hot?: string } = {},
): Progress {
  const late: string[] = []
  const taking: string[] = []
  const running: string[] = []
  const slow: Slow[] = []
  const proven: string[] = []
  const failed: Failed[] = []
  const foreign: string[] = []
  const gone: string[] = []
  let first = Infinity
  for (const { name, state, deployments, serving = [], breaker = false } of services) {
    if (state === 'gone') gone.push(name)
    if (state !== 'active' && state !== 'foreign') continue
    const own = deployments.filter(({ began }) => began >= since)
    const [newest] = own
    const limit = breaker ? Math.max(deadline, LONGEST) : deadline
    const taken = newest === undefined && hot !== undefined && serves(serving, hot)
    if (taken || own.some((one) => one.state === 'completed')) proven.push(name)
    else if (newest === undefined && hot !== undefined && now < since + HOT) {
      taking.push(name)
      first = Math.min(first, since + HOT)
    } else if (state === 'foreign')
      foreign.push(name) // how its deployments fail, and what is done then, is for whoever makes them
    else if (newest === undefined) late.push(name)
    else if (newest.state === 'failed' || now >= newest.began + limit)
      failed.push({ name, times: own.length, began: newest.began })
    else {
      const { began } = newest
      running.push(name)
      if (now >= began + deadline) slow.push({ name, began, limit })
      const next = [deadline, CALL, limit].find((after) => after >= deadline && now < began + after)
      first = Math.min(first, began + (next ?? limit))
    }
  }
  return { late, taking, running, slow, proven, failed, foreign, gone, deadline: first }
}

/** Whether every task serves a version of this certificate; no task proves nothing. */
function serves(tasks: readonly (readonly string[])[], version: string): boolean {
  return tasks.length > 0 && tasks.every((ids) => ids.some((id) => sameCertificate(id, version)))
}
