import * as v from 'valibot'
import { AwsError, type Call, operation, type Service, type World } from '../service.ts'
import {
  arns,
  type Balancer,
  LISTENER,
  type Listener,
  LOAD_BALANCER,
  name,
  need,
  port,
  type Region,
  TARGET_GROUP,
} from './balancing.ts'
import { type Forwarder, forward } from './forwarder.ts'
import { front } from './front.ts'
import { groups } from './target-groups.ts'

const action = v.object({
  Type: v.optional(v.string()),
  TargetGroupArn: v.optional(v.string()),
  ForwardConfig: v.optional(
    v.object({ TargetGroups: v.array(v.object({ TargetGroupArn: v.string() })) }),
  ),
})

/**
 * Elastic Load Balancing v2: a listener of an application load balancer whose target is a function speaks HTTP; every other
 * one forwards TCP connections, whatever protocol it names. A load balancer's DNS name is its loopback address. One accepted probe makes a target healthy.
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
        const path = LoadBalancerArn.split(':loadbalancer/')[1] ?? ''
        const made = {
          arn: arn(call.region, `listener/${path}/${world.random.hex(16)}`),
          balancer: LoadBalancerArn,
          group: target.arn,
          port: Port,
          protocol: Protocol,
        }
        const backends = () => groups.get(made.group)?.candidates() ?? []
        const place = { ...at(call), region: call.region }
        const binding = { balancer, port: Port, group: () => made.group, backends }
        const listener: Listener = Object.assign(made, {
          backends,
          forwarder: await bind(world, place, binding),
        })
        listeners.set(made.arn, listener)
        return { Listeners: [describeListener(listener)] }
      },
    ),
    ModifyListener: operation(
      v.object({
        ListenerArn: v.string(),
        Port: v.optional(port),
        Protocol: v.optional(v.string()),
        DefaultActions: v.optional(v.pipe(v.array(action), v.minLength(1))),
      }),
      async ({ ListenerArn, Port, Protocol, DefaultActions }, call) => {
        const { balancers: all, groups, listeners } = at(call)
        const found = need(listeners, ListenerArn, LISTENER)
        if (DefaultActions)
          found.group = need(groups, forwardedTo(DefaultActions), TARGET_GROUP).arn
        if (Port !== undefined && Port !== found.port) {
          const balancer = need(all, found.balancer, LOAD_BALANCER)
          const next = await bind(
            world,
            { ...at(call), region: call.region },
            { balancer, port: Port, group: () => found.group, backends: found.backends },
          )
          await found.forwarder.close()
          found.forwarder = next
          found.port = Port
        }
        found.protocol = Protocol ?? found.protocol
        return { Listeners: [describeListener(found)] }
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

  return {
    name: 'elasticloadbalancing',
    operations: { ...loadBalancers, ...listening, ...groups(world, at, arn) },
    subject(_operation, input) {
      const { TargetGroupArn, LoadBalancerArn, ListenerArn } = input
      const named = [ListenerArn, LoadBalancerArn, TargetGroupArn].find(
        (each) => typeof each === 'string',
      )
      return { arn: typeof named === 'string' ? named : '*' }
    },
  }
}

/** What a listener is bound to. */
interface Binding {
  readonly balancer: Balancer
  readonly port: number
  readonly group: () => string
  readonly backends: Listener['backends']
}

async function bind(
  world: World,
  { region, ...all }: Region & { readonly region: string },
  { balancer: { arn, kind, lease }, port, group, backends }: Binding,
): Promise<Forwarder> {
  if ([...all.listeners.values()].some((each) => each.balancer === arn && each.port === port)) {
    throw new AwsError(
      'DuplicateListener',
      `A listener already exists on this port for this load balancer '${arn}'`,
    )
  }
  const { address } = lease
  const target = () => all.groups.get(group())
  const isHttp = kind === 'application' && target()?.fn !== undefined
  const bound = isHttp
    ? front(world, { region, address, port }, target)
    : forward(address, port, backends)
  return bound.catch((error: unknown) => {
    const why = error instanceof Error ? error.message : 'unknown error'
    throw new AwsError('InvalidConfigurationRequest', `this machine refuses: ${why}`)
  })
}

function forwardedTo(actions: readonly v.InferOutput<typeof action>[]): string {
  const [{ TargetGroupArn, ForwardConfig } = {}] = actions
  return TargetGroupArn ?? ForwardConfig?.TargetGroups[0]?.TargetGroupArn ?? ''
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

function describeListener({ arn, balancer, group, port: Port, protocol }: Listener) {
  return {
    ListenerArn: arn,
    LoadBalancerArn: balancer,
    Port,
    Protocol: protocol,
    DefaultActions: [{ Type: 'forward', TargetGroupArn: group }],
  }
}
