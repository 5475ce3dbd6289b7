import { seconds } from '../service.ts'
import { type Deployment, type Fleet, living } from './deployment.ts'

/** What a service was created with and only shows again. */
export interface Settings {
  readonly deploymentController: { readonly type: 'ECS' | 'CODE_DEPLOY' | 'EXTERNAL' }
  readonly schedulingStrategy: string
  readonly launchType: string
  readonly platformVersion: string
  readonly networkConfiguration?: Readonly<Record<string, unknown>> | undefined
  readonly enableExecuteCommand: boolean
}

/** A service as DescribeServices answers it, without tags. */
export function describeService(fleet: Fleet, settings: Settings): Record<string, unknown> {
  const { deployments } = fleet
  const [primary] = deployments
  const counts = deployments.map(countsOf)
  const sum = (name: 'runningCount' | 'pendingCount') =>
    counts.reduce((total, each) => total + each[name], 0)
  return {
    ...settings,
    serviceArn: fleet.arn,
    serviceName: fleet.name,
    clusterArn: fleet.cluster.arn,
    status: fleet.status,
    desiredCount: fleet.desired,
    runningCount: sum('runningCount'),
    pendingCount: sum('pendingCount'),
    taskDefinition: primary?.definition.arn,
    loadBalancers: fleet.targets,
    serviceRegistries: [],
    placementConstraints: [],
    placementStrategy: [],
    healthCheckGracePeriodSeconds: fleet.gracePeriod,
    deploymentConfiguration: fleet.policy,
    deployments: deployments.map((each) => describeDeployment(fleet, each, settings)),
    events: fleet.events.map((each) => ({ ...each, createdAt: seconds(each.createdAt) })),
    createdAt: seconds(fleet.createdAt),
    createdBy: fleet.createdBy,
    currentServiceDeployment: primary?.record.arn,
    currentServiceRevisions: deployments.map((each, index) => ({
      arn: each.revisionArn,
      requestedTaskCount: index === 0 ? fleet.desired : 0,
      ...revisionCounts(each),
    })),
  }
}

function describeDeployment(fleet: Fleet, deployment: Deployment, settings: Settings) {
  const { id, definition, createdAt, updatedAt, failed, rollout, reason } = deployment
  const primary = deployment === fleet.deployments[0]
  return {
    id,
    status: primary ? 'PRIMARY' : 'ACTIVE',
    taskDefinition: definition.arn,
    desiredCount: primary ? fleet.desired : living(deployment).length,
    ...countsOf(deployment),
    failedTasks: failed,
    createdAt: seconds(createdAt),
    updatedAt: seconds(updatedAt),
    launchType: settings.launchType,
    platformVersion: settings.platformVersion,
    networkConfiguration: settings.networkConfiguration,
    rolloutState: rollout,
    rolloutStateReason: reason,
  }
}

const PENDING = ['PROVISIONING', 'PENDING', 'ACTIVATING']

function countsOf({ tasks }: Deployment) {
  const all = [...tasks]
  return {
    runningCount: all.filter(({ status }) => status === 'RUNNING').length,
    pendingCount: all.filter(({ status }) => PENDING.includes(status)).length,
  }
}

/** The same counts under the names that service revisions have. */
export function revisionCounts(deployment: Deployment) {
  const { runningCount, pendingCount } = countsOf(deployment)
  return { runningTaskCount: runningCount, pendingTaskCount: pendingCount }
}
