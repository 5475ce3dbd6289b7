import {
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  type ECSClient,
  type TaskDefinition,
} from '@aws-sdk/client-ecs'

/** A log group of CloudWatch Logs. */
export interface Group {
  readonly name: string
  readonly region: string
  /** Nobody has to have written there yet. */
  readonly optional?: boolean
}

/** DescribeServices takes so many names. */
const SERVICES = 10

/**
 * Where the containers of some services (`cluster/service`) write with the driver `awslogs`, by the task definitions of all
 * their deployments. Secrets name their services in their tags (docs/tags.md).
 */
export async function groupsOf(ecs: ECSClient, services: readonly string[]): Promise<Group[]> {
  const home = await ecs.config.region()
  const clusters = Map.groupBy(services, (name) => name.split('/')[0] ?? '')
  const definitions = new Set<string>()
  for (const [cluster, names] of clusters) {
    const bare = names.map((name) => name.slice(cluster.length + 1))
    for (let at = 0; at < bare.length; at += SERVICES) {
      const page = bare.slice(at, at + SERVICES)
      const found = await ecs.send(new DescribeServicesCommand({ cluster, services: page }))
      for (const { taskDefinition, deployments = [] } of found.services ?? [])
        for (const one of [taskDefinition, ...deployments.map((each) => each.taskDefinition)])
          if (one !== undefined) definitions.add(one)
    }
  }
  const groups = new Map<string, Group>()
  for (const taskDefinition of definitions) {
    const command = new DescribeTaskDefinitionCommand({ taskDefinition })
    const { taskDefinition: definition } = await ecs.send(command)
    for (const group of written(definition, home))
      groups.set(`${group.region} ${group.name}`, group)
  }
  return [...groups.values()]
}

function written(definition: TaskDefinition | undefined, home: string): Group[] {
  return (definition?.containerDefinitions ?? []).flatMap(({ logConfiguration }) => {
    const { logDriver, options = {} } = logConfiguration ?? {}
    const { 'awslogs-group': name, 'awslogs-region': region = home } = options
    return logDriver === 'awslogs' && name !== undefined ? [{ name, region, optional: true }] : []
  })
}
