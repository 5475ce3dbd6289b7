import { randomInt } from 'node:crypto'
import {
  type Coerce,
  document,
  each,
  flag,
  type Json,
  list,
  need,
  number,
  record,
  shaped,
  take,
  text,
} from '../json.ts'
import { AwsError } from '../service.ts'
import type { Context, Made, Provider } from './provider.ts'
import { differs } from './stack.ts'

const KEY: Readonly<Record<string, Coerce>> = {
  BypassPolicyLockoutSafetyCheck: flag,
  Description: text,
  KeySpec: text,
  KeyUsage: text,
  MultiRegion: flag,
  Origin: text,
}

const key: Provider = {
  immutable: ['KeySpec', 'KeyUsage', 'MultiRegion', 'Origin'],
  async create(properties, context) {
    const answer = await context.call('kms', 'CreateKey', {
      ...take(properties, KEY),
      ...policyOf(properties),
      Tags: list(properties['Tags']).map((tag) => ({
        TagKey: need(record(tag), 'Key'),
        TagValue: need(record(tag), 'Value'),
      })),
    })
    const metadata = record(answer['KeyMetadata'])
    const KeyId = need(metadata, 'KeyId')
    const made = { id: KeyId, attributes: { KeyId, Arn: need(metadata, 'Arn') } }
    context.began(made)
    await settleKey(properties, {}, made, context)
    return made
  },
  async update(properties, made, old, context) {
    const KeyId = made.id
    const { Description } = take(properties, { Description: text })
    if (Description !== old['Description']) {
      await context.call('kms', 'UpdateKeyDescription', { KeyId, Description: Description ?? '' })
    }
    const policy = policyOf(properties)
    if (JSON.stringify(policy) !== JSON.stringify(policyOf(old))) {
      await context.call('kms', 'PutKeyPolicy', { KeyId, PolicyName: 'default', ...policy })
    }
    await settleKey(properties, old, made, context)
    return made
  },
  async delete({ id }, properties, context) {
    const { PendingWindowInDays } = take(properties, { PendingWindowInDays: number })
    await context.call('kms', 'ScheduleKeyDeletion', { KeyId: id, PendingWindowInDays })
  },
}

function policyOf(properties: Json): Json {
  const { KeyPolicy: Policy } = take(properties, { KeyPolicy: document })
  return Policy === undefined ? {} : { Policy }
}

/** EnableKeyRotation is accepted and has no effect: keys here never rotate by themselves. */
async function settleKey(properties: Json, old: Json, made: Made, context: Context) {
  const isOn = (from: Json) => take(from, { Enabled: flag })['Enabled'] ?? true
  if (isOn(properties) === isOn(old)) return
  const operation = isOn(properties) ? 'EnableKey' : 'DisableKey'
  await context.call('kms', operation, { KeyId: made.id })
}

const alias: Provider = {
  immutable: ['AliasName'],
  async create(properties, context) {
    const AliasName = need(properties, 'AliasName')
    const TargetKeyId = need(properties, 'TargetKeyId')
    await context.call('kms', 'CreateAlias', { AliasName, TargetKeyId })
    return { id: AliasName, attributes: {} }
  },
  async update(properties, made, _, context) {
    const TargetKeyId = need(properties, 'TargetKeyId')
    await context.call('kms', 'UpdateAlias', { AliasName: made.id, TargetKeyId })
    return made
  },
  async delete({ id }, _, context) {
    await context.call('kms', 'DeleteAlias', { AliasName: id })
  },
}

const SECRET: Readonly<Record<string, Coerce>> = {
  Description: text,
  KmsKeyId: text,
  SecretString: text,
}

const secret: Provider = {
  immutable: ['Name'],
  async create(properties, context) {
    const generated = properties['GenerateSecretString']
    const answer = await context.call('secretsmanager', 'CreateSecret', {
      Name: properties['Name'] ?? context.name(200),
      ...take(properties, SECRET),
      ...(generated !== undefined && { SecretString: generate(record(generated)) }),
      ...take(properties, { Tags: each({ Key: text, Value: text }) }),
      ...(properties['ReplicaRegions'] !== undefined && {
        AddReplicaRegions: properties['ReplicaRegions'],
      }),
    })
    const arn = need(answer, 'ARN')
    return { id: arn, attributes: { Id: arn } }
  },
  async update(properties, made, old, context) {
    const { SecretString, ...rest } = take(properties, SECRET)
    const options = properties['GenerateSecretString']
    const again =
      options !== undefined && differs({ options }, { options: old['GenerateSecretString'] })
    const value = again ? generate(record(options)) : SecretString
    await context.call('secretsmanager', 'UpdateSecret', {
      SecretId: made.id,
      ...rest,
      ...(value !== undefined && value !== old['SecretString'] && { SecretString: value }),
    })
    const { Tags = [] } = take(properties, { Tags: each({ Key: text, Value: text }) })
    const left = list(old['Tags']).map((tag) => need(record(tag), 'Key'))
    const kept = list(Tags).map((tag) => need(record(tag), 'Key'))
    const TagKeys = left.filter((name) => !kept.includes(name))
    const SecretId = made.id
    if (TagKeys.length > 0) {
      await context.call('secretsmanager', 'UntagResource', { SecretId, TagKeys })
    }
    if (kept.length > 0) await context.call('secretsmanager', 'TagResource', { SecretId, Tags })
    await replicate(properties, old, SecretId, context)
    return made
  },
  async delete({ id }, properties, context) {
    await replicate({}, properties, id, context)
    const input = { SecretId: id, ForceDeleteWithoutRecovery: true }
    await context.call('secretsmanager', 'DeleteSecret', input)
  },
}

/** Adds the replicas that are new and removes those that are gone. */
async function replicate(properties: Json, old: Json, SecretId: string, context: Context) {
  const read = (from: Json) => list(from['ReplicaRegions']).map(record)
  const names = (from: Json) => read(from).map((replica) => need(replica, 'Region'))
  const AddReplicaRegions = read(properties).filter(
    (replica) => !names(old).includes(need(replica, 'Region')),
  )
  const RemoveReplicaRegions = names(old).filter((name) => !names(properties).includes(name))
  if (AddReplicaRegions.length > 0) {
    const input = { SecretId, AddReplicaRegions }
    await context.call('secretsmanager', 'ReplicateSecretToRegions', input)
  }
  if (RemoveReplicaRegions.length > 0) {
    const input = { SecretId, RemoveReplicaRegions }
    await context.call('secretsmanager', 'RemoveRegionsFromReplication', input)
  }
}

const SETS: readonly [string, string][] = [
  ['ExcludeLowercase', 'abcdefghijklmnopqrstuvwxyz'],
  ['ExcludeUppercase', 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'],
  ['ExcludeNumbers', '0123456789'],
  ['ExcludePunctuation', '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~'],
]

/** GenerateSecretString: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-secretsmanager-secret-generatesecretstring.html */
function generate(options: Json): string {
  const { PasswordLength = 32, ExcludeCharacters = '' } = take(options, {
    PasswordLength: number,
    ExcludeCharacters: text,
  })
  const alphabet = SETS.filter(([name]) => String(options[name]) !== 'true')
    .flatMap(([, letters]) => [...letters])
    .filter((letter) => !String(ExcludeCharacters).includes(letter))
  const pick = () => alphabet[randomInt(alphabet.length)]
  const password = Array.from({ length: Number(PasswordLength) }, pick).join('')
  if (options['SecretStringTemplate'] === undefined) return password
  const template: unknown = JSON.parse(need(options, 'SecretStringTemplate'))
  return JSON.stringify({ ...record(template), [need(options, 'GenerateStringKey')]: password })
}

const ROTATION: Readonly<Record<string, Coerce>> = {
  RotationLambdaARN: text,
  RotationRules: shaped({
    AutomaticallyAfterDays: number,
    Duration: text,
    ScheduleExpression: text,
  }),
}

async function rotate(properties: Json, context: Context) {
  if (properties['HostedRotationLambda'] !== undefined) {
    throw new AwsError('InvalidRequest', 'HostedRotationLambda is not supported here.')
  }
  const { RotateImmediatelyOnUpdate: now = true } = take(properties, {
    RotateImmediatelyOnUpdate: flag,
  })
  return context.call('secretsmanager', 'RotateSecret', {
    SecretId: need(properties, 'SecretId'),
    ...take(properties, ROTATION),
    RotateImmediately: now,
  })
}

const rotationSchedule: Provider = {
  immutable: ['SecretId'],
  async create(properties, context) {
    const arn = need(await rotate(properties, context), 'ARN')
    return { id: arn, attributes: { Id: arn } }
  },
  async update(properties, made, _, context) {
    await rotate(properties, context)
    return made
  },
  async delete({ id }, _, context) {
    await context.call('secretsmanager', 'CancelRotateSecret', { SecretId: id })
  },
}

/** AWS::KMS and AWS::SecretsManager types. A deleted secret can be made again at once, as in AWS. */
export const provideKeys: Readonly<Record<string, Provider>> = {
  'AWS::KMS::Key': key,
  'AWS::KMS::Alias': alias,
  'AWS::SecretsManager::RotationSchedule': rotationSchedule,
  'AWS::SecretsManager::Secret': secret,
}
