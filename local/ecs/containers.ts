import { idle } from '../idle.ts'
import type { World } from '../service.ts'
import type { ContainerDefinition, HealthCheck } from './definitions.ts'
import { StartError } from './images.ts'
import type { Plan, Processes, Running } from './processes.ts'

/** One container of a task, as DescribeTasks shows it. */
export interface Container {
  readonly definition: ContainerDefinition
  readonly arn: string
  /** 32 hex digits and ten digits, as Fargate forms it. */
  readonly runtimeId: string
  status: 'PENDING' | 'RUNNING' | 'STOPPED'
  health: 'UNKNOWN' | 'HEALTHY' | 'UNHEALTHY'
  exitCode?: number
  reason?: string
  startedAt?: number
  finishedAt?: number
  /** Process id while it runs. */
  pid?: number
  /** Starts the program and its health checks. @throws StartError */
  start(launch: Launch): Promise<void>
  /** SIGTERM, then SIGKILL to the whole group when `patience` is over. */
  stop(patience: Promise<void>): Promise<void>
  /** Resolves when the container has stopped. */
  readonly stopped: Promise<void>
}

export interface Launch {
  readonly plan: Plan
  /** Command line of the health check, `CMD` or `CMD-SHELL` already taken off. */
  readonly probe?: readonly string[]
}

/** A container that is to be started; `changed` hears of each change of status or health. */
export function container(
  machine: { readonly world: World; readonly processes: Processes },
  identity: Pick<Container, 'definition' | 'arn' | 'runtimeId'>,
  changed: () => void,
): Container {
  const { world, processes } = machine
  const { clock } = world
  const end = Promise.withResolvers<void>()
  let running: Running | undefined
  let asking: Running | undefined
  const self: Container = {
    ...identity,
    status: 'PENDING',
    health: 'UNKNOWN',
    stopped: end.promise,
    async start(launch) {
      const started = await processes.run(launch.plan, log).catch((error: unknown) => {
        self.reason = `CannotStartContainerError: Error response from daemon: failed to create task for container: ${error instanceof Error ? error.message : 'unknown error'}`
        finish()
        throw new StartError(self.reason, { cause: error })
      })
      running = started
      self.pid = started.pid
      self.status = 'RUNNING'
      self.startedAt = clock.now()
      void started.exited.then((code) => {
        self.exitCode = code
        finish()
      })
      const { healthCheck } = self.definition
      if (launch.probe !== undefined && healthCheck !== undefined) {
        void watch(healthCheck, { ...launch.plan, ...split(launch.probe) })
      }
      changed()
    },
    async stop(patience) {
      if (running === undefined) return finish()
      running.signal('SIGTERM')
      await Promise.race([end.promise, patience])
      running.signal('SIGKILL')
      await end.promise
    },
  }
  const log = logger(world, identity)
  const finish = () => {
    if (self.status === 'STOPPED') return
    self.status = 'STOPPED'
    self.finishedAt = clock.now()
    delete self.pid
    asking?.signal('SIGKILL')
    end.resolve()
    changed()
  }
  const judge = (health: Container['health']) => {
    if (self.health === health || self.status !== 'RUNNING') return
    self.health = health
    changed()
  }

  /** Until it is first healthy a container is asked every 200 ms of real time, so that a start is quick. */
  async function watch(check: HealthCheck, plan: Plan) {
    const { interval, retries, startPeriod = 0 } = check
    const judged = clock.now() + (startPeriod + interval * retries) * 1_000
    let failures = 0
    while (self.status === 'RUNNING') {
      const healthy = await ask(plan, check.timeout * 1_000)
      if (healthy) failures = 0
      else if (clock.now() >= judged) failures++
      if (healthy) judge('HEALTHY')
      else if (failures >= retries) judge('UNHEALTHY')
      await Promise.race([
        end.promise,
        new Promise<void>((resolve) => {
          if (self.health === 'UNKNOWN') setTimeout(resolve, 200).unref()
          else idle(clock, interval * 1_000, resolve)
        }),
      ])
    }
  }
  async function ask(plan: Plan, timeout: number): Promise<boolean> {
    try {
      const probe = await processes.run(plan, () => {})
      const late = setTimeout(() => probe.signal('SIGKILL'), timeout)
      asking = probe
      if (self.status !== 'RUNNING') probe.signal('SIGKILL')
      const code = await probe.exited
      clearTimeout(late)
      return code === 0
    } catch {
      return false // a check that cannot be run fails, as in Docker
    }
  }
  return self
}

function split([file = '', ...args]: readonly string[]) {
  return { file, args }
}

/** awslogs: stream `PREFIX/CONTAINER/TASKID`; without a log configuration lines are dropped. */
function logger(world: World, { definition, arn }: Pick<Container, 'definition' | 'arn'>) {
  const { logDriver, options = {} } = definition.logConfiguration ?? {}
  const group = options['awslogs-group']
  if (logDriver !== 'awslogs' || group === undefined) return () => {}
  const [, , , home = ''] = arn.split(':')
  const region = options['awslogs-region'] ?? home
  const [task = ''] = arn.split('/').slice(-2)
  const prefix = options['awslogs-stream-prefix']
  const stream =
    prefix === undefined ? `${definition.name}/${task}` : `${prefix}/${definition.name}/${task}`
  return (line: string) => world.log(region, group, stream, line)
}
