import * as v from 'valibot'
import type { Call } from '../service.ts'
import type { Cluster } from './clusters.ts'
import type { Fleet } from './deployment.ts'
import type { Settings } from './describe-service.ts'

const loadBalancers = v.array(
  v.object({ targetGroupArn: v.string(), containerName: v.string(), containerPort: v.number() }),
)
const percent = v.pipe(v.number(), v.integer(), v.minValue(0))
const breaker = v.object({
  enable: v.boolean(),
  rollback: v.boolean(),
  resetOnHealthyTask: v.optional(v.boolean()),
  thresholdConfiguration: v.optional(
    v.object({
      type: v.picklist(['BOUNDED_PERCENT', 'UNBOUNDED_PERCENT', 'COUNT']),
      value: v.pipe(v.number(), v.integer(), v.minValue(1)),
    }),
  ),
})
const policy = v.object({
  maximumPercent: v.optional(percent),
  minimumHealthyPercent: v.optional(percent),
  deploymentCircuitBreaker: v.optional(breaker),
})
const count = v.pipe(v.number(), v.integer(), v.minValue(0))
const tags = v.array(v.object({ key: v.string(), value: v.optional(v.string(), '') }))

/** What CreateService takes. */
export const creation = v.object({
  cluster: v.optional(v.string()),
  serviceName: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,255}$/)),
  taskDefinition: v.string(),
  desiredCount: v.optional(count, 1),
  deploymentConfiguration: v.optional(policy, {}),
  deploymentController: v.optional(
    v.object({ type: v.picklist(['ECS', 'CODE_DEPLOY', 'EXTERNAL']) }),
    { type: 'ECS' },
  ),
  schedulingStrategy: v.optional(v.picklist(['REPLICA']), 'REPLICA'),
  launchType: v.optional(v.string(), 'FARGATE'),
  platformVersion: v.optional(v.string(), 'LATEST'),
  loadBalancers: v.optional(loadBalancers, []),
  networkConfiguration: v.optional(v.looseObject({})),
  healthCheckGracePeriodSeconds: v.optional(count, 0),
  enableExecuteCommand: v.optional(v.boolean(), false),
  tags: v.optional(tags, []),
})
/** What UpdateService takes. */
export const update = v.object({
  cluster: v.optional(v.string()),
  service: v.string(),
  taskDefinition: v.optional(v.string()),
  desiredCount: v.optional(count),
  deploymentConfiguration: v.optional(policy, {}),
  loadBalancers: v.optional(loadBalancers),
  networkConfiguration: v.optional(v.looseObject({})),
  healthCheckGracePeriodSeconds: v.optional(count),
  forceNewDeployment: v.optional(v.boolean(), false),
})

/** A service before its first deployment, with the defaults of ECS. */
export function newFleet(
  { region, caller }: Call,
  { arn: clusterArn, name: clusterName }: Cluster,
  arn: string,
  input: v.InferOutput<typeof creation>,
  createdAt: number,
): Fleet {
  return {
    arn,
    name: input.serviceName,
    region,
    cluster: { arn: clusterArn, name: clusterName },
    createdAt,
    createdBy: caller.arn,
    desired: input.desiredCount,
    policy: {
      maximumPercent: 200,
      minimumHealthyPercent: 100,
      deploymentCircuitBreaker: { enable: false, rollback: false },
      ...given(input.deploymentConfiguration),
    },
    targets: input.loadBalancers,
    gracePeriod: input.healthCheckGracePeriodSeconds,
    status: 'ACTIVE',
    deployments: [],
    events: [],
    records: [],
  }
}

/** The members that were given. */
export function given({
  maximumPercent,
  minimumHealthyPercent,
  deploymentCircuitBreaker,
}: v.InferOutput<typeof policy>): Partial<Fleet['policy']> {
  return {
    ...(maximumPercent !== undefined && { maximumPercent }),
    ...(minimumHealthyPercent !== undefined && { minimumHealthyPercent }),
    ...(deploymentCircuitBreaker !== undefined && { deploymentCircuitBreaker }),
  }
}

/** What DescribeServices repeats of a request. */
export function shown({
  deploymentController,
  schedulingStrategy,
  launchType,
  platformVersion,
  networkConfiguration,
  enableExecuteCommand,
}: v.InferOutput<typeof creation>): Settings {
  return {
    deploymentController,
    schedulingStrategy,
    launchType,
    platformVersion,
    networkConfiguration,
    enableExecuteCommand,
  }
}
