import {
  DescribeServicesCommand,
  DescribeTasksCommand,
  type ECSClient,
  ListServiceDeploymentsCommand,
  ListTasksCommand,
  type ServiceDeploymentBrief,
  type Service as Told,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs'
import { RelayError } from '../pki/error.ts'
import type { Deployment } from '../pki/rollout.ts'
import type { Fleet, Running } from '../ports/fleet.ts'
import { required } from './acm.ts'
import { ask } from './errors.ts'

const MOST = 10 // DescribeServices takes ten at a time
const MOST_TASKS = 100 // DescribeTasks takes a hundred at a time
const RECENT = 20 // deployments of one service: the newest decide

/**
 * ECS as the fleet. A name is `cluster/service`.
 *
 * @param once a client that tries again what was throttled and nothing else: forcing a deployment again because an answer was
 * lost would begin two
 */
export function fleet(client: ECSClient, once: ECSClient): Fleet {
  async function describe(cluster: string, services: readonly string[]): Promise<readonly Told[]> {
    const command = new DescribeServicesCommand({ cluster, services: [...services] })
    try {
      const what = `describe services ${services.join(', ')} of cluster ${cluster}`
      const { services: found = [] } = await ask(what, () => client.send(command), LEAVING)
      return found
    } catch (error) {
      // no such cluster
      if (error instanceof RelayError && error.code === 'ROLLOUT_BUSY') return []
      throw error
    }
  }

  /** What became of each UpdateService: unlike a PRIMARY deployment it stays failed after ECS has gone back. */
  async function history(
    cluster: string,
    service: string,
    since: number,
  ): Promise<readonly Deployment[]> {
    const command = new ListServiceDeploymentsCommand({
      cluster,
      service,
      createdAt: { after: new Date(Math.floor(since / 1000) * 1000) },
      maxResults: RECENT,
    })
    const what = `list the deployments of ${cluster}/${service}`
    const { serviceDeployments = [] } = await ask(what, () => client.send(command), LEAVING)
    return serviceDeployments
      .flatMap((one) => deployment(one) ?? [])
      .sort((a, b) => b.began - a.began)
  }

  async function look(cluster: string, about: Told, since: number): Promise<Running> {
    const { serviceName = '', status, desiredCount, deployments = [] } = about
    const { deploymentController, deploymentConfiguration } = about
    const name = `${cluster}/${serviceName}`
    const state = stateOf(status, desiredCount, deploymentController?.type)
    if (state === 'foreign') return { name, state, deployments: sets(about, since) }
    if (state !== 'active') return { name, state, deployments: [] }
    const breaker = deploymentConfiguration?.deploymentCircuitBreaker?.enable === true
    const known = { name, state, ...(breaker && { breaker }) }
    const primary = deployments.find((one) => one.status === 'PRIMARY')
    const began = primary?.createdAt?.getTime() ?? 0
    if (began < since) return { ...known, deployments: [] }
    const listed = await history(cluster, serviceName, since)
    const own = listed.filter((one) => one.began >= since)
    if (own.length > 0) return { ...known, deployments: own }
    // ECS lists deployments for 90 days only
    return { ...known, deployments: [{ began, state: rolloutState(primary?.rolloutState) }] }
  }

  return {
    async look(names, since) {
      const found = new Map<string, Running>()
      for (const [cluster, services] of byCluster(names)) {
        for (let at = 0; at < services.length; at += MOST) {
          for (const one of await describe(cluster, services.slice(at, at + MOST))) {
            const running = await look(cluster, one, since)
            found.set(running.name, running)
          }
        }
      }
      return names.map((name) => found.get(name) ?? { name, state: 'gone', deployments: [] })
    },
    async serving(name) {
      const [cluster = '', serviceName = ''] = name.split('/')
      const list = new ListTasksCommand({ cluster, serviceName, desiredStatus: 'RUNNING' })
      const what = `ask the tasks of ${name} what they serve`
      const { taskArns = [] } = await ask(what, () => client.send(list), LEAVING)
      if (taskArns.length === 0) return []
      const tasks = taskArns.slice(0, MOST_TASKS) // the first page, 100 at most: one of many that is behind is enough
      const describe = new DescribeTasksCommand({ cluster, tasks, include: ['TAGS'] })
      const { tasks: found = [] } = await ask(what, () => client.send(describe), LEAVING)
      return found.map(({ tags = [] }) => {
        const value = tags.find(({ key }) => key === 'certrelay:serves')?.value ?? ''
        return value.split(' ').filter(Boolean)
      })
    },
    async roll(name) {
      const [cluster = '', service = ''] = name.split('/')
      const command = new UpdateServiceCommand({ cluster, service, forceNewDeployment: true })
      const what = `start a deployment of ${name}`
      const { service: updated } = await ask(what, () => once.send(command), LEAVING)
      const primary = updated?.deployments?.find(({ status }) => status === 'PRIMARY')
      return required(primary?.id, 'UpdateService answered no deployment')
    },
  }
}

/** The service went between the look and the deployment: the next look sees that and leaves it out. */
const LEAVING = {
  ClusterNotFoundException: 'ROLLOUT_BUSY',
  ServiceNotFoundException: 'ROLLOUT_BUSY',
  ServiceNotActiveException: 'ROLLOUT_BUSY',
} as const

function deployment({ createdAt, status }: ServiceDeploymentBrief): Deployment | undefined {
  if (createdAt === undefined) return undefined
  return { began: createdAt.getTime(), state: STATES[status ?? ''] ?? 'failed' }
}

/** What CodeDeploy or somebody else has deployed since: task sets, of which the primary one serves (ECS, TaskSet). */
function sets({ taskSets = [] }: Told, since: number): readonly Deployment[] {
  return taskSets
    .map(({ createdAt, status, stabilityStatus }) => {
      const serves = status === 'PRIMARY' && stabilityStatus === 'STEADY_STATE'
      return { began: createdAt?.getTime() ?? 0, state: serves ? 'completed' : 'running' } as const
    })
    .filter(({ began }) => began >= since)
    .sort((a, b) => b.began - a.began)
}

/** Whatever else there is means that its tasks are not what runs in the end. */
const STATES: Readonly<Record<string, Deployment['state']>> = {
  PENDING: 'running',
  IN_PROGRESS: 'running',
  SUCCESSFUL: 'completed',
}

function rolloutState(state: string | undefined): Deployment['state'] {
  if (state === 'COMPLETED') return 'completed'
  return state === 'FAILED' ? 'failed' : 'running'
}

function stateOf(status = 'INACTIVE', desired = 0, controller = 'ECS'): Running['state'] {
  if (status === 'DRAINING') return 'draining'
  if (status !== 'ACTIVE') return 'gone'
  if (desired === 0) return 'idle'
  return controller === 'ECS' ? 'active' : 'foreign'
}

function byCluster(names: readonly string[]): Map<string, string[]> {
  const clusters = new Map<string, string[]>()
  for (const name of names) {
    const [cluster = '', service = ''] = name.split('/')
    clusters.set(cluster, [...(clusters.get(cluster) ?? []), service])
  }
  return clusters
}
