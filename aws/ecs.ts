import {
  DescribeServicesCommand,
  type ECSClient,
  type Service as Told,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs'
import { told } from '../pki/fault.ts'
import type { Fleet, Service } from '../ports/fleet.ts'
import { required } from './acm.ts'
import { ask } from './errors.ts'

const MOST = 10 // DescribeServices takes ten at a time

/**
 * ECS as the fleet. A name is `cluster/service`.
 *
 * @param once a client that tries once: forcing a deployment again because an answer was lost would begin two
 */
export function fleet(client: ECSClient, once: ECSClient): Fleet {
  async function describe(cluster: string, services: readonly string[]): Promise<readonly Told[]> {
    const command = new DescribeServicesCommand({ cluster, services: [...services] })
    try {
      const what = `describe services ${services.join(', ')} of cluster ${cluster}`
      const { services: found = [] } = await ask(what, () => client.send(command))
      return found
    } catch (error) {
      if (told(error).name === 'ClusterNotFoundException') return []
      throw error
    }
  }
  return {
    async look(names) {
      const found = new Map<string, Service>()
      for (const [cluster, services] of byCluster(names)) {
        for (let at = 0; at < services.length; at += MOST) {
          for (const one of await describe(cluster, services.slice(at, at + MOST))) {
            const name = `${cluster}/${one.serviceName}`
            found.set(name, service(name, one))
          }
        }
      }
      return names.map((name) => found.get(name) ?? { name, state: 'gone' })
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

function service(name: string, { status, desiredCount, deployments = [] }: Told): Service {
  const primary = deployments.find((deployment) => deployment.status === 'PRIMARY')
  return {
    name,
    state: state(status, desiredCount),
    ...(primary?.createdAt && { deployed: primary.createdAt.getTime() }),
  }
}

function state(status = 'INACTIVE', desired = 0): Service['state'] {
  if (status === 'DRAINING') return 'draining'
  if (status !== 'ACTIVE') return 'gone'
  return desired === 0 ? 'idle' : 'active'
}

function byCluster(names: readonly string[]): Map<string, string[]> {
  const clusters = new Map<string, string[]>()
  for (const name of names) {
    const [cluster = '', service = ''] = name.split('/')
    clusters.set(cluster, [...(clusters.get(cluster) ?? []), service])
  }
  return clusters
}
