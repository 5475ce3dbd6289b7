import * as v from 'valibot'
import { AwsError, type Emission, operation, type Service, type World } from '../service.ts'
import { delivery, type Event } from './delivery.ts'
import { entry, parseDetail, refuse, sizeOf } from './entry.ts'
import { arnOf, checkBus, type Rule, rules } from './rules.ts'

/**
 * Amazon EventBridge: the default bus of every region, its rules, and their delivery to queues and functions.
 * Schedules follow the local clock; when one jump of it goes over several ticks, the rule fires once, at the end of
 * the jump, as nobody could have seen the ticks between. `emit` puts the event of an AWS service on the bus.
 * https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html
 */
export function events(world: World): {
  readonly service: Service
  emit(region: string, event: Emission): void
} {
  const { clock, account } = world
  const known = rules(world, (region, rule) => {
    const emission = { source: 'aws.events', detailType: 'Scheduled Event', detail: {} }
    return send(region, rule, envelope(region, { ...emission, resources: [rule.arn] }))
  })

  const send = (region: string, rule: Rule, event: Event) => {
    const origin = { arn: rule.arn, name: rule.name, ingested: iso(clock.now()) }
    const deliver = delivery(world, region)
    const work = [...rule.targets.values()].map((to) => deliver(event, to, origin))
    const done = Promise.all(work)
    clock.hold(done)
    return done
  }
  const publish = (region: string, event: Event) => {
    for (const rule of known.of(region).values()) {
      if (rule.enabled && rule.matches?.(event)) void send(region, rule, event)
    }
  }
  const envelope = (region: string, emission: Emission, time = clock.now()): Event => ({
    version: '0',
    id: world.random.uuid(),
    'detail-type': emission.detailType,
    source: emission.source,
    account,
    time: iso(time),
    region,
    resources: emission.resources,
    detail: emission.detail,
  })

  const service: Service = {
    name: 'events',
    subject: (operationName, input, { region }) => {
      const rule = input['Rule'] ?? input['Name']
      if (operationName === 'PutEvents') {
        return { arn: `arn:aws:events:${region}:${account}:event-bus/default` }
      }
      return { arn: typeof rule === 'string' ? arnOf(region, account, rule) : '*' }
    },
    operations: {
      ...known.operations,
      PutEvents: operation(
        v.object({ Entries: v.pipe(v.array(entry), v.minLength(1), v.maxLength(10)) }),
        ({ Entries }, { region, caller }) => {
          if (Entries.reduce((sum, each) => sum + sizeOf(each), 0) > 262_144) {
            throw new AwsError(
              'ValidationException',
              'Total size of the entries in the request is over the limit.',
            )
          }
          const answers = Entries.map((each) => {
            const refused = refuse(each, caller.internal)
            if (refused !== undefined) return refused
            checkBus(each.EventBusName)
            const { Source: source, DetailType: detailType, Resources: resources } = each
            const detail = parseDetail(each.Detail) ?? {}
            const time = each.Time === undefined ? clock.now() : each.Time * 1_000
            const event = envelope(region, { source, detailType, resources, detail }, time)
            publish(region, event)
            return { EventId: event['id'] }
          })
          const failed = answers.filter((answer) => 'ErrorCode' in answer).length
          return { FailedEntryCount: failed, Entries: answers }
        },
      ),
    },
  }
  return { service, emit: (region, event) => publish(region, envelope(region, event)) }
}

const iso = (time: number) => new Date(time).toISOString().replace(/\.\d{3}Z$/, 'Z')
