import * as v from 'valibot'
import { AwsError, operation, type Service, seconds, type World } from '../../local/service.ts'

/** One deployment of a service, as ListServiceDeployments tells it. */
export interface Rollout {
  readonly id: string
  readonly createdAt: number
  status: 'IN_PROGRESS' | 'SUCCESSFUL' | 'ROLLBACK_SUCCESSFUL' | 'STOPPED'
}

/** ECS services without tasks: their deployments end when they are told to. */
export interface Crew {
  readonly service: Service
  /** Begins a service (`cluster/service`), whose first deployment has succeeded. */
  serve(name: string): void
  /** Names of the services whose newest deployment goes on. */
  running(): readonly string[]
  /** Ends it; the circuit breaker goes back to the last good one. */
  end(name: string, well: boolean): void
  /** How its deployments stand, the oldest first. */
  deployments(name: string): readonly string[]
  names(): readonly string[]
  clear(): void
}

interface Kept {
  readonly rollouts: Rollout[]
  /** Of the PRIMARY deployment: after a rollback another one than that of the last rollout. */
  primary: { readonly id: string; readonly createdAt: number; readonly over: boolean }
}

const named = { cluster: v.string(), service: v.string() }

/** As much of ECS as the adapter asks for, with the answers of `local/ecs`; no processes, so that a service costs nothing. */
export function crew({ clock, random, account }: World): Crew {
  const services = new Map<string, Kept>()
  const need = (name: string): Kept => {
    const found = services.get(name)
    if (found !== undefined) return found
    throw new AwsError('ServiceNotFoundException', 'Service not found.')
  }
  const begin = (name: string, status: Rollout['status']) => {
    const kept = services.get(name)
    const one: Rollout = { id: `ecs-svc/${random.hex(10)}`, createdAt: clock.now(), status }
    const last = kept?.rollouts.at(-1)
    if (last?.status === 'IN_PROGRESS') last.status = 'STOPPED'
    const primary = { id: one.id, createdAt: one.createdAt, over: status === 'SUCCESSFUL' }
    services.set(name, { rollouts: [...(kept?.rollouts ?? []), one], primary })
  }
  const describe = (name: string) => {
    const { primary } = need(name)
    return {
      serviceName: name.split('/')[1],
      serviceArn: `arn:aws:ecs:us-east-1:${account}:service/${name}`,
      status: 'ACTIVE',
      desiredCount: 1,
      deployments: [
        {
          id: primary.id,
          status: 'PRIMARY',
          createdAt: seconds(primary.createdAt),
          rolloutState: primary.over ? 'COMPLETED' : 'IN_PROGRESS',
        },
      ],
    }
  }
  const operations = {
    DescribeServices: operation(
      v.object({ cluster: v.string(), services: v.array(v.string()) }),
      ({ cluster, services: wanted }) => {
        const names = wanted.map((one) => `${cluster}/${one}`)
        return { services: names.filter((name) => services.has(name)).map(describe) }
      },
    ),
    ListServiceDeployments: operation(
      v.object({ ...named, createdAt: v.object({ after: v.number() }) }),
      ({ cluster, service, createdAt: { after } }) => ({
        serviceDeployments: need(`${cluster}/${service}`)
          .rollouts.filter(({ createdAt }) => seconds(createdAt) >= after)
          .map(({ createdAt, status }) => ({ createdAt: seconds(createdAt), status }))
          .reverse(),
      }),
    ),
    UpdateService: operation(
      v.object({ ...named, forceNewDeployment: v.literal(true) }),
      ({ cluster, service }) => {
        const name = `${cluster}/${service}`
        need(name)
        begin(name, 'IN_PROGRESS')
        return { service: describe(name) }
      },
    ),
  }
  return {
    service: { name: 'ecs', operations },
    serve: (name) => begin(name, 'SUCCESSFUL'),
    running: () =>
      [...services.keys()].filter((name) => need(name).rollouts.at(-1)?.status === 'IN_PROGRESS'),
    end(name, well) {
      const kept = need(name)
      const last = kept.rollouts.at(-1)
      if (last === undefined) throw new TypeError(`${name} has no deployment`)
      last.status = well ? 'SUCCESSFUL' : 'ROLLBACK_SUCCESSFUL'
      kept.primary = well
        ? { ...kept.primary, over: true }
        : { id: `ecs-svc/${random.hex(10)}`, createdAt: clock.now(), over: true }
    },
    deployments: (name) => need(name).rollouts.map(({ status }) => status),
    names: () => [...services.keys()],
    clear: () => services.clear(),
  }
}
