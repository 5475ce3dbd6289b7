import { seconds, type World } from '../service.ts'
import type { Container } from './containers.ts'
import type { Subject } from './metadata.ts'
import { type Task, taskHealth } from './task.ts'

/** How a moment is written: epoch seconds in API answers, ISO 8601 in events and metadata. */
export type Time = (milliseconds: number) => number | string

export const iso: Time = (milliseconds) => new Date(milliseconds).toISOString()

/** A task as DescribeTasks answers it, and, with `iso`, as ECS Task State Change shows it. */
export function describe(task: Task, time: Time = seconds): Record<string, unknown> {
  const { arn, cluster, definition, region, address, overrides } = task
  const attachment = `${task.id.slice(0, 8)}-eni`
  return {
    taskArn: arn,
    clusterArn: cluster.arn,
    taskDefinitionArn: definition.arn,
    group: task.group,
    startedBy: task.startedBy,
    lastStatus: task.status,
    desiredStatus: task.desired,
    healthStatus: taskHealth(task),
    launchType: 'FARGATE',
    platformVersion: '1.4.0',
    availabilityZone: `${region}a`,
    connectivity: 'CONNECTED',
    cpu: definition.cpu,
    memory: definition.memory,
    version: task.version,
    stopCode: task.stopCode,
    stoppedReason: task.stoppedReason,
    ...moments(task, time),
    attachments:
      address === undefined
        ? []
        : [
            {
              id: attachment,
              type: 'ElasticNetworkInterface',
              status: task.status === 'STOPPED' ? 'DELETED' : 'ATTACHED',
              details: [{ name: 'privateIPv4Address', value: address }],
            },
          ],
    containers: task.containers.map((each) => describeContainer(each, task, attachment)),
    overrides: { containerOverrides: overrides.map(({ name }) => ({ name })) },
  }
}

function moments(task: Task, time: Time) {
  const { createdAt, startedAt, stoppingAt, stoppedAt } = task
  const known = { createdAt, startedAt, stoppingAt, stoppedAt }
  return Object.fromEntries(
    Object.entries(known).flatMap(([name, at]) => (at === undefined ? [] : [[name, time(at)]])),
  )
}

function describeContainer(container: Container, task: Task, attachmentId: string) {
  const { definition, arn, runtimeId, status, health, exitCode, reason } = container
  return {
    containerArn: arn,
    taskArn: task.arn,
    name: definition.name,
    image: definition.image,
    runtimeId,
    lastStatus: status,
    healthStatus: health,
    exitCode,
    reason,
    cpu: String(definition.cpu),
    networkInterfaces:
      task.address === undefined ? [] : [{ attachmentId, privateIpv4Address: task.address }],
  }
}

/** Task metadata endpoint version 4, as Fargate answers it. */
export function taskMetadata(world: World, task: Task): Subject {
  const depict = (container: Container) => containerMetadata(world, task, container)
  const { definition, cluster } = task
  return {
    id: task.id,
    role: definition.taskRoleArn,
    container(name) {
      const found = task.containers.find((each) => each.definition.name === name)
      return found === undefined ? {} : depict(found)
    },
    task: () => ({
      Cluster: cluster.arn,
      TaskARN: task.arn,
      Family: definition.family,
      Revision: String(definition.revision),
      DesiredStatus: task.desired,
      KnownStatus: task.status,
      Limits: {
        CPU: Number(definition.cpu ?? 256) / 1_024,
        Memory: Number(definition.memory ?? 512),
      },
      PullStartedAt: iso(task.createdAt),
      PullStoppedAt: iso(task.createdAt),
      AvailabilityZone: `${task.region}a`,
      LaunchType: 'FARGATE',
      ...(task.service !== undefined && { ServiceName: task.service }),
      Containers: task.containers.map(depict),
    }),
  }
}

function containerMetadata(world: World, task: Task, container: Container) {
  const { definition, runtimeId, startedAt, exitCode } = container
  const { options = {}, logDriver } = definition.logConfiguration ?? {}
  return {
    DockerId: runtimeId,
    Name: definition.name,
    DockerName: definition.name,
    Image: definition.image,
    ImageID: '',
    Labels: {
      'com.amazonaws.ecs.cluster': task.cluster.arn,
      'com.amazonaws.ecs.container-name': definition.name,
      'com.amazonaws.ecs.task-arn': task.arn,
      'com.amazonaws.ecs.task-definition-family': task.definition.family,
      'com.amazonaws.ecs.task-definition-version': String(task.definition.revision),
    },
    DesiredStatus: task.desired,
    KnownStatus: container.status,
    ...(exitCode !== undefined && { ExitCode: exitCode }),
    Limits: { CPU: definition.cpu },
    CreatedAt: iso(task.createdAt),
    ...(startedAt !== undefined && { StartedAt: iso(startedAt) }),
    Type: 'NORMAL',
    ...(definition.healthCheck !== undefined && {
      Health: { status: container.health, statusSince: iso(startedAt ?? world.clock.now()) },
    }),
    ...(logDriver !== undefined && { LogDriver: logDriver, LogOptions: options }),
    ContainerARN: container.arn,
    Networks: [
      {
        NetworkMode: 'awsvpc',
        IPv4Addresses: task.address === undefined ? [] : [task.address],
        AttachmentIndex: 0,
        IPv4SubnetCIDRBlock: '127.0.0.0/8',
        DomainNameServers: [],
        PrivateDNSName: 'localhost',
        SubnetGatewayIpv4Address: '127.0.0.1/8',
      },
    ],
  }
}
