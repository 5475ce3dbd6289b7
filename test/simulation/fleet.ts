import { RelayError } from '../../pki/error.ts'
import type { Deployment, Running } from '../../pki/rollout.ts'
import type { World } from './world.ts'

const MINUTE = 60_000
/** The slowest deployments run for so long: for longer than they are given. */
const SLOWEST = 15 * 60 * MINUTE
/** Deployments that ECS remembers here: the newest decide. */
const REMEMBERED = 12

/** Which version of each secret a set of tasks has read, by secret. */
export type Tasks = ReadonlyMap<string, string>

interface Rollout {
  readonly began: number
  state: Deployment['state']
  /** Nobody sees it before, epoch milliseconds. */
  readonly seen: number
  /** What its tasks have read, once they have started. */
  tasks: Tasks | undefined
}

/** A service of ECS. */
export interface Service {
  readonly name: string
  /** Secrets that its tasks read when they start. */
  readonly secrets: string[]
  readonly breaker: boolean
  state: 'active' | 'idle'
  /** The newest first. */
  rollouts: readonly Rollout[]
  /** What the tasks have that serve now. */
  tasks: Tasks
  /** Its deployments fail until then. */
  sick: number
  /** A slow deployment goes on until then. */
  slow: number
}

/** ECS: deployments take time, fail while a service is sick, and tell how they ended; without a circuit breaker they hang. */
export interface Ecs {
  readonly services: ReadonlyMap<string, Service>
  add(name: string, breaker: boolean): Service
  look(names: readonly string[], since: number): readonly Running[]
  roll(name: string): string
  /** Starts and stops a service, as people do. */
  turn(service: Service, state: Service['state']): void
  /** Every set of tasks that runs. */
  running(service: Service): readonly Tasks[]
}

export function ecs(
  world: World,
  read: (secret: string) => string,
  tell: (service: string) => void,
): Ecs {
  const { loop, dice } = world
  const services = new Map<string, Service>()
  const start = ({ secrets }: Service): Tasks => new Map(secrets.map((one) => [one, read(one)]))
  let ids = 0

  function begin(service: Service): void {
    const { weather } = world
    const began = loop.now()
    // what is sick does not get worse by being tried again: otherwise tries alone would keep it so for years
    if (began >= service.sick && dice.chance(weather.sick))
      service.sick = began + dice.stretch(2 * MINUTE, weather.sickness)
    for (const one of service.rollouts) if (one.state === 'running') one.state = 'failed' // stopped
    const lag = dice.chance(weather.stale) ? dice.between(0, 4_000) : 0
    const rollout: Rollout = { began, state: 'running', seen: began + lag, tasks: undefined }
    service.rollouts = [rollout, ...service.rollouts].slice(0, REMEMBERED)
    loop.after(dice.between(5_000, MINUTE), () => {
      if (rollout.state === 'running') rollout.tasks = start(service)
    })
    const slow = service.breaker && dice.chance(weather.slow)
    const last = slow ? dice.stretch(20 * MINUTE, SLOWEST) : dice.between(MINUTE, 8 * MINUTE)
    if (slow) service.slow = Math.max(service.slow, began + last)
    loop.after(last, () => end(service, rollout))
  }

  function end(service: Service, rollout: Rollout): void {
    if (rollout.state !== 'running') return
    const now = loop.now()
    if (now >= service.sick) {
      rollout.state = 'completed'
      service.tasks = rollout.tasks ?? service.tasks
      tell(service.name)
    } else if (service.breaker) {
      rollout.state = 'failed'
      // ECS goes back to the old revision, whose tasks may have to start again
      if (dice.chance(0.5)) service.tasks = start(service)
      tell(service.name)
    } else {
      // its tasks start again and again
      rollout.tasks = start(service)
      loop.at(Math.min(service.sick, now + 10 * MINUTE), () => end(service, rollout))
    }
  }

  return {
    services,
    add(name, breaker) {
      const service: Service = {
        name,
        secrets: [],
        breaker,
        state: 'active',
        rollouts: [],
        tasks: new Map(),
        sick: 0,
        slow: 0,
      }
      services.set(name, service)
      return service
    },
    look(names, since) {
      return names.map((name) => {
        const service = services.get(name)
        if (service === undefined) return { name, state: 'gone', deployments: [] }
        if (service.state !== 'active') return { name, state: service.state, deployments: [] }
        const known = service.rollouts.filter(
          ({ began, seen }) => began >= since && seen <= loop.now(),
        )
        const { breaker } = service
        return { name, state: 'active', breaker, deployments: known.map(plain) }
      })
    },
    roll(name) {
      const service = services.get(name)
      if (service === undefined) throw new RelayError('ROLLOUT_BUSY', `${name} is gone`)
      if (service.state === 'active') begin(service)
      return `ecs-svc/${++ids}`
    },
    turn(service, state) {
      service.state = state
      if (state === 'idle') service.tasks = new Map()
      else service.tasks = start(service)
    },
    running({ tasks, rollouts }) {
      const own = rollouts.flatMap((one) =>
        one.state === 'running' && one.tasks !== undefined ? [one.tasks] : [],
      )
      return [tasks, ...own]
    },
  }
}

function plain({ began, state }: Rollout): Deployment {
  return { began, state }
}
