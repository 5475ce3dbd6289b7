import type { Container } from './containers.ts'
import type { Definition } from './definitions.ts'

/** A port of a container behind a target group, as a service's `loadBalancers` says it. */
export interface Target {
  readonly targetGroupArn: string
  readonly containerName: string
  readonly containerPort: number
}

/** What a task is started for. */
export interface Order {
  readonly region: string
  readonly cluster: { readonly arn: string; readonly name: string }
  readonly definition: Definition
  /** `service:NAME` or `family:NAME`. */
  readonly group: string
  /** Deployment id, or what RunTask was given. */
  readonly startedBy?: string
  /** Name of the service. */
  readonly service?: string
  readonly targets: readonly Target[]
  readonly overrides: readonly Override[]
  /** Hears what a service's event list says about its tasks. */
  readonly note?: (message: string) => void
}

/** RunTask's overrides of one container. */
export interface Override {
  readonly name: string
  readonly command?: readonly string[] | undefined
  readonly environment?: readonly { readonly name: string; readonly value: string }[] | undefined
}

export type Status =
  | 'PROVISIONING'
  | 'PENDING'
  | 'ACTIVATING'
  | 'RUNNING'
  | 'DEACTIVATING'
  | 'STOPPING'
  | 'DEPROVISIONING'
  | 'STOPPED'

export type StopCode =
  | 'TaskFailedToStart'
  | 'EssentialContainerExited'
  | 'UserInitiated'
  | 'ServiceSchedulerInitiated'

/** One task: a loopback address and the programs that run on it. */
export interface Task extends Order {
  readonly id: string
  readonly arn: string
  readonly containers: readonly Container[]
  status: Status
  /** What ECS wants of it. */
  desired: 'RUNNING' | 'STOPPED'
  address?: string
  /** Counts the announced changes. */
  version: number
  readonly createdAt: number
  startedAt?: number
  stoppingAt?: number
  stoppedAt?: number
  stopCode?: StopCode
  stoppedReason?: string
  /** What its target groups say; `healthy` when it has none. */
  balance: 'initial' | 'healthy' | { readonly unhealthy: string }
  /** True once it has run for a moment: a program that ends at once must not pass for a healthy one. */
  proved: boolean
  /** Asks the task to stop; the first reason stays. */
  stop(code: StopCode, reason: string): void
  readonly ended: Promise<void>
}

/** Whether the deployment may count on the task: it runs and everything that judges it finds it healthy. */
export function healthy(task: Task): boolean {
  if (task.status !== 'RUNNING' || task.desired !== 'RUNNING' || task.balance !== 'healthy') {
    return false
  }
  const health = taskHealth(task)
  if (health !== 'UNKNOWN') return health === 'HEALTHY'
  const checked = task.containers.some((each) => each.definition.healthCheck !== undefined)
  return !checked && (task.targets.length > 0 || task.proved)
}

/** The health of the essential containers that have a health check, as ECS sums it up. */
export function taskHealth({ containers }: Pick<Task, 'containers'>): Container['health'] {
  const judged = containers
    .filter(({ definition }) => definition.essential && definition.healthCheck !== undefined)
    .map(({ health }) => health)
  if (judged.includes('UNHEALTHY')) return 'UNHEALTHY'
  return judged.length === 0 || judged.includes('UNKNOWN') ? 'UNKNOWN' : 'HEALTHY'
}
