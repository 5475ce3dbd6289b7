import type { Alarm } from '../clock.ts'
import type { Definition } from './definitions.ts'
import { type Deployment, type Fleet, hasFailed, living, threshold } from './deployment.ts'
import { deployments } from './deployments.ts'
import type { Fargate } from './fargate.ts'
import { healthy, type Order, type Task, taskHealth } from './task.ts'

/** Brings one service to what is wanted of it. */
export interface Controller {
  /** Looks again; call after every change of the fleet. */
  wake(): void
  /** Makes a new primary deployment; whatever was going on is superseded. */
  deploy(definition: Definition): Deployment
  /** Goes back to the last completed deployment, or gives up where it stands. */
  abandon(kind: 'ROLLBACK' | 'ABORT'): void
}

/** A failing task is tried again after so many real milliseconds, doubled each time up to the last. */
const FIRST_PAUSE = 50
const LAST_PAUSE = 5_000

/**
 * Level-triggered: `step` looks at what is and does what is missing; it is run again after every change of a task and
 * keeps no memory of how things came to be. Steps never overlap, for a step does not wait.
 */
export function controller(
  fargate: Fargate,
  fleet: Fleet,
  launch: (order: Order, changed: () => void) => Task,
): Controller {
  const { world, closing } = fargate
  const { clock } = world
  const { begin, open, finish, conclude, note, announce } = deployments(world, fleet)
  const judged = new WeakSet<Task>()
  const welcomed = new WeakSet<Task>()
  let waking = false
  let grace: Alarm | undefined

  function wake() {
    if (waking || closing.aborted) return
    waking = true
    setImmediate(() => {
      waking = false
      if (!closing.aborted) step()
    })
  }

  function step() {
    if (fleet.status === 'INACTIVE') return
    for (const each of fleet.deployments) judge(each)
    const [primary, ...old] = fleet.deployments
    if (primary === undefined) return
    trip(primary)
    const [current = primary] = fleet.deployments
    if (current !== primary) return wake()
    scaleUp(primary)
    scaleDown(primary, old)
    fleet.deployments = [primary, ...old.filter(({ tasks }) => tasks.size > 0)]
    if (fleet.deployments.length === 1) settle(primary)
  }

  /** Forgets what has stopped, counts what failed and stops what is unhealthy. */
  function judge(deployment: Deployment) {
    for (const task of deployment.tasks) {
      if (task.desired === 'RUNNING') stopUnhealthy(task)
      if (task.desired === 'STOPPED' && !judged.has(task)) {
        judged.add(task)
        if (hasFailed(task)) countFailure(deployment)
      }
      if (task.status === 'STOPPED') deployment.tasks.delete(task)
      if (healthy(task) && !welcomed.has(task)) {
        welcomed.add(task)
        deployment.failed = 0
        if (fleet.policy.deploymentCircuitBreaker.resetOnHealthyTask !== false)
          deployment.failures = 0
      }
    }
  }
  function countFailure(deployment: Deployment) {
    deployment.failed++
    deployment.failures++
    deployment.paused = true
    const pause = Math.min(LAST_PAUSE, FIRST_PAUSE * 2 ** deployment.failed)
    setTimeout(() => {
      deployment.paused = false
      wake()
    }, pause).unref()
  }
  function stopUnhealthy(task: Task) {
    if (taskHealth(task) === 'UNHEALTHY') {
      note(`(task ${task.id}) failed container health checks.`)
      task.stop('ServiceSchedulerInitiated', 'Task failed container health checks')
    }
    if (typeof task.balance === 'string') return
    const until = (task.startedAt ?? task.createdAt) + fleet.gracePeriod * 1_000
    if (clock.now() < until) {
      grace?.cancel()
      grace = clock.at(until, wake)
      return
    }
    const { unhealthy: group } = task.balance
    note(
      `(task ${task.id}) is unhealthy in (target-group ${group}) due to (reason Health checks failed).`,
    )
    task.stop(
      'ServiceSchedulerInitiated',
      `Task failed ELB health checks in (target-group ${group})`,
    )
  }

  function scaleUp(primary: Deployment) {
    if (primary.rollout === 'FAILED' || primary.paused || fleet.status === 'DRAINING') return
    const most = Math.floor((fleet.desired * fleet.policy.maximumPercent) / 100)
    const room = most - fleet.deployments.flatMap(living).length
    const missing = Math.min(fleet.desired - living(primary).length, room)
    const started: string[] = []
    for (let count = 0; count < missing; count++) {
      const task = launch(order(primary), wake)
      primary.tasks.add(task)
      started.push(`(task ${task.id})`)
    }
    if (missing > 0) note(`has started ${missing} tasks: ${started.join(' ')}.`)
  }
  function scaleDown(primary: Deployment, old: readonly Deployment[]) {
    const least = Math.ceil((fleet.desired * fleet.policy.minimumHealthyPercent) / 100)
    const surplus = living(primary)
      .sort((a, b) => Number(healthy(b)) - Number(healthy(a)))
      .slice(fleet.desired)
    let serving = [...living(primary), ...old.flatMap(living)].filter(healthy).length
    const dispensable = (task: Task) => {
      if (!healthy(task)) return true
      if (serving - 1 < least) return false
      serving--
      return true
    }
    const leaving =
      primary.rollout === 'FAILED' && fleet.desired > 0
        ? surplus
        : [...surplus, ...old.flatMap(living).filter(dispensable)]
    if (leaving.length === 0) return
    for (const task of leaving) {
      task.stop(
        'ServiceSchedulerInitiated',
        `Scaling activity initiated by (deployment ${primary.id})`,
      )
    }
    const names = leaving.map(({ id }) => `(task ${id})`).join(' ')
    note(`has stopped ${leaving.length} running tasks: ${names}.`)
  }

  /** Called when nothing is left of older deployments. */
  function settle(primary: Deployment) {
    if (fleet.status === 'DRAINING') {
      if (primary.tasks.size > 0) return
      fleet.status = 'INACTIVE'
      fleet.deployments = []
      primary.record.over()
      return
    }
    const all = [...primary.tasks]
    if (primary.rollout !== 'IN_PROGRESS') return
    if (all.length !== fleet.desired || !all.every(healthy)) return
    finish(primary, 'COMPLETED', `ECS deployment ${primary.id} completed.`)
    fleet.completed = primary
    conclude(
      primary.record,
      primary.rollsBackTo === undefined ? 'SUCCESSFUL' : 'ROLLBACK_SUCCESSFUL',
    )
    note(`(deployment ${primary.id}) deployment completed.`)
    note('has reached a steady state.')
    announce(primary, 'INFO', 'SERVICE_DEPLOYMENT_COMPLETED', primary.reason)
  }

  /** The circuit breaker; a rollback is tried until it succeeds. */
  function trip(primary: Deployment) {
    const { deploymentCircuitBreaker: breaker } = fleet.policy
    if (!breaker.enable || primary.rollout !== 'IN_PROGRESS') return
    if (primary.rollsBackTo !== undefined) return
    if (primary.failures < threshold(breaker, fleet.desired)) return
    finish(primary, 'FAILED', 'ECS deployment circuit breaker: tasks failed to start.')
    note(`(deployment ${primary.id}) deployment failed: tasks failed to start.`)
    announce(
      primary,
      'ERROR',
      'SERVICE_DEPLOYMENT_FAILED',
      'ECS deployment circuit breaker: task failed to start.',
    )
    if (breaker.rollback && fleet.completed !== undefined) {
      rollBack(primary, fleet.completed, 'ECS deployment circuit breaker')
    } else conclude(primary.record, 'FAILED', primary.reason)
  }
  function rollBack(from: Deployment, to: Deployment, by: string) {
    const reason = `${by}: rolling back to deploymentId ${to.id}.`
    from.record.status = 'ROLLBACK_IN_PROGRESS'
    from.record.rollback = { reason, startedAt: clock.now(), revisionArn: to.revisionArn }
    note(`rolling back to deployment ${to.id}.`)
    begin(to.definition, from.record, reason, to.id)
    wake()
  }

  const order = ({ id, definition }: Deployment): Order => ({
    region: fleet.region,
    cluster: fleet.cluster,
    definition,
    group: `service:${fleet.name}`,
    startedBy: id,
    service: fleet.name,
    targets: fleet.targets,
    overrides: [],
    note: (message) => note(`${message}.`),
  })
  return {
    wake,
    deploy(definition) {
      const [last] = fleet.deployments
      if (last?.record.finishedAt === undefined && last !== undefined) {
        conclude(
          last.record,
          'STOPPED',
          'Service deployment stopped because of a new service deployment.',
        )
      }
      const made = begin(definition, open())
      wake()
      return made
    },
    abandon(kind) {
      const [primary] = fleet.deployments
      if (primary === undefined) return
      finish(primary, 'FAILED', 'Service deployment stopped by a user.')
      if (kind === 'ROLLBACK' && fleet.completed !== undefined) {
        rollBack(primary, fleet.completed, 'Service deployment stopped by a user')
      } else conclude(primary.record, 'STOPPED', primary.reason)
    },
  }
}
