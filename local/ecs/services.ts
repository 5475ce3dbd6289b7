import * as v from 'valibot'
import { list } from '../json.ts'
import { AwsError, operation } from '../service.ts'
import type { Cluster, Clusters } from './clusters.ts'
import { type Controller, controller } from './controller.ts'
import type { Definition, Definitions } from './definitions.ts'
import type { Fleet } from './deployment.ts'
import { describeService, type Settings } from './describe-service.ts'
import type { Fargate } from './fargate.ts'
import { creation, given, newFleet, shown, update } from './requests.ts'
import { history } from './service-deployments.ts'
import type { Tags } from './tags.ts'
import type { Target } from './task.ts'
import type { Roster } from './tasks.ts'

/** A service with what it was created with and what drives it. */
interface Entry {
  readonly fleet: Fleet
  readonly controller: Controller
  settings: Settings
}

export type Services = ReturnType<typeof services>

/** Services of all regions, and the operations on services and service deployments. */
export function services(
  fargate: Fargate,
  clusters: Clusters,
  definitions: Definitions,
  roster: Roster,
  labels: Pick<Tags, 'tag' | 'tags' | 'forget'>,
) {
  const { world } = fargate
  const entries = new Map<string, Entry>()
  const arnOf = (cluster: Cluster, nameOrArn: string) =>
    nameOrArn.startsWith('arn:')
      ? nameOrArn
      : `${cluster.arn.replace(':cluster/', ':service/')}/${nameOrArn}`

  /** @throws AwsError ServiceNotFoundException, ServiceNotActiveException */
  const need = (region: string, cluster: string | undefined, service: string): Entry => {
    const found = entries.get(arnOf(clusters.find(region, cluster), service))
    if (found === undefined) throw new AwsError('ServiceNotFoundException', 'Service not found.')
    if (found.fleet.status !== 'ACTIVE') {
      throw new AwsError('ServiceNotActiveException', 'Service was not ACTIVE.')
    }
    return found
  }
  const checkTargets = async (region: string, targets: readonly Target[]) => {
    for (const { targetGroupArn } of targets) {
      const TargetGroupArns = [targetGroupArn]
      const answer = await world
        .call('elasticloadbalancing', 'DescribeTargetGroups', { TargetGroupArns }, { region })
        .catch((error: unknown) => {
          throw error instanceof AwsError ? invalid(error.message) : error
        })
      const [group] = list(answer['TargetGroups'])
      const { LoadBalancerArns: users } = v.parse(
        v.looseObject({ LoadBalancerArns: v.array(v.string()) }),
        group,
      )
      if (users.length === 0) {
        throw invalid(
          `The target group with targetGroupArn ${targetGroupArn} does not have an associated load balancer.`,
        )
      }
    }
  }
  const describe = (entry: Entry, include: readonly string[] = []) => ({
    ...describeService(entry.fleet, entry.settings),
    ...(include.includes('TAGS') && { tags: labels.tags(entry.fleet.arn) }),
  })

  const operations = {
    CreateService: operation(
      creation,
      async (input, call) => {
        const { region } = call
        const cluster = clusters.find(region, input.cluster)
        const definition = definitions.find(region, input.taskDefinition)
        await checkTargets(region, input.loadBalancers)
        checkContainers(definition, input.loadBalancers)
        const arn = arnOf(cluster, input.serviceName)
        const known = entries.get(arn)?.fleet.status
        if (known === 'ACTIVE') throw invalid('Creation of service was not idempotent.')
        if (known === 'DRAINING') throw invalid('Unable to Start a service that is still Draining.')
        const fleet = newFleet(call, cluster, arn, input, world.clock.now())
        const made = {
          fleet,
          controller: controller(fargate, fleet, roster.launch),
          settings: shown(input),
        }
        entries.set(arn, made)
        labels.forget(arn)
        labels.tag(arn, input.tags)
        made.controller.deploy(definition)
        return { service: describe(made, ['TAGS']) }
      },
      'InvalidParameterException',
    ),
    UpdateService: operation(
      update,
      async (input, { region }) => {
        const entry = need(region, input.cluster, input.service)
        const { fleet, controller: driver, settings } = entry
        const [primary] = fleet.deployments
        const { type } = settings.deploymentController
        if (input.forceNewDeployment && type !== 'ECS') {
          throw invalid(
            `Cannot force a new deployment on services with a ${type} deployment controller.`,
          )
        }
        const definition =
          input.taskDefinition === undefined
            ? primary?.definition
            : definitions.find(region, input.taskDefinition)
        await checkTargets(region, input.loadBalancers ?? [])
        const { networkConfiguration = settings.networkConfiguration } = input
        const changed =
          definition !== primary?.definition ||
          differs(input.loadBalancers ?? fleet.targets, fleet.targets) ||
          differs(networkConfiguration, settings.networkConfiguration)
        entry.settings = { ...settings, networkConfiguration }
        fleet.desired = input.desiredCount ?? fleet.desired
        fleet.policy = { ...fleet.policy, ...given(input.deploymentConfiguration) }
        fleet.targets = input.loadBalancers ?? fleet.targets
        fleet.gracePeriod = input.healthCheckGracePeriodSeconds ?? fleet.gracePeriod
        if (definition !== undefined && (input.forceNewDeployment || changed)) {
          driver.deploy(definition)
        } else driver.wake()
        return { service: describe(entry) }
      },
      'InvalidParameterException',
    ),
    DescribeServices: operation(
      v.object({
        cluster: v.optional(v.string()),
        services: v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(10)),
        include: v.optional(v.array(v.picklist(['TAGS'])), []),
      }),
      ({ cluster: name, services: wanted, include }, { region }) => {
        const cluster = clusters.find(region, name)
        const all = wanted.map((each) => {
          const arn = arnOf(cluster, each)
          return { arn, found: entries.get(arn) }
        })
        return {
          services: all.flatMap(({ found }) => (found ? [describe(found, include)] : [])),
          failures: all.flatMap(({ arn, found }) => (found ? [] : [{ arn, reason: 'MISSING' }])),
        }
      },
      'InvalidParameterException',
    ),
    ListServices: operation(
      v.object({
        cluster: v.optional(v.string()),
        launchType: v.optional(v.string()),
        maxResults: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(100)), 10),
        nextToken: v.optional(v.string()),
      }),
      ({ cluster: name, launchType, maxResults, nextToken = '0' }, { region }) => {
        const cluster = clusters.find(region, name)
        const arns = [...entries.values()]
          .filter(({ fleet }) => fleet.cluster.arn === cluster.arn && fleet.status !== 'INACTIVE')
          .filter(({ settings }) => launchType === undefined || settings.launchType === launchType)
          .map(({ fleet }) => fleet.arn)
        const begin = Number(nextToken)
        if (!Number.isInteger(begin) || begin < 0) throw invalid('Invalid token.')
        const end = begin + maxResults
        return {
          serviceArns: arns.slice(begin, end),
          ...(end < arns.length && { nextToken: String(end) }),
        }
      },
      'InvalidParameterException',
    ),
    DeleteService: operation(
      v.object({
        cluster: v.optional(v.string()),
        service: v.string(),
        force: v.optional(v.boolean(), false),
      }),
      ({ cluster, service, force }, { region }) => {
        const entry = need(region, cluster, service)
        if (!force && entry.fleet.desired > 0) {
          throw invalid(
            'The service cannot be stopped while the primary deployment is scaled above 0.',
          )
        }
        entry.fleet.desired = 0
        entry.fleet.status = 'DRAINING'
        entry.controller.wake()
        return { service: describe(entry) }
      },
      'InvalidParameterException',
    ),
    ...history(
      () => [...entries.values()],
      (region, cluster, service) => need(region, cluster, service).fleet,
    ),
  }
  return {
    operations,
    /** How many services of a cluster are not gone. */
    active: ({ arn }: Cluster) =>
      [...entries.values()].filter(
        ({ fleet }) => fleet.cluster.arn === arn && fleet.status !== 'INACTIVE',
      ).length,
  }
}

function checkContainers({ containerDefinitions }: Definition, targets: readonly Target[]) {
  for (const { containerName } of targets) {
    if (containerDefinitions.some(({ name }) => name === containerName)) continue
    throw invalid(`The container ${containerName} does not exist in the task definition.`)
  }
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterException', message)
}

/** Whether plain data is different; order counts, which at worst replaces tasks once too often. */
function differs(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) !== JSON.stringify(b)
}
