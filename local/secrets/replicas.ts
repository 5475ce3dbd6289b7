import * as v from 'valibot'
import { AwsError, type Operation, operation, type World } from '../service.ts'
import { text } from '../wire.ts'
import { seal, unseal } from './content.ts'
import type { Replica, Secret, Store, Version } from './store.ts'

/** How long a change takes to reach a replica, in milliseconds of the clock. */
const DELAY = 1_000

export const replicaFields = {
  AddReplicaRegions: v.optional(
    v.pipe(
      v.array(v.object({ Region: text(1, 128), KmsKeyId: v.optional(text(0, 2048)) })),
      v.minLength(1),
    ),
  ),
  ForceOverwriteReplicaSecret: v.optional(v.boolean(), false),
}
type Asked = readonly { readonly Region: string; readonly KmsKeyId?: string | undefined }[]

/** Copies secrets into other regions, a little later. */
export interface Replication {
  /** @throws AwsError InvalidParameterException for a region that is unknown, the secret's own, or named twice. */
  check(secret: Pick<Secret, 'region'>, regions: Asked): void
  add(secret: Secret, regions: Asked, overwrite: boolean): void
  /** Tells that a secret has changed. */
  changed(secret: Secret): void
  readonly operations: Readonly<Record<string, Operation>>
}

export function replication(
  world: Pick<World, 'account' | 'clock' | 'regions' | 'call'>,
  store: Store,
): Replication {
  const { clock } = world
  const pending = new Set<Replica>()

  const check = (secret: Pick<Secret, 'region'>, regions: Asked) => {
    const names = regions.map(({ Region }) => Region)
    for (const name of names) {
      if (name === secret.region || !world.regions.includes(name)) {
        throw new AwsError('InvalidParameterException', `Invalid replica region ${name}.`)
      }
    }
    if (new Set(names).size < names.length) {
      throw new AwsError('InvalidParameterException', 'A replica region is named more than once.')
    }
  }
  const schedule = (secret: Secret, replica: Replica) => {
    replica.status = 'InProgress'
    delete replica.message
    if (pending.has(replica)) return
    pending.add(replica)
    clock.after(DELAY, async () => {
      pending.delete(replica)
      if (secret.replicas.get(replica.region) !== replica) return
      await copy(secret, replica)
    })
  }
  const copy = async (secret: Secret, replica: Replica) => {
    const { region, kms, overwrite } = replica
    const fail = (message: string) => {
      replica.status = 'Failed'
      replica.message = message
    }
    const there = store.region(region).get(secret.name)
    const own = there?.primary === secret.region ? there : undefined
    if (there !== undefined && own === undefined && !overwrite) {
      return fail(
        `Replication failed: Secret name ${secret.name} already exists in region ${region}.`,
      )
    }
    const arn = arnIn(secret, region)
    const versions = await copies(secret, { arn, region, kms, old: own?.versions }).catch(
      (error: unknown) => {
        if (error instanceof AwsError) fail(`Replication failed: ${error.message}`)
        else throw error
      },
    )
    if (versions === undefined || secret.replicas.get(region) !== replica) return
    there?.deletion?.cancel()
    store.region(region).set(secret.name, {
      name: secret.name,
      arn,
      region,
      created: own?.created ?? clock.now(),
      changed: clock.now(),
      description: secret.description,
      kms,
      tags: new Map(secret.tags),
      versions,
      replicas: new Map(),
      primary: secret.region,
      policy: own?.policy,
    })
    if (!pending.has(replica)) replica.status = 'InSync'
  }
  const copies = async (
    secret: Secret,
    target: {
      arn: string
      region: string
      kms: string | undefined
      old: Map<string, Version> | undefined
    },
  ) => {
    const { arn, region, kms, old } = target
    const versions = new Map<string, Version>()
    for (const version of [...secret.versions.values()]) {
      const { id, content, fingerprint, created } = version
      const stages = new Set(version.stages)
      const before = old?.get(id)
      const place = { arn, region, version: id }
      const from = { arn: secret.arn, region: secret.region, version: id }
      const kept =
        content === undefined || before?.fingerprint === fingerprint
          ? before?.content
          : await seal(world, kms, place, await unseal(world, content, from, undefined), undefined)
      versions.set(id, { id, created, stages, content: kept, fingerprint })
    }
    return versions
  }
  const changed = (secret: Secret) => {
    secret.changed = clock.now()
    for (const replica of secret.replicas.values()) schedule(secret, replica)
  }
  const add = (secret: Secret, regions: Asked, overwrite: boolean) => {
    for (const { Region: region, KmsKeyId } of regions) {
      const kms = customerKey(KmsKeyId)
      const replica: Replica = { region, kms, overwrite, status: 'InProgress' }
      secret.replicas.set(region, replica)
      schedule(secret, replica)
    }
  }

  return {
    check,
    add,
    changed,
    operations: {
      ReplicateSecretToRegions: operation(
        v.object({
          ...replicaFields,
          SecretId: text(1, 2048),
          AddReplicaRegions: v.unwrap(replicaFields.AddReplicaRegions),
        }),
        ({ SecretId, AddReplicaRegions, ForceOverwriteReplicaSecret }, call) => {
          const secret = store.writable(call, SecretId)
          check(secret, AddReplicaRegions)
          for (const { Region } of AddReplicaRegions) {
            const known = secret.replicas.get(Region)
            if (known === undefined || known.status === 'Failed') continue
            throw new AwsError(
              'InvalidParameterException',
              `The secret is already replicated to region ${Region}.`,
            )
          }
          add(secret, AddReplicaRegions, ForceOverwriteReplicaSecret)
          return { ARN: secret.arn, ReplicationStatus: replicationStatus(secret) }
        },
      ),
      RemoveRegionsFromReplication: operation(
        v.object({
          SecretId: text(1, 2048),
          RemoveReplicaRegions: v.pipe(v.array(text(1, 128)), v.minLength(1)),
        }),
        ({ SecretId, RemoveReplicaRegions }, call) => {
          const secret = store.writable(call, SecretId)
          for (const region of RemoveReplicaRegions) {
            if (secret.replicas.has(region)) continue
            throw new AwsError(
              'InvalidParameterException',
              `The secret is not replicated to region ${region}.`,
            )
          }
          for (const region of RemoveReplicaRegions) {
            secret.replicas.delete(region)
            const there = store.region(region).get(secret.name)
            if (there?.primary === secret.region) store.region(region).delete(secret.name)
          }
          return { ARN: secret.arn, ReplicationStatus: replicationStatus(secret) }
        },
      ),
      StopReplicationToReplica: operation(
        v.object({ SecretId: text(1, 2048) }),
        ({ SecretId }, call) => {
          const secret = store.alive(call, SecretId)
          if (secret.primary === undefined) {
            throw new AwsError(
              'InvalidParameterException',
              'The secret is not a replica: call this operation in the Region of the replica.',
            )
          }
          store.region(secret.primary).get(secret.name)?.replicas.delete(secret.region)
          secret.primary = undefined
          return { ARN: secret.arn }
        },
      ),
    },
  }
}

/** ReplicationStatus of the API. */
export function replicationStatus(secret: Secret) {
  return [...secret.replicas.values()].map(({ region, kms, status, message }) => ({
    Region: region,
    KmsKeyId: kms ?? 'alias/aws/secretsmanager',
    Status: status,
    StatusMessage: message,
  }))
}

/** A customer key, or nothing for the key that AWS manages. */
export function customerKey(reference: string | undefined): string | undefined {
  return reference === undefined ||
    reference === '' ||
    reference.endsWith('alias/aws/secretsmanager')
    ? undefined
    : reference
}

function arnIn({ arn, region }: Secret, other: string): string {
  return arn.replace(`:${region}:`, `:${other}:`)
}
