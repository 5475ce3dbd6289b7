import * as v from 'valibot'
import type { Alarm } from '../clock.ts'
import { browse } from '../cursor.ts'
import { AwsError, type Call, type Operation, operation, type World } from '../service.ts'
import { whole } from '../wire.ts'
import { checkTarget, type Target, target } from './delivery.ts'
import { type Pattern, pattern } from './pattern.ts'
import { type Schedule, schedule } from './schedule.ts'

/** A rule of the default bus, with its targets. */
export interface Rule {
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
const paging = { Limit: v.optional(whole(1, 100), 100), NextToken: v.optional(text) }
const putRule = v.object({
  Name: name,
  EventPattern: v.optional(text),
  ScheduleExpression: v.optional(text),
  State: v.optional(v.picklist(['ENABLED', 'DISABLED']), 'ENABLED'),
  Description: v.optional(v.pipe(text, v.maxLength(512))),
  ...bus,
})

/** The rules of every region. */
export interface Rules {
  of(region: string): ReadonlyMap<string, Rule>
  readonly operations: Readonly<Record<string, Operation>>
}

/** `fire` is called at the ticks of a schedule. */
export function rules(
  { clock, account }: Pick<World, 'account' | 'clock'>,
  fire: (region: string, rule: Rule) => Promise<unknown>,
): Rules {
  const regions = new Map<string, Map<string, Rule>>()
  const rulesOf = (region: string) => {
    const known = regions.get(region) ?? new Map<string, Rule>()
    regions.set(region, known)
    return known
  }

  const tick = async (region: string, rule: Rule, until: number): Promise<void> => {
    const next = rule.due?.(clock.now())
    if (next !== undefined && next <= until) {
      rule.alarm = clock.at(until, () => tick(region, rule, until))
      return
    }
    arm(region, rule)
    await fire(region, rule)
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

  const operations = {
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
  }
  return { of: rulesOf, operations }
}

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

/** Only the default bus is there. @throws AwsError ResourceNotFoundException */
export function checkBus(given: string) {
  if (given === 'default' || given.endsWith(':event-bus/default')) return
  throw missing(`Event bus ${given} does not exist.`)
}

/** The ARN of a rule of the default bus. */
export const arnOf = (region: string, account: string, rule: string) =>
  `arn:aws:events:${region}:${account}:rule/${rule}`
const invalid = (message: string) => new AwsError('ValidationException', message)
const missing = (message: string) => new AwsError('ResourceNotFoundException', message)
