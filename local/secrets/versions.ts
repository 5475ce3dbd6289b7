import * as v from 'valibot'
import { browse } from '../cursor.ts'
import { AwsError, type Call, type Operation, operation, seconds, type World } from '../service.ts'
import { text, whole } from '../wire.ts'
import { answer, given, seal, unseal, type Value, valueFields } from './content.ts'
import {
  addVersion,
  attach,
  CURRENT,
  crown,
  holder,
  limitLabels,
  moveLabel,
  version as versionOf,
} from './labels.ts'
import type { Replication } from './replicas.ts'
import type { Secret, Store, Version } from './store.ts'

const SecretId = text(1, 2048)
const label = text(1, 256)
const versionId = text(32, 64)

/** Makes a version of a value, for every operation that takes one. */
export interface Versions {
  /**
   * Stores a value as a version under `id`. The same value under the same id again changes nothing.
   * @throws AwsError ResourceExistsException, LimitExceededException, EncryptionFailure, AccessDeniedException
   */
  put(
    secret: Secret,
    draft: { readonly id: string; readonly value: Value; readonly labels: readonly string[] },
    call: Call,
  ): Promise<Version>
  readonly operations: Readonly<Record<string, Operation>>
}

export function versions(
  world: Pick<World, 'call' | 'clock' | 'random'>,
  store: Store,
  replication: Replication,
): Versions {
  const early = earliness(world)
  const repeated = (secret: Secret, id: string, value: Value) => {
    const before = secret.versions.get(id)
    if (before?.content === undefined) return undefined
    if (before.fingerprint !== store.fingerprint(value)) {
      throw inUse(id, secret)
    }
    return before
  }
  const put: Versions['put'] = async (secret, { id, value, labels }, call) => {
    const before = repeated(secret, id, value)
    if (before !== undefined) return before
    const place = { arn: secret.arn, region: secret.region, version: id }
    const content = await seal(world, secret.kms, place, value, call.caller)
    const raced = repeated(secret, id, value)
    if (raced !== undefined) return raced
    const fingerprint = store.fingerprint(value)
    const empty = secret.versions.get(id)
    if (empty !== undefined) {
      limitLabels(secret, labels)
      Object.assign(empty, { content, fingerprint })
      for (const label of labels) attach(secret, label, empty)
      crown(secret, empty)
      replication.changed(secret)
      return empty
    }
    const made = { id, created: world.clock.now(), stages: new Set<string>(), content, fingerprint }
    addVersion(secret, made, labels)
    replication.changed(secret)
    return made
  }

  return {
    put,
    operations: {
      GetSecretValue: operation(
        v.object({
          SecretId,
          VersionId: v.optional(versionId),
          VersionStage: v.optional(label),
        }),
        async ({ SecretId, VersionId, VersionStage }, call) => {
          const secret = store.alive(call, SecretId)
          const version = chosen(secret, VersionId, VersionStage)
          const unseen = VersionId !== undefined && early(call, version)
          if (unseen || version.content === undefined) throw absent(VersionId, VersionStage)
          const stages = [...version.stages]
          const place = { arn: secret.arn, region: secret.region, version: version.id }
          const value = await unseal(world, version.content, place, call.caller)
          version.accessed = store.today()
          return {
            ARN: secret.arn,
            Name: secret.name,
            VersionId: version.id,
            ...answer(value),
            VersionStages: stages,
            CreatedDate: seconds(version.created),
          }
        },
      ),
      PutSecretValue: operation(
        v.object({
          SecretId,
          ...valueFields,
          /** Proves the identity of a rotation function that has taken on a role; without effect. */
          RotationToken: v.optional(v.string()),
          VersionStages: v.optional(v.pipe(v.array(label), v.minLength(1), v.maxLength(20))),
        }),
        async (input, call) => {
          const secret = store.writable(call, input.SecretId)
          const value = given(input)
          if (value === undefined) {
            throw new AwsError(
              'InvalidRequestException',
              'You must provide either SecretString or SecretBinary.',
            )
          }
          const id = input.ClientRequestToken ?? world.random.uuid()
          const labels = input.VersionStages ?? ['AWSCURRENT']
          const { stages } = await put(secret, { id, value, labels }, call)
          return { ARN: secret.arn, Name: secret.name, VersionId: id, VersionStages: [...stages] }
        },
      ),
      UpdateSecretVersionStage: operation(
        v.object({
          SecretId,
          VersionStage: label,
          MoveToVersionId: v.optional(versionId),
          RemoveFromVersionId: v.optional(versionId),
        }),
        ({ SecretId, VersionStage, MoveToVersionId, RemoveFromVersionId }, call) => {
          const secret = store.writable(call, SecretId)
          const target = secret.versions.get(MoveToVersionId ?? '')
          if (target !== undefined && early(call, target)) throw absent(MoveToVersionId, undefined)
          moveLabel(secret, VersionStage, MoveToVersionId, RemoveFromVersionId)
          replication.changed(secret)
          return { ARN: secret.arn, Name: secret.name }
        },
      ),
      ListSecretVersionIds: operation(
        v.object({
          SecretId,
          MaxResults: v.optional(whole(1, 100), 100),
          NextToken: v.optional(v.string()),
          IncludeDeprecated: v.optional(v.boolean(), false),
        }),
        ({ SecretId, MaxResults, NextToken, IncludeDeprecated }, call) => {
          const secret = store.find(call, SecretId)
          const all = [...secret.versions.values()]
          const { items, next } = browse(
            all.filter(({ stages }) => IncludeDeprecated || stages.size > 0),
            ({ created, id }) => `${String(created).padStart(16, '0')} ${id}`,
            { size: MaxResults, token: NextToken },
          )
          return {
            ARN: secret.arn,
            Name: secret.name,
            Versions: items.map(entry),
            NextToken: next,
          }
        },
      ),
    },
  }
}

const HOUR = 3_600_000

/** Tells whether a stale call comes too early for a version: the first of its operation that names it, within an hour. */
function earliness({ clock }: Pick<World, 'clock'>) {
  const reached = new WeakMap<Version, Set<string>>()
  return ({ stale = false, operation }: Call, version: Version): boolean => {
    const by = reached.get(version) ?? new Set()
    const first = !by.has(operation)
    reached.set(version, by.add(operation))
    return stale && first && clock.now() < version.created + HOUR
  }
}

/** The version that a read asks for: by id, by label, or AWSCURRENT; id and label must agree. */
function chosen(secret: Secret, id: string | undefined, label: string | undefined): Version {
  if (id === undefined) {
    const found = holder(secret, label ?? CURRENT)
    if (found !== undefined) return found
    throw absent(id, label)
  }
  const found = versionOf(secret, id)
  if (label === undefined || found.stages.has(label)) return found
  throw new AwsError(
    'InvalidRequestException',
    'You provided a VersionStage that is not associated to the provided VersionId.',
  )
}

function entry({ id, stages, created, accessed, content }: Version) {
  return {
    VersionId: id,
    VersionStages: stages.size > 0 ? [...stages] : undefined,
    CreatedDate: seconds(created),
    LastAccessedDate: accessed === undefined ? undefined : seconds(accessed),
    KmsKeyIds: [content?.at === 'sealed' ? content.kms : 'DefaultEncryptionKey'],
  }
}

function absent(id: string | undefined, label: string | undefined): AwsError {
  const what = id === undefined ? `staging label: ${label ?? CURRENT}` : `VersionId: ${id}`
  return new AwsError(
    'ResourceNotFoundException',
    `Secrets Manager can't find the specified secret value for ${what}`,
  )
}

/** A token that already names another value. */
export function inUse(id: string, { arn }: Secret): AwsError {
  return new AwsError(
    'ResourceExistsException',
    `You can't use ClientRequestToken ${id} because that value is already in use for a version of secret ${arn}.`,
  )
}
