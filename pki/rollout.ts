/** A service that uses the secret. */
export interface Running {
  /** `cluster/service`. */
  readonly name: string
  /** Only `active` ones are rolled out; `foreign`: its deployments are CodeDeploy's or somebody else's, not ECS's own. */
  readonly state: 'active' | 'idle' | 'draining' | 'gone' | 'foreign'
  /** Deployments that began since the promotion, the newest first. */
  readonly deployments: readonly Deployment[]
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
  readonly running: readonly string[]
  readonly proven: readonly string[]
  readonly failed: readonly string[]
  /** When the first of the running ones counts as failed, epoch milliseconds. */
  readonly deadline: number
}

/** A deployment that has not ended after so many milliseconds counts as failed, where nothing else is configured. */
export const DEADLINE = 30 * 60_000

/**
 * What the deployments since a promotion say. A service is proven by any deployment since then that completed: what became of
 * later ones is not the certificate's doing. A service without the deployment circuit breaker never reports a failure (ECS,
 * DeploymentCircuitBreaker), so that one which is still running after `deadline` milliseconds counts as failed.
 */
export function progress(
  services: readonly Running[],
  since: number,
  now: number,
  deadline: number = DEADLINE,
): Progress {
  const found = { late: [], running: [], proven: [], failed: [] } satisfies Record<string, string[]>
  const lists: Record<keyof typeof found, string[]> = found
  let first = Infinity
  for (const { name, state, deployments } of services) {
    if (state !== 'active') continue
    const own = deployments.filter(({ began }) => began >= since)
    const [newest] = own
    if (newest === undefined) lists.late.push(name)
    else if (own.some((one) => one.state === 'completed')) lists.proven.push(name)
    else if (newest.state === 'failed' || now >= newest.began + deadline) lists.failed.push(name)
    else {
      lists.running.push(name)
      first = Math.min(first, newest.began + deadline)
    }
  }
  return { ...lists, deadline: first }
}
