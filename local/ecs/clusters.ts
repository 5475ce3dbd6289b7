import * as v from 'valibot'
import { AwsError, operation, type World } from '../service.ts'
import type { Tags } from './tags.ts'

export interface Cluster {
  readonly arn: string
  readonly name: string
  status: 'ACTIVE' | 'INACTIVE'
}

/** How much is going on in a cluster. */
export interface Counts {
  readonly activeServicesCount: number
  readonly runningTasksCount: number
  readonly pendingTasksCount: number
}

export type Clusters = ReturnType<typeof clusters>

const tags = v.optional(
  v.array(v.object({ key: v.string(), value: v.optional(v.string(), '') })),
  [],
)

/** Clusters of all regions, and their operations. */
export function clusters(
  world: World,
  labels: Pick<Tags, 'tag' | 'tags'>,
  counts: (region: string, cluster: Cluster) => Counts,
) {
  const regions = new Map<string, Map<string, Cluster>>()
  const at = (region: string) => {
    const known = regions.get(region) ?? new Map<string, Cluster>()
    regions.set(region, known)
    return known
  }
  const short = (nameOrArn: string) => nameOrArn.replace(/^arn:.*:cluster\//, '')

  /** @throws AwsError ClusterNotFoundException */
  const find = (region: string, nameOrArn = 'default'): Cluster => {
    const found = at(region).get(short(nameOrArn))
    if (found === undefined || found.status === 'INACTIVE') {
      throw new AwsError('ClusterNotFoundException', 'Cluster not found.')
    }
    return found
  }
  const describe = (region: string, cluster: Cluster) => ({
    clusterArn: cluster.arn,
    clusterName: cluster.name,
    status: cluster.status,
    registeredContainerInstancesCount: 0,
    ...counts(region, cluster),
  })
  const operations = {
    CreateCluster: operation(
      v.object({
        clusterName: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,255}$/)), 'default'),
        tags,
      }),
      ({ clusterName: name, tags: added }, { region }) => {
        const known = at(region).get(name)
        if (known?.status === 'ACTIVE') return { cluster: describe(region, known) }
        const arn = `arn:aws:ecs:${region}:${world.account}:cluster/${name}`
        const made: Cluster = { arn, name, status: 'ACTIVE' }
        at(region).set(name, made)
        labels.tag(arn, added)
        return { cluster: { ...describe(region, made), tags: labels.tags(arn) } }
      },
      'InvalidParameterException',
    ),
    DescribeClusters: operation(
      v.object({
        clusters: v.optional(v.array(v.string()), ['default']),
        include: v.optional(v.array(v.string()), []),
      }),
      ({ clusters: wanted, include }, { region }) => {
        const show = (cluster: Cluster) => ({
          ...describe(region, cluster),
          ...(include.includes('TAGS') && { tags: labels.tags(cluster.arn) }),
        })
        const all = wanted.map((each) => ({ each, found: at(region).get(short(each)) }))
        return {
          clusters: all.flatMap(({ found }) => (found ? [show(found)] : [])),
          failures: all.flatMap(({ each, found }) =>
            found ? [] : [{ arn: arnOf(world, region, short(each)), reason: 'MISSING' }],
          ),
        }
      },
    ),
    ListClusters: operation(v.object({}), (_input, { region }) => ({
      clusterArns: [...at(region).values()]
        .filter(({ status }) => status === 'ACTIVE')
        .map(({ arn }) => arn),
    })),
    DeleteCluster: operation(v.object({ cluster: v.string() }), ({ cluster }, { region }) => {
      const found = find(region, cluster)
      const { activeServicesCount, runningTasksCount, pendingTasksCount } = counts(region, found)
      if (activeServicesCount > 0) {
        throw new AwsError(
          'ClusterContainsServicesException',
          'The Cluster cannot be deleted while Services are active.',
        )
      }
      if (runningTasksCount + pendingTasksCount > 0) {
        throw new AwsError(
          'ClusterContainsTasksException',
          'The Cluster cannot be deleted while Tasks are active.',
        )
      }
      found.status = 'INACTIVE'
      return { cluster: describe(region, found) }
    }),
  }
  return { find, operations }
}

function arnOf(world: World, region: string, name: string): string {
  return `arn:aws:ecs:${region}:${world.account}:cluster/${name}`
}
