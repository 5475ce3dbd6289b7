import * as v from 'valibot'
import { AwsError, type Call, operation, type World } from '../service.ts'
import { arns, name, need, port, type Region, TARGET_GROUP, targets, whole } from './balancing.ts'
import { mayInvoke } from './front.ts'
import { functionGroup } from './functions.ts'
import { type Group, group } from './target-group.ts'

const interval = v.pipe(whole, v.minValue(5), v.maxValue(300))
const threshold = v.pipe(whole, v.minValue(2), v.maxValue(10))

/** Operations on target groups and the targets in them. */
export function groups(
  world: World,
  at: (call: Pick<Call, 'region'>) => Region,
  arn: (region: string, rest: string) => string,
) {
  return {
    CreateTargetGroup: operation(
      v.object({
        Name: name,
        Protocol: v.optional(v.string(), 'TCP'),
        Port: v.optional(port, 80),
        TargetType: v.optional(v.picklist(['instance', 'ip', 'lambda']), 'ip'),
        HealthCheckIntervalSeconds: v.optional(interval, 30),
        UnhealthyThresholdCount: v.optional(threshold, 2),
      }),
      (input, { region }) => {
        const { groups } = at({ region })
        if ([...groups.values()].some((each) => each.name === input.Name)) {
          throw new AwsError(
            'DuplicateTargetGroupName',
            `A target group with the same name '${input.Name}' exists, but with different settings`,
          )
        }
        const settings = {
          arn: arn(region, `targetgroup/${input.Name}/${world.random.hex(16)}`),
          name: input.Name,
          protocol: input.Protocol,
          port: input.Port,
          interval: input.HealthCheckIntervalSeconds,
          unhealthyThreshold: input.UnhealthyThresholdCount,
        }
        const made =
          input.TargetType === 'lambda' ? functionGroup(settings) : group(world, settings)
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
    ModifyTargetGroup: operation(
      v.object({
        TargetGroupArn: v.string(),
        HealthCheckIntervalSeconds: v.optional(interval),
        UnhealthyThresholdCount: v.optional(threshold),
      }),
      (input, call) => {
        const found = need(at(call).groups, input.TargetGroupArn, TARGET_GROUP)
        found.interval = input.HealthCheckIntervalSeconds ?? found.interval
        found.unhealthyThreshold = input.UnhealthyThresholdCount ?? found.unhealthyThreshold
        return { TargetGroups: [describeGroup(at(call), found)] }
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

    RegisterTargets: operation(
      v.object({ TargetGroupArn: v.string(), Targets: targets }),
      async ({ TargetGroupArn, Targets }, call) => {
        const found = need(at(call).groups, TargetGroupArn, TARGET_GROUP)
        for (const { Id, Port = found.port } of Targets) {
          if (found.fn !== undefined) await mayInvoke(world, found.arn, Id)
          found.register(Id, Port)
        }
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
}

function describeGroup({ listeners }: Region, group: Group) {
  const users = [...listeners.values()].filter((each) => each.group === group.arn)
  const LoadBalancerArns = [...new Set(users.map((each) => each.balancer))]
  if (group.fn !== undefined) {
    const { arn: TargetGroupArn, name: TargetGroupName } = group
    const HealthCheckEnabled = false
    return {
      ...{ TargetGroupArn, TargetGroupName, TargetType: 'lambda' },
      HealthCheckEnabled,
      LoadBalancerArns,
    }
  }
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
    LoadBalancerArns,
  }
}
