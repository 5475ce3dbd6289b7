import * as v from 'valibot'
import { AwsError, operation, seconds, type World } from '../service.ts'
import type { Tags } from './tags.ts'

const pair = v.looseObject({ name: v.string(), value: v.string() })

/** A container's health check; durations in seconds, defaults and ranges as ECS has them. */
const healthCheck = v.looseObject({
  command: v.pipe(v.array(v.string()), v.minLength(1)),
  interval: v.optional(v.pipe(v.number(), v.minValue(5), v.maxValue(300)), 30),
  timeout: v.optional(v.pipe(v.number(), v.minValue(2), v.maxValue(60)), 5),
  retries: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(10)), 3),
  startPeriod: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(300))),
})

const container = v.looseObject({
  name: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,255}$/)),
  image: v.pipe(v.string(), v.minLength(1)),
  essential: v.optional(v.boolean(), true),
  entryPoint: v.optional(v.array(v.string())),
  command: v.optional(v.array(v.string())),
  environment: v.optional(v.array(pair), []),
  secrets: v.optional(v.array(v.looseObject({ name: v.string(), valueFrom: v.string() }))),
  dependsOn: v.optional(
    v.array(
      v.looseObject({
        containerName: v.string(),
        condition: v.picklist(['START', 'COMPLETE', 'SUCCESS', 'HEALTHY']),
      }),
    ),
  ),
  startTimeout: v.optional(v.pipe(v.number(), v.minValue(2))),
  stopTimeout: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(120))),
  healthCheck: v.optional(healthCheck),
  logConfiguration: v.optional(
    v.looseObject({
      logDriver: v.string(),
      options: v.optional(v.record(v.string(), v.string()), {}),
    }),
  ),
  mountPoints: v.optional(v.array(v.looseObject({ sourceVolume: v.optional(v.string()) })), []),
  portMappings: v.optional(v.array(v.looseObject({ containerPort: v.optional(v.number()) })), []),
  volumesFrom: v.optional(v.array(v.unknown()), []),
  cpu: v.optional(v.number(), 0),
})

const registration = v.object({
  family: v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,255}$/)),
  containerDefinitions: v.pipe(v.array(container), v.minLength(1)),
  taskRoleArn: v.optional(v.string()),
  executionRoleArn: v.optional(v.string()),
  networkMode: v.optional(v.string(), 'awsvpc'),
  volumes: v.optional(v.array(v.looseObject({ name: v.string() })), []),
  cpu: v.optional(v.string()),
  memory: v.optional(v.string()),
  requiresCompatibilities: v.optional(v.array(v.string()), []),
  runtimePlatform: v.optional(v.looseObject({})),
  placementConstraints: v.optional(v.array(v.looseObject({})), []),
  ephemeralStorage: v.optional(v.looseObject({})),
  pidMode: v.optional(v.string()),
  ipcMode: v.optional(v.string()),
  proxyConfiguration: v.optional(v.looseObject({})),
  tags: v.optional(v.array(v.object({ key: v.string(), value: v.optional(v.string(), '') })), []),
})

export type ContainerDefinition = v.InferOutput<typeof container>
export type HealthCheck = v.InferOutput<typeof healthCheck>

/** A revision of a task definition. */
export interface Definition extends Omit<v.InferOutput<typeof registration>, 'tags'> {
  readonly arn: string
  readonly revision: number
  readonly registeredAt: number
  status: 'ACTIVE' | 'INACTIVE'
  deregisteredAt?: number
}

/** Task definitions of all regions, and their operations. */
export interface Definitions {
  readonly operations: ReturnType<typeof operations>
  /**
   * The revision that an ARN, `family:revision` or `family` (its latest active revision) names.
   * @throws AwsError ClientException when there is none.
   */
  find(region: string, name: string): Definition
}

export function definitions(
  world: World,
  tag: Tags['tag'],
  tags: (arn: string) => unknown,
): Definitions {
  const regions = new Map<string, Map<string, Definition[]>>()
  const families = (region: string) => {
    const found = regions.get(region) ?? new Map<string, Definition[]>()
    regions.set(region, found)
    return found
  }
  const find = (region: string, name: string): Definition => {
    const [family = '', revision] = name.replace(/^arn:.*:task-definition\//, '').split(':')
    const known = families(region).get(family) ?? []
    const found =
      revision === undefined
        ? known.findLast((each) => each.status === 'ACTIVE')
        : known.find((each) => String(each.revision) === revision)
    if (found === undefined) {
      throw new AwsError('ClientException', 'Unable to describe task definition.')
    }
    return found
  }
  return { find, operations: operations(world, { families, find, tag, tags }) }
}

interface Store {
  families(region: string): Map<string, Definition[]>
  find(region: string, name: string): Definition
  tag: Tags['tag']
  tags(arn: string): unknown
}

function operations(world: World, { families, find, tag, tags }: Store) {
  const named = v.object({ taskDefinition: v.pipe(v.string(), v.minLength(1)) })
  return {
    RegisterTaskDefinition: operation(
      registration,
      ({ tags: added, ...input }, { region }) => {
        inspect(input)
        const known = families(region).get(input.family) ?? []
        const revision = known.length + 1
        const arn = `arn:aws:ecs:${region}:${world.account}:task-definition/${input.family}:${revision}`
        const made: Definition = {
          ...input,
          arn,
          revision,
          registeredAt: world.clock.now(),
          status: 'ACTIVE',
        }
        families(region).set(input.family, [...known, made])
        tag(arn, added)
        return { taskDefinition: describe(made), tags: tags(arn) }
      },
      'ClientException',
    ),
    DescribeTaskDefinition: operation(named, ({ taskDefinition }, { region }) => {
      const found = find(region, taskDefinition)
      return { taskDefinition: describe(found), tags: tags(found.arn) }
    }),
    DeregisterTaskDefinition: operation(named, ({ taskDefinition }, { region }) => {
      if (!/:\d+$/.test(taskDefinition)) {
        throw new AwsError('ClientException', 'Missing revision in the task definition.')
      }
      const found = find(region, taskDefinition)
      found.status = 'INACTIVE'
      found.deregisteredAt ??= world.clock.now()
      return { taskDefinition: describe(found) }
    }),
    ListTaskDefinitions: operation(
      v.object({
        familyPrefix: v.optional(v.string()),
        status: v.optional(v.picklist(['ACTIVE', 'INACTIVE']), 'ACTIVE'),
        sort: v.optional(v.picklist(['ASC', 'DESC']), 'ASC'),
      }),
      ({ familyPrefix, status, sort }, { region }) => {
        const arns = [...families(region).values()]
          .flat()
          .filter((each) => familyPrefix === undefined || each.family === familyPrefix)
          .filter((each) => each.status === status)
          .map((each) => each.arn)
        return { taskDefinitionArns: sort === 'ASC' ? arns : arns.reverse() }
      },
    ),
  }
}

function describe({ arn, registeredAt, deregisteredAt, ...rest }: Definition) {
  return {
    ...rest,
    taskDefinitionArn: arn,
    registeredAt: seconds(registeredAt),
    ...(deregisteredAt !== undefined && { deregisteredAt: seconds(deregisteredAt) }),
    compatibilities: ['EC2', 'FARGATE'],
  }
}

type Registration = Omit<v.InferOutput<typeof registration>, 'tags'>

/** What ECS refuses although every member has the right form. */
function inspect({ containerDefinitions: containers, executionRoleArn }: Registration) {
  const refuse = (message: string) => {
    throw new AwsError('ClientException', message)
  }
  const byName = new Map(containers.map((each) => [each.name, each]))
  if (byName.size < containers.length) refuse('Container names must be unique.')
  if (!containers.some((each) => each.essential)) {
    refuse('Invalid setting for container: at least one container must be essential.')
  }
  if (executionRoleArn === undefined && containers.some((each) => each.secrets?.length)) {
    refuse(
      "When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.",
    )
  }
  for (const { name, dependsOn = [] } of containers) {
    for (const { containerName, condition } of dependsOn) {
      const other = byName.get(containerName)
      if (other === undefined) {
        return refuse(`Container '${name}' depends on unknown container '${containerName}'.`)
      }
      if (condition === 'HEALTHY' && other.healthCheck === undefined) {
        refuse(`Container '${containerName}' has no health check for condition HEALTHY.`)
      }
      if ((condition === 'SUCCESS' || condition === 'COMPLETE') && other.essential) {
        refuse(`Essential container '${containerName}' cannot have condition ${condition}.`)
      }
    }
    if (reaches(name, name, byName, new Set())) {
      refuse('Container dependencies must not form a cycle.')
    }
  }
}

function reaches(
  from: string,
  to: string,
  containers: ReadonlyMap<string, ContainerDefinition>,
  seen: Set<string>,
): boolean {
  return (containers.get(from)?.dependsOn ?? []).some(({ containerName: next }) => {
    if (next === to) return true
    if (seen.has(next)) return false
    seen.add(next)
    return reaches(next, to, containers, seen)
  })
}
