import * as v from 'valibot'
import { parsePolicy } from '../policy.ts'
import { AwsError, type Call, type Operation, operation, seconds, type World } from '../service.ts'
import { text } from '../wire.ts'
import { given, seal, unseal, type Value, valueFields } from './content.ts'
import { customerKey, type Replication, replicaFields, replicationStatus } from './replicas.ts'
import { rotationMembers } from './rotation.ts'
import type { Secret, Store } from './store.ts'
import { inUse, type Versions } from './versions.ts'

const DAY = 86_400_000
const TAGS = 50
const SecretId = text(1, 2048)
const Name = v.pipe(
  text(1, 512),
  v.regex(
    /^[A-Za-z0-9/_+=.@-]+$/,
    'Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!',
  ),
)
const TagList = v.array(v.object({ Key: text(1, 128), Value: text(0, 256) }))
const described = {
  ...valueFields,
  Description: v.optional(text(0, 2048)),
  KmsKeyId: v.optional(text(0, 2048)),
}

/** The operations on secrets as such: making, changing, describing, deleting, tagging. */
export function lifecycle(
  world: Pick<World, 'account' | 'call' | 'clock' | 'random'>,
  store: Store,
  replication: Replication,
  versions: Versions,
): Readonly<Record<string, Operation>> {
  const { clock, random } = world

  const arnOf = ({ region }: Call, name: string) =>
    `arn:aws:secretsmanager:${region}:${world.account}:secret:${name}-${random.letters(6)}`
  /** Answers an earlier CreateSecret of the same token and value; anything else of that name is refused. */
  const repeated = (call: Call, name: string, id: string, value: Value | undefined) => {
    const before = store.region(call.region).get(name)
    if (before === undefined) return undefined
    if (before.deletion !== undefined) {
      throw new AwsError(
        'InvalidRequestException',
        "You can't create this secret because a secret with this name is already scheduled for deletion.",
      )
    }
    const version = before.versions.get(id)
    if (version !== undefined && value !== undefined && before.primary === undefined) {
      if (version.fingerprint === store.fingerprint(value)) return before
    }
    throw new AwsError(
      'ResourceExistsException',
      `The operation failed because the secret ${name} already exists.`,
    )
  }
  /** What Secrets Manager does before it accepts a customer key. */
  const tryKey = async (kms: string | undefined, arn: string, call: Call) => {
    const place = { arn, region: call.region, version: 'RequestToValidateKeyAccess' }
    const value: Value = { kind: 'SecretString', bytes: Buffer.from('x') }
    const content = await seal(world, kms, place, value, call.caller)
    await unseal(world, content, place, call.caller)
  }
  const reseal = async (secret: Secret, kms: string | undefined, call: Call) => {
    await tryKey(kms, secret.arn, call)
    const labeled = [...secret.versions.values()].filter(({ stages }) => stages.size > 0)
    const contents = await Promise.all(
      labeled.map(async ({ id, content }) => {
        if (content === undefined) return undefined
        const place = { arn: secret.arn, region: secret.region, version: id }
        const value = await unseal(world, content, place, call.caller)
        return seal(world, kms, place, value, call.caller)
      }),
    )
    secret.kms = kms
    labeled.forEach((version, index) => {
      version.content = contents[index] ?? version.content
    })
  }
  const named = ({ arn, name }: Secret) => ({ ARN: arn, Name: name })

  return {
    CreateSecret: operation(
      v.object({ Name, ...described, ...replicaFields, Tags: v.optional(TagList, []) }),
      async (input, call) => {
        const { Name: name, Description = '', Tags, AddReplicaRegions = [] } = input
        const value = given(input)
        const id = input.ClientRequestToken ?? random.uuid()
        const answer = (secret: Secret) => ({
          ...named(secret),
          ...(value !== undefined && { VersionId: id }),
          ...(secret.replicas.size > 0 && { ReplicationStatus: replicationStatus(secret) }),
        })
        const before = repeated(call, name, id, value)
        if (before !== undefined) return answer(before)
        const secret: Secret = {
          name,
          arn: arnOf(call, name),
          region: call.region,
          created: clock.now(),
          changed: clock.now(),
          description: Description,
          kms: customerKey(input.KmsKeyId),
          tags: tagged(new Map(), Tags),
          versions: new Map(),
          replicas: new Map(),
        }
        replication.check(secret, AddReplicaRegions)
        await tryKey(secret.kms, secret.arn, call)
        if (value !== undefined) {
          await versions.put(secret, { id, value, labels: ['AWSCURRENT'] }, call)
        }
        const raced = repeated(call, name, id, value)
        if (raced !== undefined) return answer(raced)
        store.region(call.region).set(name, secret)
        replication.add(secret, AddReplicaRegions, input.ForceOverwriteReplicaSecret)
        return answer(secret)
      },
    ),
    UpdateSecret: operation(v.object({ SecretId, ...described }), async (input, call) => {
      const secret = store.writable(call, input.SecretId)
      const value = given(input)
      const id = input.ClientRequestToken ?? random.uuid()
      if (value !== undefined && secret.versions.has(id)) throw inUse(id, secret)
      if (input.KmsKeyId !== undefined && customerKey(input.KmsKeyId) !== secret.kms) {
        await reseal(secret, customerKey(input.KmsKeyId), call)
      }
      secret.description = input.Description ?? secret.description
      if (value !== undefined) {
        await versions.put(secret, { id, value, labels: ['AWSCURRENT'] }, call)
      }
      replication.changed(secret)
      return { ...named(secret), ...(value !== undefined && { VersionId: id }) }
    }),
    DescribeSecret: operation(v.object({ SecretId }), (input, call) => {
      const secret = store.find(call, input.SecretId)
      return {
        ...summary(secret),
        VersionIdsToStages: stagesOf(secret),
        ...(secret.replicas.size > 0 && { ReplicationStatus: replicationStatus(secret) }),
      }
    }),
    DeleteSecret: operation(
      v.object({
        SecretId,
        RecoveryWindowInDays: v.optional(v.pipe(v.number(), v.integer())),
        ForceDeleteWithoutRecovery: v.optional(v.boolean(), false),
      }),
      (input, call) => {
        const { RecoveryWindowInDays: days, ForceDeleteWithoutRecovery: force } = input
        if (force && days !== undefined) {
          throw invalid(
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
          )
        }
        if (days !== undefined && (days < 7 || days > 30)) {
          throw invalid('The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).')
        }
        const now = clock.now()
        if (force && store.look(call.region, input.SecretId) === undefined) {
          const name = input.SecretId.replace(/^arn:.*:secret:/, '')
          return { ARN: arnOf(call, name), Name: name, DeletionDate: seconds(now) }
        }
        const secret = force
          ? store.find(call, input.SecretId)
          : store.writable(call, input.SecretId)
        if (secret.primary !== undefined) store.writable(call, input.SecretId)
        if (secret.replicas.size > 0) {
          throw invalid(
            `You can't delete secret ${secret.name} that still has replica regions ${[...secret.replicas.keys()].join(', ')}.`,
          )
        }
        const remove = () => {
          if (store.region(secret.region).get(secret.name) === secret) {
            store.region(secret.region).delete(secret.name)
          }
        }
        const date = force ? now : now + (days ?? 30) * DAY
        secret.deletion?.cancel()
        if (force) remove()
        else secret.deletion = { date, cancel: clock.at(date, remove).cancel }
        return { ...named(secret), DeletionDate: seconds(date) }
      },
    ),
    RestoreSecret: operation(v.object({ SecretId }), (input, call) => {
      const secret = store.find(call, input.SecretId)
      secret.deletion?.cancel()
      secret.deletion = undefined
      return named(secret)
    }),
    TagResource: operation(v.object({ SecretId, Tags: TagList }), (input, call) => {
      const secret = store.writable(call, input.SecretId)
      tagged(secret.tags, input.Tags)
      replication.changed(secret)
      return {}
    }),
    UntagResource: operation(
      v.object({ SecretId, TagKeys: v.array(text(1, 128)) }),
      (input, call) => {
        const secret = store.writable(call, input.SecretId)
        for (const key of input.TagKeys) secret.tags.delete(key)
        replication.changed(secret)
        return {}
      },
    ),
    PutResourcePolicy: operation(
      v.object({ SecretId, ResourcePolicy: text(1, 20_480) }),
      (input, call) => {
        const secret = store.alive(call, input.SecretId)
        parsePolicy(input.ResourcePolicy, 'MalformedPolicyDocumentException')
        secret.policy = input.ResourcePolicy
        return named(secret)
      },
    ),
    GetResourcePolicy: operation(v.object({ SecretId }), (input, call) => {
      const secret = store.alive(call, input.SecretId)
      return { ...named(secret), ResourcePolicy: secret.policy }
    }),
    DeleteResourcePolicy: operation(v.object({ SecretId }), (input, call) => {
      const secret = store.alive(call, input.SecretId)
      secret.policy = undefined
      return named(secret)
    }),
  }
}

/** What DescribeSecret and ListSecrets both say. */
export function summary(secret: Secret): Record<string, unknown> {
  const accessed = [...secret.versions.values()].flatMap(({ accessed = [] }) => accessed)
  const replicated = secret.primary ?? (secret.replicas.size > 0 ? secret.region : undefined)
  return {
    ARN: secret.arn,
    Name: secret.name,
    Description: secret.description === '' ? undefined : secret.description,
    KmsKeyId: secret.kms,
    ...rotationMembers(secret),
    LastChangedDate: seconds(secret.changed),
    LastAccessedDate: accessed.length > 0 ? seconds(Math.max(...accessed)) : undefined,
    DeletedDate: secret.deletion && seconds(secret.deletion.date),
    Tags: [...secret.tags].map(([Key, Value]) => ({ Key, Value })),
    CreatedDate: seconds(secret.created),
    PrimaryRegion: replicated,
  }
}

/** Labeled versions only: the others are deprecated. */
export function stagesOf({ versions }: Secret): Record<string, string[]> {
  return Object.fromEntries(
    [...versions.values()]
      .filter(({ stages }) => stages.size > 0)
      .map(({ id, stages }) => [id, [...stages]]),
  )
}

function tagged(tags: Map<string, string>, added: v.InferOutput<typeof TagList>) {
  if (added.some(({ Key }) => Key.startsWith('aws:'))) {
    throw invalid('Tag keys that begin with aws: are reserved.')
  }
  if (new Set([...tags.keys(), ...added.map(({ Key }) => Key)]).size > TAGS) {
    throw invalid(`A secret can have at most ${TAGS} tags.`)
  }
  for (const { Key, Value } of added) tags.set(Key, Value)
  return tags
}

function invalid(message: string): AwsError {
  return new AwsError('InvalidParameterException', message)
}
