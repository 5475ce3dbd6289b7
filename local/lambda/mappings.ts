import * as v from 'valibot'
import type { Iam } from '../iam.ts'
import {
  AwsError,
  type Call,
  type Caller,
  type Operation,
  operation,
  seconds,
  type World,
} from '../service.ts'
import { conflict, type Directory, type Fn, invalid, missing, queueUrl } from './function.ts'
import type { Invocations } from './invocations.ts'
import { type Mapping, poll } from './poller.ts'

const text = v.string()
const whole = (low: number, high: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(low), v.maxValue(high)))
const changeable = {
  BatchSize: whole(1, 10_000),
  MaximumBatchingWindowInSeconds: whole(0, 300),
  ScalingConfig: v.optional(v.object({ MaximumConcurrency: whole(2, 1_000) })),
  FunctionResponseTypes: v.optional(v.array(v.picklist(['ReportBatchItemFailures']))),
  Enabled: v.optional(v.boolean()),
}
const create = v.object({ FunctionName: text, EventSourceArn: text, ...changeable })
const update = v.object({ UUID: text, FunctionName: v.optional(text), ...changeable })
const byId = v.object({ UUID: text })
type Changes = Omit<v.InferOutput<typeof update>, 'UUID'>

/** Event source mappings from queues. */
export function mappingOperations(
  world: World,
  directory: Directory,
  around: {
    readonly iam: Iam
    readonly invocations: Invocations
    readonly identity: (fn: Fn) => Caller
  },
): Readonly<Record<string, Operation>> {
  const { invocations, identity, iam } = around
  const mappings = new Map<string, Mapping>()
  world.onClose(() => {
    for (const mapping of mappings.values()) mapping.stop()
  })

  const find = ({ UUID }: { UUID: string }, { region }: Call) => {
    const mapping = mappings.get(UUID)
    if (mapping?.region === region) return mapping
    throw missing('The resource you requested does not exist.')
  }
  const start = (mapping: Mapping) => {
    mapping.stop()
    mapping.modified = world.clock.now()
    if (!mapping.enabled) return
    const locate = (arn: string) => directory.locate(arn, mapping.region)
    mapping.stop = poll(mapping, { world, invocations, identity, find: locate })
  }
  const termsOf = (
    given: Changes,
    { target, source }: { readonly target: string; readonly source: string },
    before?: Mapping['terms'],
  ) => {
    const batch = given.BatchSize ?? before?.batch ?? 10
    const window = given.MaximumBatchingWindowInSeconds ?? before?.window ?? 0
    if (source.endsWith('.fifo') && (batch > 10 || window > 0)) {
      throw invalid('FIFO queues have no batching window and a maximum batch size of 10.')
    }
    if (batch > 10 && window < 1) {
      throw invalid(
        'Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10',
      )
    }
    const { ScalingConfig: scaling, FunctionResponseTypes: types } = given
    return {
      target,
      batch,
      window,
      concurrency: scaling === undefined ? before?.concurrency : scaling.MaximumConcurrency,
      partial: types === undefined ? (before?.partial ?? false) : types.length > 0,
    }
  }
  /** What AWS checks before it takes a queue as a source: it is there, the role may read it, it hides long enough. */
  const checkSource = async (source: string, fn: Fn) => {
    for (const action of ['ReceiveMessage', 'DeleteMessage', 'GetQueueAttributes']) {
      if (iam.judge(identity(fn), `sqs:${action}`, () => ({ arn: source })) === 'allow') continue
      throw invalid(
        `The provided execution role does not have permissions to call ${action} on SQS`,
      )
    }
    const input = { QueueUrl: queueUrl(world.url, source), AttributeNames: ['VisibilityTimeout'] }
    const { region } = fn
    const found = await world
      .call('sqs', 'GetQueueAttributes', input, { region, unrecorded: true })
      .catch(refuse)
    const { Attributes } = v.parse(settings, found)
    const visible = Number(Attributes.VisibilityTimeout)
    const { timeout } = fn.latest.configuration
    if (visible >= timeout) return
    throw invalid(
      `Queue visibility timeout: ${visible} seconds is less than Function timeout: ${timeout} seconds`,
    )
  }

  return {
    CreateEventSourceMapping: operation(
      create,
      async (input, { region }) => {
        const { EventSourceArn: source } = input
        if (!new RegExp(`^arn:aws:sqs:${region}:\\d{12}:[\\w-]{1,80}([.]fifo)?$`).test(source)) {
          throw invalid(
            `Unrecognized event source ${source}: only queues of the same Region feed functions here.`,
          )
        }
        const { fn, arn } = directory.find({ FunctionName: input.FunctionName }, region)
        await checkSource(source, fn)
        const twin = [...mappings.values()].find(
          (each) => each.source === source && each.terms.target === arn,
        )
        if (twin !== undefined) {
          throw conflict(
            `An event source mapping with SQS arn (" ${source} ") and function (" ${fn.name} ") already exists. Please update or delete the existing mapping with UUID ${twin.id}`,
          )
        }
        const mapping: Mapping = {
          id: world.random.uuid(),
          region,
          source,
          terms: termsOf(input, { target: arn, source }),
          enabled: input.Enabled ?? true,
          modified: world.clock.now(),
          stop: () => {},
        }
        mappings.set(mapping.id, mapping)
        start(mapping)
        return show(mapping)
      },
      'InvalidParameterValueException',
    ),
    UpdateEventSourceMapping: operation(
      update,
      (input, call) => {
        const mapping = find(input, call)
        const { FunctionName } = input
        const target =
          FunctionName === undefined
            ? mapping.terms.target
            : directory.find({ FunctionName }, call.region).arn
        mapping.terms = termsOf(input, { target, source: mapping.source }, mapping.terms)
        mapping.enabled = input.Enabled ?? mapping.enabled
        start(mapping)
        return show(mapping)
      },
      'InvalidParameterValueException',
    ),
    GetEventSourceMapping: operation(byId, (input, call) => show(find(input, call))),
    DeleteEventSourceMapping: operation(byId, (input, call) => {
      const mapping = find(input, call)
      mapping.stop()
      mappings.delete(mapping.id)
      return { ...show(mapping), State: 'Deleting' }
    }),
    ListEventSourceMappings: operation(
      v.object({ FunctionName: v.optional(text), EventSourceArn: v.optional(text) }),
      ({ FunctionName, EventSourceArn }, { region }) => {
        const target = FunctionName && directory.find({ FunctionName }, region).arn
        const all = [...mappings.values()].filter(
          (each) =>
            each.region === region &&
            (target === undefined || each.terms.target === target) &&
            (EventSourceArn === undefined || each.source === EventSourceArn),
        )
        return { EventSourceMappings: all.map(show) }
      },
    ),
  }
}

const settings = v.object({ Attributes: v.object({ VisibilityTimeout: v.string() }) })

function refuse(error: unknown): never {
  if (!(error instanceof AwsError)) throw error
  throw invalid(
    `Error occurred while ReceiveMessage. SQS Error Code: ${error.code}. SQS Error Message: ${error.message}`,
  )
}

function show({ id, source, terms, enabled, modified }: Mapping): Record<string, unknown> {
  return {
    UUID: id,
    BatchSize: terms.batch,
    MaximumBatchingWindowInSeconds: terms.window,
    EventSourceArn: source,
    FunctionArn: terms.target,
    LastModified: seconds(modified),
    State: enabled ? 'Enabled' : 'Disabled',
    StateTransitionReason: 'USER_INITIATED',
    FunctionResponseTypes: terms.partial ? ['ReportBatchItemFailures'] : [],
    ...(terms.concurrency !== undefined && {
      ScalingConfig: { MaximumConcurrency: terms.concurrency },
    }),
  }
}
