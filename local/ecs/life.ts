import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Container, container, type Launch } from './containers.ts'
import { satisfied } from './dependencies.ts'
import { describe, iso, taskMetadata } from './describe-task.ts'
import type { Fargate } from './fargate.ts'
import { prepare } from './launch.ts'
import { type Membership, membership } from './targets.ts'
import type { Order, Status, Task } from './task.ts'

/** How long, in real milliseconds, a task without any health check must have run to count as healthy. */
const PROOF = 300
/** What a killed program is still writing may keep a folder from being empty for a moment. */
const REMOVAL = { recursive: true, force: true, maxRetries: 10, retryDelay: 20 }
/** What is left of every stop timeout once the world closes, in real milliseconds. */
const HURRY = 2_000

/** Starts a task, which then lives by itself; `changed` hears of every change. */
export function start(fargate: Fargate, order: Order, changed: () => void): Task {
  const { world } = fargate
  const { clock } = world
  const id = world.random.hex(32)
  const arn = `arn:aws:ecs:${order.region}:${world.account}:task/${order.cluster.name}/${id}`
  const ended = Promise.withResolvers<void>()
  let pulse = Promise.withResolvers<void>()
  const beat = () => {
    const last = pulse
    pulse = Promise.withResolvers<void>()
    last.resolve()
    changed()
  }
  const announce = () => {
    task.version++
    const detail = describe(task, iso)
    const event = {
      source: 'aws.ecs',
      detailType: 'ECS Task State Change',
      resources: [arn],
      detail,
    }
    world.emit(order.region, event)
    beat()
  }
  const task: Task = {
    ...order,
    id,
    arn,
    containers: order.definition.containerDefinitions.map((definition) =>
      container(
        fargate,
        {
          definition,
          arn: `${arn.replace(':task/', ':container/')}/${world.random.uuid()}`,
          runtimeId: `${id}-${world.random.hex(10)}`,
        },
        announce,
      ),
    ),
    status: 'PROVISIONING',
    desired: 'RUNNING',
    version: 0,
    createdAt: clock.now(),
    balance: order.targets.length === 0 ? 'healthy' : 'initial',
    proved: false,
    stop(code, reason) {
      if (task.desired === 'STOPPED') return
      task.desired = 'STOPPED'
      task.stopCode = code
      task.stoppedReason = reason
      task.stoppingAt = clock.now()
      beat()
    },
    ended: ended.promise,
  }
  const become = (status: Status) => {
    task.status = status
    announce()
  }

  async function live() {
    const undo: (() => Promise<void> | void)[] = []
    const member = membership(fargate, task, beat)
    try {
      await begin(undo)
      await run(member)
    } catch (error) {
      fail(error)
    }
    await end(member)
    for (const each of undo.reverse()) await each()
    task.stoppedAt = clock.now()
    become('STOPPED')
    ended.resolve()
  }

  /** Leases the address and starts every container when what it depends on is there. */
  async function begin(undo: (() => Promise<void> | void)[]) {
    const lease = await world.lease()
    undo.push(() => lease.release())
    task.address = lease.address
    const folder = join(await fargate.folder(), id)
    undo.push(() => rm(folder, REMOVAL))
    await mkdir(folder, { mode: 0o700 })
    const addresses = fargate.metadata.open(taskMetadata(world, task))
    undo.push(() => addresses.close())
    become('PENDING')
    const launch = await prepare(fargate, task, { folder, address: lease.address, addresses })
    await Promise.all(
      task.containers.map((each) => startInTurn(each, launch(each.definition)).catch(fail)),
    )
  }
  async function startInTurn(each: Container, launch: Launch) {
    const since = clock.now()
    while (task.desired === 'RUNNING' && !satisfied(each, task.containers, clock, since, beat)) {
      await pulse.promise
    }
    if (task.desired === 'STOPPED') return
    await each.start(launch)
    if (each.definition.essential) void each.stopped.then(fall)
  }
  /** Whatever keeps a task from starting is its stopped reason, as in ECS; the world goes on. */
  const fail = (error: unknown) =>
    task.stop('TaskFailedToStart', error instanceof Error ? error.message : 'unknown error')
  const fall = () => task.stop('EssentialContainerExited', 'Essential container in task exited')

  async function run(member: Membership) {
    if (task.desired === 'RUNNING' && task.targets.length > 0) {
      become('ACTIVATING')
      await member.join()
    }
    if (task.desired === 'STOPPED') return
    task.startedAt = clock.now()
    become('RUNNING')
    const proof = setTimeout(() => {
      task.proved = true
      beat()
    }, PROOF)
    while (task.desired === 'RUNNING') await pulse.promise
    clearTimeout(proof)
  }

  /** Connections first, then the programs, dependents before what they depend on. */
  async function end(member: Membership) {
    if (member.joined) {
      become('DEACTIVATING')
      await member.leave()
    }
    become('STOPPING')
    const ending = new Map<Container, Promise<void>>()
    const stop = (each: Container): Promise<void> => {
      const begun = ending.get(each) ?? stopOne(each)
      ending.set(each, begun)
      return begun
    }
    const stopOne = async (each: Container) => {
      const { name, stopTimeout = 30 } = each.definition
      const dependents = task.containers.filter((other) =>
        other.definition.dependsOn?.some(({ containerName }) => containerName === name),
      )
      if (!fargate.closing.aborted) await Promise.all(dependents.map(stop))
      const patience = wait(fargate, stopTimeout * 1_000)
      await each.stop(patience.over)
      patience.cancel()
    }
    await Promise.all(task.containers.map(stop))
    become('DEPROVISIONING')
  }

  fargate.enter({
    ended: ended.promise,
    halt: () => task.stop('ServiceSchedulerInitiated', 'the local AWS closes'),
  })
  announce()
  void live()
  return task
}

/** Over after so many milliseconds of the clock, and soon once the world closes. */
function wait({ world, closing }: Fargate, milliseconds: number) {
  const over = Promise.withResolvers<void>()
  const hurry = () => void setTimeout(over.resolve, Math.min(milliseconds, HURRY)).unref()
  const alarm = world.clock.after(milliseconds, () => over.resolve())
  if (closing.aborted) hurry()
  else closing.addEventListener('abort', hurry, { once: true })
  return {
    over: over.promise,
    cancel() {
      alarm.cancel()
      closing.removeEventListener('abort', hurry)
    },
  }
}
