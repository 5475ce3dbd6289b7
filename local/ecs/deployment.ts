import type { Definition } from './definitions.ts'
import type { Target, Task } from './task.ts'

export type Rollout = 'IN_PROGRESS' | 'COMPLETED' | 'FAILED'

/** One deployment of a service: the tasks that were started for one UpdateService. */
export interface Deployment {
  /** `ecs-svc/` and 19 digits. */
  readonly id: string
  readonly revisionArn: string
  readonly definition: Definition
  readonly createdAt: number
  updatedAt: number
  rollout: Rollout
  reason: string
  /** Tasks that failed one after the other, as DescribeServices counts them. */
  failed: number
  /** What the circuit breaker counts. */
  failures: number
  readonly tasks: Set<Task>
  /** True while the next try of a failing task is put off. */
  paused: boolean
  /** Set when the circuit breaker or a person began it. */
  readonly rollsBackTo?: string
  readonly record: ServiceDeployment
}

/** A service deployment, as DescribeServiceDeployments knows it; a rollback belongs to the one it undoes. */
export interface ServiceDeployment {
  readonly arn: string
  readonly createdAt: number
  readonly sourceRevisionArn?: string
  readonly targetRevisionArn: string
  status:
    | 'IN_PROGRESS'
    | 'SUCCESSFUL'
    | 'STOPPED'
    | 'ROLLBACK_IN_PROGRESS'
    | 'ROLLBACK_SUCCESSFUL'
    | 'FAILED'
  reason?: string
  finishedAt?: number
  rollback?: { readonly reason: string; readonly startedAt: number; readonly revisionArn: string }
  /** Lets the clock go on when it is over. */
  readonly over: () => void
}

/** What decides how a deployment goes. Percentages of the desired count. */
export interface Policy {
  readonly maximumPercent: number
  readonly minimumHealthyPercent: number
  readonly deploymentCircuitBreaker: Breaker
}

export interface Breaker {
  readonly enable: boolean
  readonly rollback: boolean
  readonly resetOnHealthyTask?: boolean | undefined
  readonly thresholdConfiguration?:
    | {
        readonly type: 'BOUNDED_PERCENT' | 'UNBOUNDED_PERCENT' | 'COUNT'
        readonly value: number
      }
    | undefined
}

/** A service and how far it is. The controller writes what is below `deployments`. */
export interface Fleet {
  readonly arn: string
  readonly name: string
  readonly region: string
  readonly cluster: { readonly arn: string; readonly name: string }
  readonly createdAt: number
  readonly createdBy: string
  desired: number
  policy: Policy
  targets: readonly Target[]
  /** Seconds. */
  gracePeriod: number
  status: 'ACTIVE' | 'DRAINING' | 'INACTIVE'
  /** The primary one first. */
  deployments: Deployment[]
  /** The last deployment that completed: what a rollback goes back to. */
  completed?: Deployment
  /** Newest first, a hundred at most. */
  readonly events: { readonly id: string; readonly createdAt: number; readonly message: string }[]
  /** Newest first. */
  readonly records: ServiceDeployment[]
}

/** How many failed tasks trip the breaker (DeploymentCircuitBreaker, default 50 % between 3 and 200). */
export function threshold({ thresholdConfiguration }: Breaker, desired: number): number {
  const { type, value } = thresholdConfiguration ?? { type: 'BOUNDED_PERCENT', value: 50 }
  if (type === 'COUNT') return value
  const share = Math.ceil((value / 100) * desired)
  return type === 'BOUNDED_PERCENT' ? Math.min(200, Math.max(3, share)) : Math.max(1, share)
}

/** Tasks that ECS wants to run, whether they do yet or not. */
export function living({ tasks }: Deployment): Task[] {
  return [...tasks].filter(({ desired }) => desired === 'RUNNING')
}

/** Whether a stopped task counts against its deployment: nobody asked it to stop. */
export function hasFailed({ stopCode, stoppedReason = '' }: Task): boolean {
  if (stopCode === 'ServiceSchedulerInitiated') return stoppedReason.startsWith('Task failed')
  return stopCode !== 'UserInitiated'
}
