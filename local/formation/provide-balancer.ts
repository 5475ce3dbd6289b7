import {
  asIs,
  type Coerce,
  each,
  flag,
  type Json,
  list,
  need,
  number,
  record,
  take,
  text,
  texts,
} from '../json.ts'
import type { Context, Made, Provider } from './provider.ts'
import { differs } from './stack.ts'

const SERVICE = 'elasticloadbalancing'
const TAGS = each({ Key: text, Value: text })

const BALANCER: Readonly<Record<string, Coerce>> = {
  IpAddressType: text,
  Name: text,
  Scheme: text,
  SecurityGroups: texts,
  SubnetMappings: asIs,
  Subnets: texts,
  Tags: TAGS,
  Type: text,
}

const HEALTH: Readonly<Record<string, Coerce>> = {
  HealthCheckEnabled: flag,
  HealthCheckIntervalSeconds: number,
  HealthCheckPath: text,
  HealthCheckPort: text,
  HealthCheckProtocol: text,
  HealthCheckTimeoutSeconds: number,
  HealthyThresholdCount: number,
  Matcher: asIs,
  UnhealthyThresholdCount: number,
}

const GROUP: Readonly<Record<string, Coerce>> = {
  ...HEALTH,
  IpAddressType: text,
  Name: text,
  Port: number,
  Protocol: text,
  ProtocolVersion: text,
  Tags: TAGS,
  TargetType: text,
  VpcId: text,
}

const LISTENER: Readonly<Record<string, Coerce>> = {
  AlpnPolicy: texts,
  Certificates: asIs,
  DefaultActions: asIs,
  Port: number,
  Protocol: text,
  SslPolicy: text,
}

const first = (answer: Json, name: string) => record(list(answer[name])[0])

/** Attributes of a target group are set by an operation of their own; those of a load balancer have no effect here. */
async function configure(made: Made, properties: Json, context: Context) {
  const { TargetGroupAttributes } = properties
  if (TargetGroupAttributes === undefined) return
  await context.call(SERVICE, 'ModifyTargetGroupAttributes', {
    TargetGroupArn: made.id,
    Attributes: list(TargetGroupAttributes).map((pair) =>
      take(record(pair), { Key: text, Value: text }),
    ),
  })
}

/** Registers the targets that a template names, and lets go of those that it named before. */
async function aim(made: Made, { Targets }: Json, old: readonly unknown[], context: Context) {
  const wanted = list(Targets).map((one) => take(record(one), { Id: text, Port: number }))
  const ids = new Set(wanted.map(({ Id }) => Id))
  const gone = old
    .map((one) => take(record(one), { Id: text, Port: number }))
    .filter(({ Id }) => !ids.has(Id))
  const at = { TargetGroupArn: made.id }
  if (gone.length > 0) await context.call(SERVICE, 'DeregisterTargets', { ...at, Targets: gone })
  if (wanted.length > 0) await context.call(SERVICE, 'RegisterTargets', { ...at, Targets: wanted })
}

const balancer: Provider = {
  immutable: ['Name', 'Scheme', 'SubnetMappings', 'Subnets', 'Type'],
  async create(properties, context) {
    const input = { Name: context.name(32), ...take(properties, BALANCER) }
    const answer = await context.call(SERVICE, 'CreateLoadBalancer', input)
    const made = first(answer, 'LoadBalancers')
    const LoadBalancerArn = need(made, 'LoadBalancerArn')
    const result = {
      id: LoadBalancerArn,
      attributes: {
        LoadBalancerArn,
        DNSName: made['DNSName'],
        CanonicalHostedZoneID: made['CanonicalHostedZoneId'],
        LoadBalancerName: made['LoadBalancerName'],
        LoadBalancerFullName: LoadBalancerArn.replace(/^.*:loadbalancer\//, ''),
        SecurityGroups: made['SecurityGroups'],
      },
    }
    return result
  },
  update: async (_, made) => made,
  async delete({ id }, _, context) {
    await context.call(SERVICE, 'DeleteLoadBalancer', { LoadBalancerArn: id })
  },
}

const group: Provider = {
  immutable: [
    'IpAddressType',
    'Name',
    'Port',
    'Protocol',
    'ProtocolVersion',
    'TargetType',
    'VpcId',
  ],
  async create(properties, context) {
    const input = { Name: context.name(32), ...take(properties, GROUP) }
    const answer = await context.call(SERVICE, 'CreateTargetGroup', input)
    const made = first(answer, 'TargetGroups')
    const TargetGroupArn = need(made, 'TargetGroupArn')
    const result = {
      id: TargetGroupArn,
      attributes: {
        TargetGroupArn,
        TargetGroupName: made['TargetGroupName'],
        TargetGroupFullName: TargetGroupArn.replace(/^.*:(?=targetgroup)/, ''),
        LoadBalancerArns: [],
      },
    }
    context.began(result)
    await configure(result, properties, context)
    await aim(result, properties, [], context)
    return result
  },
  async update(properties, made, old, context) {
    const checks = take(properties, HEALTH)
    if (differs(checks, take(old, HEALTH))) {
      await context.call(SERVICE, 'ModifyTargetGroup', { TargetGroupArn: made.id, ...checks })
    }
    await configure(made, properties, context)
    await aim(made, properties, list(old['Targets']), context)
    return made
  },
  async delete({ id }, _, context) {
    await context.call(SERVICE, 'DeleteTargetGroup', { TargetGroupArn: id })
  },
}

const listener: Provider = {
  immutable: ['LoadBalancerArn'],
  async create(properties, context) {
    const LoadBalancerArn = need(properties, 'LoadBalancerArn')
    const input = { LoadBalancerArn, ...take(properties, LISTENER) }
    const answer = await context.call(SERVICE, 'CreateListener', input)
    const ListenerArn = need(first(answer, 'Listeners'), 'ListenerArn')
    return { id: ListenerArn, attributes: { ListenerArn } }
  },
  async update(properties, made, _, context) {
    const input = { ListenerArn: made.id, ...take(properties, LISTENER) }
    await context.call(SERVICE, 'ModifyListener', input)
    return made
  },
  async delete({ id }, _, context) {
    await context.call(SERVICE, 'DeleteListener', { ListenerArn: id })
  },
}

/** AWS::ElasticLoadBalancingV2 types. */
export const provideBalancer: Readonly<Record<string, Provider>> = {
  'AWS::ElasticLoadBalancingV2::LoadBalancer': balancer,
  'AWS::ElasticLoadBalancingV2::TargetGroup': group,
  'AWS::ElasticLoadBalancingV2::Listener': listener,
}
