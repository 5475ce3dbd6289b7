import * as v from 'valibot'
import type { Alarm } from '../clock.ts'
import { browse } from '../cursor.ts'
import {
  AwsError,
  type Call,
  type Emission,
  operation,
  type Service,
  type World,
} from '../service.ts'
import { checkTarget, delivery, type Event, type Target, target } from './delivery.ts'
import { type Pattern, pattern } from './pattern.ts'
import { type Schedule, schedule } from './schedule.ts'

interface Rule {
  readonly name: string
  readonly arn: string
  readonly description: string | undefined
  readonly source: string | undefined
  readonly expression: string | undefined
  readonly matches: Pattern | undefined
  readonly due: Schedule | undefined
  readonly targets: Map<string, Target>
  enabled: boolean
  alarm: Alarm | undefined
}

const text = v.string()
const bus = { EventBusName: v.optional(text, 'default') }
const name = v.pipe(text, v.regex(/^[.\-_A-Za-z0-9]{1,64}$/))
const named = v.object({ Name: name, ...bus })
const paging = { Limit: v.optional(v.number(), 100), NextToken: v.optional(text) }
const entry = v.object({
  Source: v.optional(text, ''),
  DetailType: v.optional(text, ''),
  Detail: v.optional(text, ''),
  Resources: v.optional(v.array(text), []),
  Time: v.optional(v.number()),
  EventBusName: v.optional(text, 'default'),
})
type Entry = v.InferOutput<typeof entry>

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
  const regions = new Map<string, Map<string, Rule>>()
  const rulesOf = (region: string) => {
    const known = regions.get(region) ?? new Map<string, Rule>()
    regions.set(region, known)
    return known
  }

  const send = (region: string, rule: Rule, event: Event) => {
    const origin = { arn: rule.arn, name: rule.name, ingested: iso(clock.now()) }
    const deliver = delivery(world, region)
    const work = [...rule.targets.values()].map((to) => deliver(event, to, origin))
    const done = Promise.all(work)
    clock.hold(done)
    return done
  }
  const publish = (region: string, event: Event) => {
    for (const rule of rulesOf(region).values()) {
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

  const tick = async (region: string, rule: Rule, until: number): Promise<void> => {
    const next = rule.due?.(clock.now())
    if (next !== undefined && next <= until) {
      rule.alarm = clock.at(until, () => tick(region, rule, until))
      return
    }
    arm(region, rule)
    const emission = { source: 'aws.events', detailType: 'Scheduled Event', detail: {} }
    await send(region, rule, envelope(region, { ...emission, resources: [rule.arn] }))
  }
  const arm = (region: string, rule: Rule) => {
    rule.alarm?.cancel()
    const next = rule.enabled ? rule.due?.(clock.now()) : undefined
    rule.alarm =
      next === undefined ? undefined : clock.at(next, (until) => tick(region, rule, until))
  }

  const find = ({ Name, EventBusName }: v.InferOutput<typeof named>, { region }: Call) => {
    checkBus(EventBusName)
    const rule = rulesOf(region).get(Name)
    if (rule !== undefined) return rule
    throw missing(`Rule ${Name} does not exist on EventBus default.`)
  }
  const enable = (input: v.InferOutput<typeof named>, call: Call, enabled: boolean) => {
    const rule = find(input, call)
    rule.enabled = enabled
    arm(call.region, rule)
    return {}
  }
  const put = (input: v.InferOutput<typeof putRule>, { region }: Call) => {
    const { Name, EventPattern: source, ScheduleExpression: expression } = input
    checkBus(input.EventBusName)
    if (source === undefined && expression === undefined) {
      throw invalid('Parameter(s) EventPattern or ScheduleExpression must be specified.')
    }
    const before = rulesOf(region).get(Name)
    const rule: Rule = {
      name: Name,
      arn: arnOf(region, account, Name),
      description: input.Description,
      source,
      expression,
      matches: source === undefined ? undefined : pattern(source),
      due: expression === undefined ? undefined : schedule(expression, clock.now()),
      targets: before?.targets ?? new Map(),
      enabled: input.State !== 'DISABLED',
      alarm: undefined,
    }
    before?.alarm?.cancel()
    rulesOf(region).set(Name, rule)
    arm(region, rule)
    return { RuleArn: rule.arn }
  }

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
      PutRule: operation(putRule, put),
      DescribeRule: operation(named, (input, call) => describe(find(input, call))),
      EnableRule: operation(named, (input, call) => enable(input, call, true)),
      DisableRule: operation(named, (input, call) => enable(input, call, false)),
      DeleteRule: operation(named, ({ Name, EventBusName }, { region }) => {
        checkBus(EventBusName)
        const rule = rulesOf(region).get(Name)
        if (rule !== undefined && rule.targets.size > 0) {
          throw invalid("Rule can't be deleted since it has targets.")
        }
        rule?.alarm?.cancel()
        rulesOf(region).delete(Name)
        return {}
      }),
      ListRules: operation(
        v.object({ NamePrefix: v.optional(text, ''), ...bus, ...paging }),
        (input, { region }) => {
          checkBus(input.EventBusName)
          const all = [...rulesOf(region).values()]
            .filter((rule) => rule.name.startsWith(input.NamePrefix))
            .sort((a, b) => (a.name < b.name ? -1 : 1))
          const size = { size: input.Limit, token: input.NextToken }
          const { items, next } = browse(all, (rule) => rule.name, size, 'ValidationException')
          return { Rules: items.map(describe), NextToken: next }
        },
      ),
      PutTargets: operation(
        v.object({ Rule: name, Targets: v.pipe(v.array(target), v.minLength(1)), ...bus }),
        ({ Rule, Targets, EventBusName }, call) => {
          const rule = find({ Name: Rule, EventBusName }, call)
          for (const each of Targets) checkTarget(each, call.region)
          const ids = new Set([...rule.targets.keys(), ...Targets.map(({ Id }) => Id)])
          if (ids.size > 5) {
            throw new AwsError(
              'LimitExceededException',
              'The requested resource exceeds the maximum number allowed.',
            )
          }
          for (const each of Targets) rule.targets.set(each.Id, each)
          return { FailedEntryCount: 0, FailedEntries: [] }
        },
      ),
      RemoveTargets: operation(
        v.object({ Rule: name, Ids: v.pipe(v.array(text), v.minLength(1)), ...bus }),
        ({ Rule, Ids, EventBusName }, call) => {
          const rule = find({ Name: Rule, EventBusName }, call)
          for (const id of Ids) rule.targets.delete(id)
          return { FailedEntryCount: 0, FailedEntries: [] }
        },
      ),
      ListTargetsByRule: operation(
        v.object({ Rule: name, ...bus, ...paging }),
        ({ Rule, EventBusName, Limit, NextToken }, call) => {
          const all = [...find({ Name: Rule, EventBusName }, call).targets.values()]
          const size = { size: Limit, token: NextToken }
          const { items, next } = browse(all, ({ Id }) => Id, size, 'ValidationException')
          return { Targets: items, NextToken: next }
        },
      ),
      PutEvents: operation(
        v.object({ Entries: v.pipe(v.array(entry), v.minLength(1), v.maxLength(10)) }),
        ({ Entries }, { region, caller }) => {
          if (Entries.reduce((sum, each) => sum + sizeOf(each), 0) > 262_144) {
            throw invalid('Total size of the entries in the request is over the limit.')
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

const putRule = v.object({
  Name: name,
  EventPattern: v.optional(text),
  ScheduleExpression: v.optional(text),
  State: v.optional(v.picklist(['ENABLED', 'DISABLED']), 'ENABLED'),
  Description: v.optional(v.pipe(text, v.maxLength(512))),
  ...bus,
})

function describe(rule: Rule): Record<string, unknown> {
  return {
    Name: rule.name,
    Arn: rule.arn,
    EventBusName: 'default',
    State: rule.enabled ? 'ENABLED' : 'DISABLED',
    ...(rule.description !== undefined && { Description: rule.description }),
    ...(rule.source !== undefined && { EventPattern: rule.source }),
    ...(rule.expression !== undefined && { ScheduleExpression: rule.expression }),
  }
}

/** What is wrong with one entry of PutEvents; the others are published all the same. */
function refuse({ Source, DetailType, Detail }: Entry, aws: boolean) {
  const empty = Object.entries({ Source, DetailType, Detail }).find(([, value]) => value === '')
  if (empty !== undefined) {
    const ErrorMessage = `Parameter ${empty[0]} is not valid. Reason: ${empty[0]} is a required argument.`
    return { ErrorCode: 'InvalidArgument', ErrorMessage }
  }
  if (Source.startsWith('aws.') && !aws) {
    return {
      ErrorCode: 'NotAuthorizedForSourceException',
      ErrorMessage: 'Not authorized for the source.',
    }
  }
  if (parseDetail(Detail) === undefined) {
    return { ErrorCode: 'MalformedDetail', ErrorMessage: 'Detail is malformed.' }
  }
  return undefined
}

function parseDetail(source: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(source)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return { ...value }
  } catch {
    return undefined // answered as MalformedDetail
  }
}

/** https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html, "Calculating the size of an entry" */
function sizeOf({ Time, Source, DetailType, Detail, Resources }: Entry): number {
  const texts = [Source, DetailType, Detail, ...Resources]
  const bytes = texts.reduce((sum, each) => sum + Buffer.byteLength(each), 0)
  return bytes + (Time === undefined ? 0 : 14)
}

function checkBus(given: string) {
  if (given === 'default' || given.endsWith(':event-bus/default')) return
  throw missing(`Event bus ${given} does not exist.`)
}

const arnOf = (region: string, account: string, rule: string) =>
  `arn:aws:events:${region}:${account}:rule/${rule}`
const iso = (time: number) => new Date(time).toISOString().replace(/\.\d{3}Z$/, 'Z')
const invalid = (message: string) => new AwsError('ValidationException', message)
const missing = (message: string) => new AwsError('ResourceNotFoundException', message)
