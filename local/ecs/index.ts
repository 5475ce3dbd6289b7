import type { Iam } from '../iam.ts'
import { list } from '../json.ts'
import type { Service, World } from '../service.ts'
import { type Clusters, clusters } from './clusters.ts'
import { definitions } from './definitions.ts'
import { fargate } from './fargate.ts'
import type { Images } from './images.ts'
import { services } from './services.ts'
import { tagged } from './tags.ts'
import { roster } from './tasks.ts'

/**
 * Amazon ECS whose tasks are child processes of this machine. What is not imitated: container file systems and
 * namespaces (a program sees the whole machine and must bind to its task's address), capacity, placement, and the
 * seconds that AWS takes; a rollback by the circuit breaker is tried until it succeeds.
 */
export function ecs(
  world: World,
  options: { readonly images: Images; readonly iam: Iam },
): Service {
  const machine = fargate(world, options)
  world.onClose(machine.close)
  const labels = tagged()
  const { tag, tags } = labels

  const catalog = definitions(world, tag, tags)
  const tasks = roster(machine, () => grounds, catalog, labels)
  const grounds: Clusters = clusters(world, labels, (_region, cluster) => {
    const statuses = tasks.of(cluster).map(({ status }) => status)
    return {
      activeServicesCount: crews.active(cluster),
      runningTasksCount: statuses.filter((each) => each === 'RUNNING').length,
      pendingTasksCount: statuses.filter((each) => each !== 'RUNNING' && each !== 'STOPPED').length,
    }
  })
  const crews = services(machine, grounds, catalog, tasks, labels)

  return {
    name: 'ecs',
    operations: {
      ...grounds.operations,
      ...catalog.operations,
      ...crews.operations,
      ...tasks.operations,
      ...labels.operations,
    },
    subject(operation, input, { region }) {
      const arn = resource(operation, input, `arn:aws:ecs:${region}:${world.account}`)
      const { cluster } = input
      const conditions = {
        'ecs:cluster': clusterArn(cluster, `arn:aws:ecs:${region}:${world.account}`),
      }
      const found = labels.of(arn)
      return { arn, conditions, ...(found && { tags: Object.fromEntries(found) }) }
    },
  }
}

function clusterArn(cluster: unknown, base: string): string {
  const name = typeof cluster === 'string' ? cluster : 'default'
  return name.startsWith('arn:') ? name : `${base}:cluster/${name}`
}

/** The ARN that a policy is asked about: "Actions, resources, and condition keys for Amazon ECS". */
function resource(
  operation: string,
  input: Readonly<Record<string, unknown>>,
  base: string,
): string {
  const cluster = clusterArn(input['cluster'], base).replace(/^.*\//, '')
  const within = (kind: string, name: unknown) => {
    if (typeof name !== 'string') return '*'
    return name.startsWith('arn:') ? name : `${base}:${kind}/${cluster}/${name}`
  }
  switch (operation) {
    case 'CreateService':
      return within('service', input['serviceName'])
    case 'UpdateService':
    case 'DeleteService':
    case 'ListServiceDeployments':
      return within('service', input['service'])
    case 'DescribeServices':
      return within('service', list(input['services'])[0])
    case 'DescribeTasks':
      return within('task', list(input['tasks'])[0])
    case 'StopTask':
      return within('task', input['task'])
    case 'DescribeServiceDeployments':
      return within('service-deployment', list(input['serviceDeploymentArns'])[0])
    case 'StopServiceDeployment':
      return within('service-deployment', input['serviceDeploymentArn'])
    case 'DescribeClusters':
    case 'DeleteCluster':
      return clusterArn(input['cluster'] ?? list(input['clusters'])[0], base)
    case 'RunTask': {
      const { taskDefinition } = input
      if (typeof taskDefinition !== 'string') return '*'
      return taskDefinition.startsWith('arn:')
        ? taskDefinition
        : `${base}:task-definition/${taskDefinition}`
    }
    case 'TagResource':
    case 'UntagResource':
    case 'ListTagsForResource':
      return typeof input['resourceArn'] === 'string' ? input['resourceArn'] : '*'
    default:
      return '*'
  }
}
