import { ECSClient } from '@aws-sdk/client-ecs'
import * as v from 'valibot'
import type { Seen } from '../../local/dispatch.ts'
import type { Images } from '../../local/ecs/images.ts'
import { ecs } from '../../local/ecs/index.ts'
import { balancers } from '../../local/elb/index.ts'
import type { Role } from '../../local/iam.ts'
import {
  AwsError,
  type Emission,
  type LogLine,
  operation,
  type Service,
} from '../../local/service.ts'
import { type Ground, open } from '../../local/world.ts'

/** What was emitted, logged or seen so far, and what is to come. */
export interface Stream<T> {
  readonly all: readonly T[]
  /** The first one, past or future, for which `wanted` holds. */
  first(wanted: (item: T) => boolean): Promise<T>
}

export interface Fargate {
  readonly world: Ground
  readonly client: ECSClient
  readonly events: Stream<Emission>
  readonly logs: Stream<LogLine>
  readonly seen: Stream<Seen>
  /** Values that GetSecretValue answers, by secret ARN; anything else is not found. */
  readonly secrets: Map<string, string>
  close(): Promise<void>
}

/** A world of ECS, load balancers and the one operation of Secrets Manager that ECS calls. */
export async function fargate(
  images: Images,
  options: { readonly flow?: boolean; readonly roles?: readonly Omit<Role, 'arn'>[] } = {},
): Promise<Fargate> {
  const events = stream<Emission>()
  const logs = stream<LogLine>()
  const seen = stream<Seen>()
  const secrets = new Map<string, string>()
  const world = await open({ clock: { flow: options.flow ?? false } }, (ground) => ({
    services: [balancers(ground), ecs(ground, { images, iam: ground.iam }), vault(secrets)],
    emit: (_region, event) => events.push(event),
    log: logs.push,
    seen: seen.push,
  }))
  for (const role of options.roles ?? []) world.iam.putRole(role)
  const { accessKeyId, secretAccessKey, sessionToken } = world.iam.administrator
  const client = new ECSClient({
    endpoint: world.url,
    region: 'us-east-1',
    credentials: { accessKeyId, secretAccessKey, sessionToken },
  })
  const close = async () => {
    client.destroy()
    await world.close()
  }
  return { world, client, events, logs, seen, secrets, close }
}

function vault(secrets: ReadonlyMap<string, string>): Service {
  const wanted = v.object({
    SecretId: v.string(),
    VersionStage: v.optional(v.string(), 'AWSCURRENT'),
    VersionId: v.optional(v.string()),
  })
  return {
    name: 'secretsmanager',
    subject: (_operation, { SecretId }) => ({ arn: String(SecretId) }),
    operations: {
      GetSecretValue: operation(wanted, ({ SecretId, VersionStage, VersionId }) => {
        const SecretString = secrets.get(`${SecretId} ${VersionId ?? VersionStage}`)
        if (SecretString === undefined) {
          throw new AwsError(
            'ResourceNotFoundException',
            "Secrets Manager can't find the specified secret.",
          )
        }
        return { SecretString }
      }),
    },
  }
}

function stream<T>(): Stream<T> & { push(item: T): void } {
  const all: T[] = []
  const waiting = new Set<(item: T) => void>()
  return {
    all,
    push(item) {
      all.push(item)
      for (const hear of waiting) hear(item)
    },
    first(wanted) {
      const past = all.find(wanted)
      if (past !== undefined) return Promise.resolve(past)
      return new Promise((resolve) => {
        const hear = (item: T) => {
          if (!wanted(item)) return
          waiting.delete(hear)
          resolve(item)
        }
        waiting.add(hear)
      })
    },
  }
}

/** An HTTP server on port 8080 of its task that answers `$ANSWER`, finishes what it began on SIGTERM, then exits. */
export const WEB = `
const server = require('node:http').createServer((request, response) => {
  response.setHeader('pid', process.pid)
  setTimeout(() => response.end(process.env.ANSWER), 5)
})
server.listen(8080, process.env.ADDRESS)
process.on('SIGTERM', () => server.close(() => process.exit(0)))`

/** Images by what they do; a task definition can override each command. */
export const images: Images = {
  web: ({ address }) => ({
    entryPoint: [process.execPath, '-e'],
    command: [WEB],
    environment: { ADDRESS: address, ANSWER: address },
  }),
  node: ({ address }) => ({
    entryPoint: [process.execPath, '-e'],
    environment: { ADDRESS: address },
    directory: process.cwd(),
  }),
}

/** A load balancer with one listener on port 80 of a loopback address and one target group. */
export async function balanced(world: Ground, name = 'web') {
  const as = { region: 'us-east-1' }
  const call = (operation: string, input: Readonly<Record<string, unknown>>) =>
    world.call('elasticloadbalancing', operation, input, as)
  const { LoadBalancers: [balancer = { LoadBalancerArn: '', DNSName: '' }] = [] } = v.parse(
    v.object({
      LoadBalancers: v.array(v.object({ LoadBalancerArn: v.string(), DNSName: v.string() })),
    }),
    await call('CreateLoadBalancer', { Name: name, Type: 'network' }),
  )
  const { TargetGroups: [group = { TargetGroupArn: '' }] = [] } = v.parse(
    v.object({ TargetGroups: v.array(v.object({ TargetGroupArn: v.string() })) }),
    await call('CreateTargetGroup', { Name: name, Port: 8080, Protocol: 'TCP' }),
  )
  const { LoadBalancerArn, DNSName } = balancer
  const { TargetGroupArn } = group
  const DefaultActions = [{ Type: 'forward', TargetGroupArn }]
  await call('CreateListener', { LoadBalancerArn, Port: 8000, Protocol: 'TCP', DefaultActions })
  return { LoadBalancerArn, TargetGroupArn, address: DNSName, url: `http://${DNSName}:8000/`, call }
}
