import * as v from 'valibot'
import { browse } from '../cursor.ts'
import { AwsError, operation, seconds } from '../service.ts'
import type { Controller } from './controller.ts'
import { type Fleet, type ServiceDeployment, threshold } from './deployment.ts'
import { revisionCounts } from './describe-service.ts'

interface Driven {
  readonly fleet: Fleet
  readonly controller: Controller
}

/** Operations on service deployments: what became of each UpdateService. */
export function history(
  all: () => readonly Driven[],
  need: (region: string, cluster: string | undefined, service: string) => Fleet,
) {
  const find = (arn: string) => {
    for (const driven of all()) {
      const record = driven.fleet.records.find((each) => each.arn === arn)
      if (record !== undefined) return { ...driven, record }
    }
    return undefined
  }
  return {
    ListServiceDeployments: operation(
      v.object({
        cluster: v.optional(v.string()),
        service: v.string(),
        status: v.optional(v.array(v.string())),
        maxResults: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100)), 20),
        nextToken: v.optional(v.string()),
        createdAt: v.optional(
          v.object({ before: v.optional(v.number()), after: v.optional(v.number()) }),
          {},
        ),
      }),
      ({ cluster, service, status, createdAt, maxResults, nextToken }, { region }) => {
        const { before = Infinity, after = 0 } = createdAt
        const fleet = need(region, cluster, service.replace(/^arn:.*\//, ''))
        const found = fleet.records
          .filter((each) => status === undefined || status.includes(each.status))
          .filter(({ createdAt }) => seconds(createdAt) >= after && seconds(createdAt) <= before)
        const order = new Map(fleet.records.toReversed().map((each, index) => [each, index]))
        const place = (each: ServiceDeployment) => String(order.get(each)).padStart(9, '0')
        const page = { size: maxResults, token: nextToken, backwards: true }
        const { items, next } = browse(found, place, page, 'InvalidParameterException')
        return {
          serviceDeployments: items.map((each) => ({
            ...brief(fleet, each),
            targetServiceRevisionArn: each.targetRevisionArn,
          })),
          ...(next !== undefined && { nextToken: next }),
        }
      },
      'InvalidParameterException',
    ),
    DescribeServiceDeployments: operation(
      v.object({
        serviceDeploymentArns: v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(20)),
      }),
      ({ serviceDeploymentArns }) => {
        const found = serviceDeploymentArns.map((arn) => ({ arn, found: find(arn) }))
        return {
          serviceDeployments: found.flatMap(({ found: each }) =>
            each ? [describe(each.fleet, each.record)] : [],
          ),
          failures: found.flatMap(({ arn, found: each }) =>
            each ? [] : [{ arn, reason: 'MISSING' }],
          ),
        }
      },
      'InvalidParameterException',
    ),
    StopServiceDeployment: operation(
      v.object({
        serviceDeploymentArn: v.string(),
        stopType: v.optional(v.picklist(['ROLLBACK', 'ABORT']), 'ROLLBACK'),
      }),
      ({ serviceDeploymentArn, stopType }) => {
        const found = find(serviceDeploymentArn)
        if (found === undefined) {
          throw new AwsError(
            'ServiceDeploymentNotFoundException',
            'The service deployment was not found.',
          )
        }
        if (found.record.status !== 'IN_PROGRESS') {
          throw new AwsError('ConflictException', 'The service deployment is not in progress.')
        }
        found.controller.abandon(stopType)
        return { serviceDeploymentArn }
      },
      'InvalidParameterException',
    ),
  }
}

function brief(fleet: Fleet, { arn, createdAt, finishedAt, status, reason }: ServiceDeployment) {
  return {
    serviceDeploymentArn: arn,
    serviceArn: fleet.arn,
    clusterArn: fleet.cluster.arn,
    createdAt: seconds(createdAt),
    startedAt: seconds(createdAt),
    ...(finishedAt !== undefined && { finishedAt: seconds(finishedAt) }),
    status,
    statusReason: reason,
  }
}

function describe(fleet: Fleet, record: ServiceDeployment) {
  const { rollback, targetRevisionArn, sourceRevisionArn, createdAt, finishedAt } = record
  const revision = (arn: string) => {
    const deployment = fleet.deployments.find(({ revisionArn }) => revisionArn === arn)
    return {
      arn,
      requestedTaskCount: fleet.desired,
      ...(deployment && revisionCounts(deployment)),
    }
  }
  return {
    ...brief(fleet, record),
    updatedAt: seconds(finishedAt ?? createdAt),
    targetServiceRevision: revision(targetRevisionArn),
    sourceServiceRevisions: sourceRevisionArn === undefined ? [] : [revision(sourceRevisionArn)],
    deploymentConfiguration: fleet.policy,
    deploymentCircuitBreaker: breaker(fleet, record),
    ...(rollback && {
      rollback: {
        reason: rollback.reason,
        startedAt: seconds(rollback.startedAt),
        serviceRevisionArn: rollback.revisionArn,
      },
    }),
  }
}

function breaker({ policy, desired, deployments }: Fleet, record: ServiceDeployment) {
  const { deploymentCircuitBreaker: settings } = policy
  if (!settings.enable) return { status: 'DISABLED', failureCount: 0, threshold: 0 }
  const own = deployments.find((each) => each.record === record && each.rollsBackTo === undefined)
  const ended = record.rollback !== undefined || record.status === 'FAILED'
  const over = record.finishedAt === undefined ? 'MONITORING' : 'MONITORING_COMPLETE'
  return {
    status: ended ? 'TRIGGERED' : over,
    failureCount: own?.failures ?? 0,
    threshold: threshold(settings, desired),
  }
}
