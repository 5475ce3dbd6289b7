import { type Json, list, need, number, record, text } from '../json.ts'
import { AwsError } from '../service.ts'
import { camel } from './camel.ts'
import { type Context, type Made, type Provider, poll } from './provider.ts'

function api(properties: Json, ...without: string[]): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(record(camel(properties))).filter(([key]) => !without.includes(key)),
  )
}

const cluster: Provider = {
  immutable: ['ClusterName'],
  async create(properties, context) {
    const clusterName = properties['ClusterName'] ?? context.name()
    const answer = await context.call('ecs', 'CreateCluster', { ...api(properties), clusterName })
    const { clusterName: id, clusterArn: Arn } = record(answer['cluster'])
    return { id: text(id, 'clusterName'), attributes: { Arn } }
  },
  update: async (_, made) => made, // settings have no effect here
  async delete({ id }, _, context) {
    await context.call('ecs', 'DeleteCluster', { cluster: id })
  },
}

const taskDefinition: Provider = {
  async create(properties, context) {
    const family = properties['Family'] ?? context.name()
    const input = { ...api(properties), family, ...sizes(properties) }
    const containers = list(api(properties)['containerDefinitions']).map(container)
    const answer = await context.call('ecs', 'RegisterTaskDefinition', {
      ...input,
      containerDefinitions: containers,
    })
    const arn = need(record(answer['taskDefinition']), 'taskDefinitionArn')
    return { id: arn, attributes: { TaskDefinitionArn: arn } }
  },
  async delete({ id }, _, context) {
    await context.call('ecs', 'DeregisterTaskDefinition', { taskDefinition: id })
  },
}

/** A task's cpu and memory are text in the API, a container's are numbers. */
function sizes({ Cpu, Memory }: Json): Json {
  return {
    ...(Cpu !== undefined && { cpu: text(Cpu, 'Cpu') }),
    ...(Memory !== undefined && { memory: text(Memory, 'Memory') }),
  }
}

function container(value: unknown): Json {
  const { cpu, memory, environment, ...rest } = record(value)
  return {
    ...rest,
    ...(cpu !== undefined && { cpu: number(cpu, 'Cpu') }),
    ...(memory !== undefined && { memory: number(memory, 'Memory') }),
    ...(environment !== undefined && {
      environment: list(environment).map((variable) => ({
        name: need(record(variable), 'name'),
        value: text(record(variable)['value'], 'Value'),
      })),
    }),
  }
}

const service: Provider = {
  immutable: [
    'Cluster',
    'DeploymentController',
    'LaunchType',
    'Role',
    'SchedulingStrategy',
    'ServiceName',
  ],
  async create(properties, context) {
    const serviceName = properties['ServiceName'] ?? context.name()
    const answer = await context.call('ecs', 'CreateService', {
      ...api(properties, 'forceNewDeployment'),
      serviceName,
    })
    const made = madeOf(record(answer['service']))
    context.began(made)
    await stable(made, properties, record(answer['service']), context)
    return made
  },
  async update(properties, made, _, context) {
    const input = api(
      properties,
      'serviceName',
      'launchType',
      'role',
      'schedulingStrategy',
      'deploymentController',
      'tags',
      'forceNewDeployment',
    )
    const force = record(properties['ForceNewDeployment'])['EnableForceNewDeployment']
    const answer = await context.call('ecs', 'UpdateService', {
      ...input,
      service: made.id,
      forceNewDeployment: String(force) === 'true',
    })
    await stable(made, properties, record(answer['service']), context)
    return made
  },
  async delete({ id }, properties, context) {
    const cluster = properties['Cluster'] ?? 'default'
    const { status } = await read(id, properties, context)
    if (status !== 'INACTIVE') {
      await context.call('ecs', 'DeleteService', { cluster, service: id, force: true })
    }
    await poll(context, async () => {
      const { status } = await read(id, properties, context)
      return status === 'INACTIVE' || undefined
    })
  },
}

function madeOf(answer: Json): Made {
  const arn = need(answer, 'serviceArn')
  return { id: arn, attributes: { ServiceArn: arn, Name: need(answer, 'serviceName') } }
}

async function read(id: string, properties: Json, context: Context): Promise<Json> {
  const cluster = properties['Cluster'] ?? 'default'
  const answer = await context.call('ecs', 'DescribeServices', { cluster, services: [id] })
  return record(list(answer['services'])[0] ?? { status: 'INACTIVE' })
}

/** Waits until the deployment that began is COMPLETED; one that failed, or was rolled back, fails the resource. */
async function stable(made: Made, properties: Json, begun: Json, context: Context) {
  const primary = (service: Json) =>
    list(service['deployments'])
      .map(record)
      .find((deployment) => deployment['status'] === 'PRIMARY')
  const started = primary(begun)?.['id']
  await poll(context, async () => {
    const now = await read(made.id, properties, context)
    const mine = list(now['deployments'])
      .map(record)
      .find((deployment) => deployment['id'] === started)
    if (mine?.['rolloutState'] === 'COMPLETED') return true
    const failed = mine?.['rolloutState'] === 'FAILED'
    if (failed || primary(now)?.['id'] !== started) {
      throw new AwsError(
        'NotStabilized',
        "Error occurred during operation 'ECS Deployment Circuit Breaker was triggered'.",
      )
    }
    return undefined
  })
}

/** AWS::ECS types. A service is complete when its deployment is. */
export const provideEcs: Readonly<Record<string, Provider>> = {
  'AWS::ECS::Cluster': cluster,
  'AWS::ECS::TaskDefinition': taskDefinition,
  'AWS::ECS::Service': service,
}
