import * as v from 'valibot'
import { type Forwarder, forward } from './forwarder.ts'
import { type Group, group } from './group.ts'
import { AwsError, type Call, type Lease, operation, type Service, type World } from './service.ts'

interface Balancer {
  readonly arn: string
  readonly name: string
  readonly kind: 'application' | 'network'
  readonly scheme: string
  readonly createdAt: number
  readonly lease: Lease
}

interface Listener {
  readonly arn: string
  readonly balancer: string
  readonly group: string
  readonly port: number
  readonly protocol: string
  readonly forwarder: Forwarder
}

interface Region {
  readonly balancers: Map<string, Balancer>
  readonly groups: Map<string, Group>
  readonly listeners: Map<string, Listener>
}

/** awsQuery brings numbers as text. */
const whole = v.union([
  v.pipe(v.number(), v.integer()),
  v.pipe(v.string(), v.regex(/^\d+$/), v.transform(Number)),
])
const port = v.pipe(whole, v.minValue(1), v.maxValue(65_535))
const name = v.pipe(v.string(), v.regex(/^(?!-)[A-Za-z0-9-]{1,32}(?<!-)$/))
const targets = v.array(v.object({ Id: v.string(), Port: v.optional(port) }))
const arns = v.optional(v.array(v.string()))
const action = v.object({
  Type: v.optional(v.string()),
  TargetGroupArn: v.optional(v.string()),
  ForwardConfig: v.optional(
    v.object({ TargetGroups: v.array(v.object({ TargetGroupArn: v.string() })) }),
  ),
})

/**
 * Elastic Load Balancing v2 with network load balancers only: every listener forwards TCP connections, whatever
 * protocol it names. A load balancer's DNS name is its loopback address. One accepted probe makes a target healthy.
 */
export function balancers(world: World): Service {
  const regions = new Map<string, Region>()
  const at = ({ region }: Pick<Call, 'region'>): Region => {
    const known = regions.get(region) ?? {
      balancers: new Map(),
      groups: new Map(),
      listeners: new Map(),
    }
    regions.set(region, known)
    return known
  }
  const arn = (region: string, rest: string) =>
    `arn:aws:elasticloadbalancing:${region}:${world.account}:${rest}`

  world.onClose(async () => {
    for (const { balancers: all, groups, listeners } of regions.values()) {
      for (const { forwarder } of listeners.values()) await forwarder.close()
      for (const each of groups.values()) each.close()
      for (const { lease } of all.values()) await lease.release()
    }
    regions.clear()
  })

  const loadBalancers = {
    CreateLoadBalancer: operation(
      v.object({
        Name: name,
        Type: v.optional(v.picklist(['application', 'network']), 'application'),
        Scheme: v.optional(v.string(), 'internet-facing'),
      }),
      async ({ Name, Type, Scheme }, { region }) => {
        const { balancers: all } = at({ region })
        if ([...all.values()].some((each) => each.name === Name)) {
          throw new AwsError(
            'DuplicateLoadBalancerName',
            `A load balancer with the same name '${Name}' exists, but with different settings`,
          )
        }
        const family = Type === 'network' ? 'net' : 'app'
        const made: Balancer = {
          arn: arn(region, `loadbalancer/${family}/${Name}/${world.random.hex(16)}`),
          name: Name,
          kind: Type,
          scheme: Scheme,
          createdAt: world.clock.now(),
          lease: await world.lease(),
        }
        all.set(made.arn, made)
        return { LoadBalancers: [describeBalancer(made)] }
      },
    ),
    DescribeLoadBalancers: operation(
      v.object({ LoadBalancerArns: arns, Names: arns }),
      ({ LoadBalancerArns, Names }, call) => {
        const all = [...at(call).balancers.values()]
        const found = LoadBalancerArns
          ? LoadBalancerArns.map((each) => need(at(call).balancers, each, LOAD_BALANCER))
          : all.filter((each) => Names === undefined || Names.includes(each.name))
        return { LoadBalancers: found.map(describeBalancer) }
      },
    ),
    DeleteLoadBalancer: operation(
      v.object({ LoadBalancerArn: v.string() }),
      async ({ LoadBalancerArn }, call) => {
        const { balancers: all, listeners } = at(call)
        const found = all.get(LoadBalancerArn)
        if (found === undefined) return {} // AWS: "if it does not exist, the call succeeds"
        all.delete(LoadBalancerArn)
        for (const each of [...listeners.values()]) {
          if (each.balancer !== LoadBalancerArn) continue
          listeners.delete(each.arn)
          await each.forwarder.close()
        }
        await found.lease.release()
        return {}
      },
    ),
  }

  const targetGroups = {
    CreateTargetGroup: operation(
      v.object({
        Name: name,
        Protocol: v.optional(v.string(), 'TCP'),
        Port: v.optional(port, 80),
        HealthCheckIntervalSeconds: v.optional(v.pipe(whole, v.minValue(5), v.maxValue(300)), 30),
        UnhealthyThresholdCount: v.optional(v.pipe(whole, v.minValue(2), v.maxValue(10)), 2),
      }),
      (input, { region }) => {
        const { groups } = at({ region })
        if ([...groups.values()].some((each) => each.name === input.Name)) {
          throw new AwsError(
            'DuplicateTargetGroupName',
            `A target group with the same name '${input.Name}' exists, but with different settings`,
          )
        }
        const made = group(world, {
          arn: arn(region, `targetgroup/${input.Name}/${world.random.hex(16)}`),
          name: input.Name,
          protocol: input.Protocol,
          port: input.Port,
          interval: input.HealthCheckIntervalSeconds,
          unhealthyThreshold: input.UnhealthyThresholdCount,
        })
        groups.set(made.arn, made)
        return { TargetGroups: [describeGroup(at({ region }), made)] }
      },
    ),
    DescribeTargetGroups: operation(
      v.object({ TargetGroupArns: arns, Names: arns }),
      ({ TargetGroupArns, Names }, call) => {
        const { groups } = at(call)
        const found = TargetGroupArns
          ? TargetGroupArns.map((each) => need(groups, each, TARGET_GROUP))
          : [...groups.values()].filter((each) => Names === undefined || Names.includes(each.name))
        return { TargetGroups: found.map((each) => describeGroup(at(call), each)) }
      },
    ),
    ModifyTargetGroupAttributes: operation(
      v.object({
        TargetGroupArn: v.string(),
        Attributes: v.array(v.object({ Key: v.string(), Value: v.string() })),
      }),
      ({ TargetGroupArn, Attributes }, call) => {
        const { attributes } = need(at(call).groups, TargetGroupArn, TARGET_GROUP)
        for (const { Key, Value } of Attributes) {
          if (Key === 'deregistration_delay.timeout_seconds' && !/^\d{1,4}$/.test(Value)) {
            throw new AwsError(
              'ValidationError',
              `Target group attribute '${Key}' must be an integer between 0 and 3600, inclusive`,
            )
          }
          attributes.set(Key, Value)
        }
        return { Attributes: [...attributes].map(([Key, Value]) => ({ Key, Value })) }
      },
    ),
    DeleteTargetGroup: operation(
      v.object({ TargetGroupArn: v.string() }),
      ({ TargetGroupArn }, call) => {
        const { groups, listeners } = at(call)
        if ([...listeners.values()].some((each) => each.group === TargetGroupArn)) {
          throw new AwsError(
            'ResourceInUse',
            `Target group '${TargetGroupArn}' is currently in use by a listener or a rule`,
          )
        }
        groups.get(TargetGroupArn)?.close()
        groups.delete(TargetGroupArn)
        return {}
      },
    ),
  }

  const listening = {
    CreateListener: operation(
      v.object({
        LoadBalancerArn: v.string(),
        Port: port,
        Protocol: v.optional(v.string(), 'TCP'),
        DefaultActions: v.pipe(v.array(action), v.minLength(1)),
      }),
      async ({ LoadBalancerArn, Port, Protocol, DefaultActions }, call) => {
        const { balancers: all, groups, listeners } = at(call)
        const balancer = need(all, LoadBalancerArn, LOAD_BALANCER)
        const target = need(groups, forwardedTo(DefaultActions), TARGET_GROUP)
        if (
          [...listeners.values()].some((l) => l.balancer === LoadBalancerArn && l.port === Port)
        ) {
          throw new AwsError(
            'DuplicateListener',
            `A listener already exists on this port for this load balancer '${LoadBalancerArn}'`,
          )
        }
        const { address } = balancer.lease
        const forwarder = await forward(address, Port, target.candidates).catch(
          (error: unknown) => {
            const why = error instanceof Error ? error.message : 'unknown error'
            throw new AwsError('InvalidConfigurationRequest', `this machine refuses: ${why}`)
          },
        )
        const path = LoadBalancerArn.split(':loadbalancer/')[1] ?? ''
        const made: Listener = {
          arn: arn(call.region, `listener/${path}/${world.random.hex(16)}`),
          balancer: LoadBalancerArn,
          group: target.arn,
          port: Port,
          protocol: Protocol,
          forwarder,
        }
        listeners.set(made.arn, made)
        return { Listeners: [describeListener(made)] }
      },
    ),
    DescribeListeners: operation(
      v.object({ LoadBalancerArn: v.optional(v.string()), ListenerArns: arns }),
      ({ LoadBalancerArn, ListenerArns }, call) => {
        const { listeners } = at(call)
        const found = ListenerArns
          ? ListenerArns.map((each) => need(listeners, each, LISTENER))
          : [...listeners.values()].filter((each) => each.balancer === LoadBalancerArn)
        return { Listeners: found.map(describeListener) }
      },
    ),
    DeleteListener: operation(v.object({ ListenerArn: v.string() }), async (input, call) => {
      const { listeners } = at(call)
      const found = need(listeners, input.ListenerArn, LISTENER)
      listeners.delete(found.arn)
      await found.forwarder.close()
      return {}
    }),
  }

  const registration = {
    RegisterTargets: operation(
      v.object({ TargetGroupArn: v.string(), Targets: targets }),
      ({ TargetGroupArn, Targets }, call) => {
        const found = need(at(call).groups, TargetGroupArn, TARGET_GROUP)
        for (const { Id, Port = found.port } of Targets) found.register(Id, Port)
        return {}
      },
    ),
    DeregisterTargets: operation(
      v.object({ TargetGroupArn: v.string(), Targets: targets }),
      ({ TargetGroupArn, Targets }, call) => {
        const found = need(at(call).groups, TargetGroupArn, TARGET_GROUP)
        for (const { Id, Port = found.port } of Targets) found.deregister(Id, Port)
        return {}
      },
    ),
    DescribeTargetHealth: operation(
      v.object({ TargetGroupArn: v.string(), Targets: v.optional(targets) }),
      ({ TargetGroupArn, Targets }, call) => {
        const { groups, listeners } = at(call)
        const found = need(groups, TargetGroupArn, TARGET_GROUP)
        const used = [...listeners.values()].some((each) => each.group === TargetGroupArn)
        const wanted = Targets?.map(({ Id, Port = found.port }) => ({ id: Id, port: Port }))
        const states = found.health(used, wanted)
        return {
          TargetHealthDescriptions: states.map(
            ({ id, port: Port, state, reason, description }) => ({
              Target: { Id: id, Port },
              HealthCheckPort: String(Port),
              TargetHealth: { State: state, Reason: reason, Description: description },
            }),
          ),
        }
      },
    ),
  }

  return {
    name: 'elasticloadbalancing',
    operations: { ...loadBalancers, ...targetGroups, ...listening, ...registration },
    subject(_operation, input) {
      const { TargetGroupArn, LoadBalancerArn, ListenerArn } = input
      const named = [ListenerArn, LoadBalancerArn, TargetGroupArn].find(
        (each) => typeof each === 'string',
      )
      return { arn: typeof named === 'string' ? named : '*' }
    },
  }
}

function forwardedTo(actions: readonly v.InferOutput<typeof action>[]): string {
  const [{ TargetGroupArn, ForwardConfig } = {}] = actions
  return TargetGroupArn ?? ForwardConfig?.TargetGroups[0]?.TargetGroupArn ?? ''
}

const LOAD_BALANCER = ['LoadBalancerNotFound', 'Load balancers'] as const
const TARGET_GROUP = ['TargetGroupNotFound', 'Target groups'] as const
const LISTENER = ['ListenerNotFound', 'Listeners'] as const

function need<T>(
  all: ReadonlyMap<string, T>,
  arn: string,
  [code, what]: readonly [string, string],
): T {
  const found = all.get(arn)
  if (found === undefined) throw new AwsError(code, `${what} '[${arn}]' not found`)
  return found
}

function describeBalancer({ arn, name, kind, scheme, createdAt, lease }: Balancer) {
  return {
    LoadBalancerArn: arn,
    LoadBalancerName: name,
    DNSName: lease.address,
    CanonicalHostedZoneId: 'Z00000000000000000000',
    CreatedTime: new Date(createdAt),
    Scheme: scheme,
    Type: kind,
    State: { Code: 'active' },
    IpAddressType: 'ipv4',
  }
}

function describeGroup({ listeners }: Region, group: Group) {
  const users = [...listeners.values()].filter((each) => each.group === group.arn)
  return {
    TargetGroupArn: group.arn,
    TargetGroupName: group.name,
    Protocol: group.protocol,
    Port: group.port,
    TargetType: 'ip',
    HealthCheckProtocol: 'TCP',
    HealthCheckPort: 'traffic-port',
    HealthCheckEnabled: true,
    HealthCheckIntervalSeconds: group.interval,
    UnhealthyThresholdCount: group.unhealthyThreshold,
    LoadBalancerArns: [...new Set(users.map((each) => each.balancer))],
  }
}

function describeListener({ arn, balancer, group, port: Port, protocol }: Listener) {
  return {
    ListenerArn: arn,
    LoadBalancerArn: balancer,
    Port,
    Protocol: protocol,
    DefaultActions: [{ Type: 'forward', TargetGroupArn: group }],
  }
}
