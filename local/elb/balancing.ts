import * as v from 'valibot'
import { AwsError, type Lease } from '../service.ts'
import type { Backend, Forwarder } from './forwarder.ts'
import type { Group } from './target-group.ts'

/** A load balancer. */
export interface Balancer {
  readonly arn: string
  readonly name: string
  readonly kind: 'application' | 'network'
  readonly scheme: string
  readonly createdAt: number
  readonly lease: Lease
}

/** A port of a load balancer, and the target group that its connections go to. */
export interface Listener {
  readonly arn: string
  readonly balancer: string
  group: string
  port: number
  protocol: string
  /** The targets that may get a connection. */
  readonly backends: () => readonly Backend[]
  forwarder: Forwarder
}

/** What one region has, each by ARN. */
export interface Region {
  readonly balancers: Map<string, Balancer>
  readonly groups: Map<string, Group>
  readonly listeners: Map<string, Listener>
}

/** A number; awsQuery brings it as text. */
export const whole = v.union([
  v.pipe(v.number(), v.integer()),
  v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number)),
])
/** A TCP port. */
export const port = v.pipe(whole, v.minValue(1), v.maxValue(65_535))
/** A name of a load balancer or target group. */
export const name = v.pipe(v.string(), v.regex(/^(?!-)[A-Za-z0-9-]{1,32}(?<!-)$/))
/** Targets by IP address. */
export const targets = v.array(v.object({ Id: v.string(), Port: v.optional(port) }))
/** ARNs or names to choose by. */
export const arns = v.optional(v.array(v.string()))
/** The error of a kind of thing that is not there, and what AWS calls such things. */
export const LOAD_BALANCER = ['LoadBalancerNotFound', 'Load balancers'] as const
export const TARGET_GROUP = ['TargetGroupNotFound', 'Target groups'] as const
export const LISTENER = ['ListenerNotFound', 'Listeners'] as const

/** @throws AwsError with the code for that kind */
export function need<T>(
  all: ReadonlyMap<string, T>,
  arn: string,
  [code, what]: readonly [string, string],
): T {
  const found = all.get(arn)
  if (found === undefined) throw new AwsError(code, `${what} '[${arn}]' not found`)
  return found
}
