import type { World } from '../service.ts'
import type { Definition } from './definitions.ts'
import type { Deployment, Fleet, Rollout, ServiceDeployment } from './deployment.ts'

/** What is kept and told of the deployments of one service: the controller decides, this writes it down. */
export function deployments(world: World, fleet: Fleet) {
  const { clock, random } = world
  const digits = (length: number) =>
    Array.from({ length }, () => Math.floor(random.next() * 10)).join('')

  function begin(
    definition: Definition,
    record: ServiceDeployment,
    reason?: string,
    rollsBackTo?: string,
  ) {
    const id = `ecs-svc/${digits(19)}`
    const made: Deployment = {
      id,
      revisionArn: record.targetRevisionArn,
      definition,
      createdAt: clock.now(),
      updatedAt: clock.now(),
      rollout: 'IN_PROGRESS',
      reason: reason ?? `ECS deployment ${id} in progress.`,
      failed: 0,
      failures: 0,
      tasks: new Set(),
      paused: false,
      record,
      ...(rollsBackTo !== undefined && { rollsBackTo }),
    }
    fleet.deployments = [made, ...fleet.deployments]
    announce(made, 'INFO', 'SERVICE_DEPLOYMENT_IN_PROGRESS', made.reason)
    return made
  }
  function open(): ServiceDeployment {
    const over = Promise.withResolvers<void>()
    const arn = (kind: string) =>
      `arn:aws:ecs:${fleet.region}:${world.account}:${kind}/${fleet.cluster.name}/${fleet.name}/${digits(19)}`
    const [source] = fleet.deployments
    const made: ServiceDeployment = {
      arn: arn('service-deployment'),
      createdAt: clock.now(),
      targetRevisionArn: arn('service-revision'),
      status: 'IN_PROGRESS',
      over: over.resolve,
      ...(source !== undefined && { sourceRevisionArn: source.revisionArn }),
    }
    fleet.records.unshift(made)
    clock.hold(over.promise)
    return made
  }
  function conclude(
    record: ServiceDeployment,
    status: ServiceDeployment['status'],
    reason?: string,
  ) {
    record.status = status
    record.finishedAt = clock.now()
    if (reason !== undefined) record.reason = reason
    record.over()
  }
  function finish(deployment: Deployment, rollout: Rollout, reason: string) {
    deployment.rollout = rollout
    deployment.reason = reason
    deployment.updatedAt = clock.now()
  }
  function note(message: string) {
    const text = `(service ${fleet.name}) ${message}`
    fleet.events.unshift({ id: random.uuid(), createdAt: clock.now(), message: text })
    fleet.events.splice(100)
  }
  function announce({ id }: Deployment, eventType: string, eventName: string, reason: string) {
    const updatedAt = new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z')
    world.emit(fleet.region, {
      source: 'aws.ecs',
      detailType: 'ECS Deployment State Change',
      resources: [fleet.arn],
      detail: { eventType, eventName, deploymentId: id, updatedAt, reason },
    })
  }

  return { begin, open, finish, conclude, note, announce }
}
