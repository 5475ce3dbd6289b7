import { zipSync } from 'fflate'
import {
  asIs,
  type Coerce,
  flag,
  type Json,
  need,
  number,
  record,
  shaped,
  tagMap,
  take,
  text,
  textMap,
  texts,
} from '../json.ts'
import type { Context, Made, Provider } from './provider.ts'

const CONFIGURATION: Readonly<Record<string, Coerce>> = {
  Architectures: texts,
  DeadLetterConfig: asIs,
  Description: text,
  Environment: shaped({ Variables: textMap }),
  EphemeralStorage: shaped({ Size: number }),
  Handler: text,
  KmsKeyArn: text,
  Layers: texts,
  LoggingConfig: asIs,
  MemorySize: number,
  Role: text,
  Runtime: text,
  Timeout: number,
  TracingConfig: asIs,
  VpcConfig: shaped({ SecurityGroupIds: texts, SubnetIds: texts }),
}

const MAPPING: Readonly<Record<string, Coerce>> = {
  BatchSize: number,
  BisectBatchOnFunctionError: flag,
  Enabled: flag,
  EventSourceArn: text,
  FilterCriteria: asIs,
  FunctionName: text,
  FunctionResponseTypes: texts,
  MaximumBatchingWindowInSeconds: number,
  ScalingConfig: shaped({ MaximumConcurrency: number }),
}

const INVOKE: Readonly<Record<string, Coerce>> = {
  DestinationConfig: asIs,
  FunctionName: text,
  MaximumEventAgeInSeconds: number,
  MaximumRetryAttempts: number,
  Qualifier: text,
}

const PERMISSION: Readonly<Record<string, Coerce>> = {
  Action: text,
  EventSourceToken: text,
  FunctionName: text,
  FunctionUrlAuthType: text,
  InvokedViaFunctionUrl: flag,
  Principal: text,
  PrincipalOrgID: text,
  SourceAccount: text,
  SourceArn: text,
}

const fn: Provider = {
  immutable: ['FunctionName', 'PackageType'],
  async create(properties, context) {
    const FunctionName = properties['FunctionName'] ?? context.name(64)
    const answer = await context.call('lambda', 'CreateFunction', {
      ...take(properties, CONFIGURATION),
      FunctionName,
      Code: codeOf(properties),
      Tags: tagMap(properties['Tags']),
    })
    const made = madeOf(answer)
    context.began(made)
    await reserve(properties, made, context)
    return made
  },
  async update(properties, made, old, context) {
    const FunctionName = made.id
    if (JSON.stringify(properties['Code']) !== JSON.stringify(old['Code'])) {
      const code = codeOf(properties)
      await context.call('lambda', 'UpdateFunctionCode', { FunctionName, ...code })
    }
    const cleared = Object.keys(CONFIGURATION).filter(
      (name) => old[name] !== undefined && properties[name] === undefined,
    )
    const empty = Object.fromEntries(
      cleared.flatMap((name) => (name in EMPTY ? [[name, EMPTY[name]]] : [])),
    )
    const configuration = { ...empty, ...take(properties, CONFIGURATION), FunctionName }
    await context.call('lambda', 'UpdateFunctionConfiguration', configuration)
    if (properties['ReservedConcurrentExecutions'] !== old['ReservedConcurrentExecutions']) {
      await reserve(properties, made, context)
    }
    return made
  },
  async delete({ id }, _, context) {
    await context.call('lambda', 'DeleteFunction', { FunctionName: id })
  },
}

/** What a property that left the template goes back to. */
const EMPTY: Json = {
  DeadLetterConfig: {},
  Description: '',
  Environment: { Variables: {} },
  KmsKeyArn: '',
  Layers: [],
  MemorySize: 128,
  Timeout: 3,
}

function codeOf(properties: Json): Json {
  const code = record(properties['Code'])
  const { ZipFile } = code
  if (ZipFile === undefined) return code
  const source = Buffer.from(text(ZipFile, 'ZipFile'))
  return { ZipFile: Buffer.from(zipSync({ 'index.js': source })).toString('base64') }
}

function madeOf(answer: Json): Made {
  return { id: need(answer, 'FunctionName'), attributes: { Arn: need(answer, 'FunctionArn') } }
}

async function reserve(properties: Json, made: Made, context: Context) {
  const { ReservedConcurrentExecutions } = properties
  if (ReservedConcurrentExecutions === undefined) return
  await context.call('lambda', 'PutFunctionConcurrency', {
    FunctionName: made.id,
    ReservedConcurrentExecutions: number(
      ReservedConcurrentExecutions,
      'ReservedConcurrentExecutions',
    ),
  })
}

const permission: Provider = {
  async create(properties, context) {
    const StatementId = context.name(100)
    const input = { ...take(properties, PERMISSION), StatementId }
    await context.call('lambda', 'AddPermission', input)
    return { id: StatementId, attributes: { Id: StatementId } }
  },
  async delete({ id }, properties, context) {
    const FunctionName = need(properties, 'FunctionName')
    await context.call('lambda', 'RemovePermission', { FunctionName, StatementId: id })
  },
}

const mapping: Provider = {
  immutable: ['EventSourceArn'],
  async create(properties, context) {
    const input = take(properties, MAPPING)
    const UUID = need(await context.call('lambda', 'CreateEventSourceMapping', input), 'UUID')
    return { id: UUID, attributes: { Id: UUID } }
  },
  async update(properties, made, _, context) {
    const { EventSourceArn: __, ...input } = take(properties, MAPPING)
    await context.call('lambda', 'UpdateEventSourceMapping', { ...input, UUID: made.id })
    return made
  },
  async delete({ id }, _, context) {
    await context.call('lambda', 'DeleteEventSourceMapping', { UUID: id })
  },
}

const invocation: Provider = {
  immutable: ['FunctionName', 'Qualifier'],
  async create(properties, context) {
    await context.call('lambda', 'PutFunctionEventInvokeConfig', take(properties, INVOKE))
    return { id: context.name(), attributes: {} }
  },
  async update(properties, made, _, context) {
    await context.call('lambda', 'PutFunctionEventInvokeConfig', take(properties, INVOKE))
    return made
  },
  async delete(_, properties, context) {
    const { FunctionName, Qualifier } = take(properties, INVOKE)
    await context.call('lambda', 'DeleteFunctionEventInvokeConfig', { FunctionName, Qualifier })
  },
}

const version: Provider = {
  async create(properties, context) {
    const { FunctionName, CodeSha256, Description } = properties
    const input = { FunctionName, CodeSha256, Description }
    const answer = await context.call('lambda', 'PublishVersion', input)
    const Version = need(answer, 'Version')
    const arn = need(answer, 'FunctionArn')
    const FunctionArn = arn.endsWith(`:${Version}`) ? arn : `${arn}:${Version}`
    return { id: FunctionArn, attributes: { Version, FunctionArn } }
  },
}

const URL_SETTINGS: Readonly<Record<string, Coerce>> = {
  AuthType: text,
  Cors: asIs,
  InvokeMode: text,
}

const url: Provider = {
  immutable: ['Qualifier', 'TargetFunctionArn'],
  async create(properties, context) {
    const input = { ...target(properties), ...take(properties, URL_SETTINGS) }
    const answer = await context.call('lambda', 'CreateFunctionUrlConfig', input)
    const { FunctionArn, FunctionUrl } = answer
    return { id: need(answer, 'FunctionArn'), attributes: { FunctionArn, FunctionUrl } }
  },
  async update(properties, made, _, context) {
    const input = { ...target(properties), ...take(properties, URL_SETTINGS) }
    await context.call('lambda', 'UpdateFunctionUrlConfig', input)
    return made
  },
  async delete(_, properties, context) {
    await context.call('lambda', 'DeleteFunctionUrlConfig', target(properties))
  },
}

function target(properties: Json): Json {
  const { Qualifier } = properties
  const FunctionName = need(properties, 'TargetFunctionArn')
  return { FunctionName, ...(Qualifier !== undefined && { Qualifier }) }
}

/** AWS::Lambda types. Inline code becomes `index.js`, as in AWS. */
export const provideLambda: Readonly<Record<string, Provider>> = {
  'AWS::Lambda::Function': fn,
  'AWS::Lambda::Permission': permission,
  'AWS::Lambda::EventSourceMapping': mapping,
  'AWS::Lambda::EventInvokeConfig': invocation,
  'AWS::Lambda::Url': url,
  'AWS::Lambda::Version': version,
}
