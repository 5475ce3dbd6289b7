import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  type DescribeSecretResponse,
  GetSecretValueCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RemoveRegionsFromReplicationCommand,
  ReplicateSecretToRegionsCommand,
  RestoreSecretCommand,
  type SecretListEntry,
  type SecretsManagerClient,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { RelayError } from '../pki/error.ts'
import { Secret } from '../pki/secret.ts'
import { readTags } from '../pki/tags.ts'
import type { Held, Keeper, Keeping, Listed, Vault } from '../ports/vault.ts'
import { required } from './acm.ts'
import { ask } from './errors.ts'

const MISSING = { ResourceNotFoundException: 'SECRET_MISSING' } as const

/** Secrets Manager as the vault. */
export function vault(client: SecretsManagerClient): Vault {
  async function find(secret: string): Promise<Held | undefined> {
    try {
      const command = new DescribeSecretCommand({ SecretId: secret })
      return held(await ask(`describe secret ${secret}`, () => client.send(command), MISSING))
    } catch (error) {
      if (error instanceof RelayError && error.code === 'SECRET_MISSING') return undefined
      throw error
    }
  }

  /**
   * AWS has one name for a secret that is gone and for a version that is not there, and shows what was stored a moment ago not
   * everywhere at once: which of both it is says the secret itself.
   */
  async function told<T>(
    secret: string,
    version: string | undefined,
    call: Promise<T>,
  ): Promise<T> {
    try {
      return await call
    } catch (error) {
      const missing = error instanceof RelayError && error.code === 'SECRET_MISSING'
      if (!missing || version === undefined) throw error
      const there = await find(secret)
      if (there === undefined || there.deleted) throw error
      const why = `the secret is there, its version ${version} is not shown yet`
      throw new RelayError('VERSION_MISSING', `${error.message}; ${why}: it is tried again`, {
        cause: error.cause,
      })
    }
  }

  return {
    find,
    async create(name, { key, replicas }, tags) {
      const command = new CreateSecretCommand({
        Name: name,
        Tags: pairs(tags),
        ...(key !== undefined && { KmsKeyId: key }),
        ...(replicas.length > 0 && { AddReplicaRegions: replicas.map((Region) => ({ Region })) }),
      })
      const under = key === undefined ? '' : ` with SecretKey ${key}`
      const { ARN } = await ask(`create secret ${name}${under}`, () => client.send(command), {
        ResourceExistsException: 'SECRET_TAKEN',
        InvalidRequestException: 'SECRET_TAKEN',
        InvalidParameterException: 'PROPERTY_INVALID',
      })
      return required(ARN, 'CreateSecret answered no ARN')
    },
    async put(secret, version, content, label) {
      const command = new PutSecretValueCommand({
        SecretId: secret,
        ClientRequestToken: version,
        SecretString: Buffer.from(content.reveal()).toString('utf8'),
        VersionStages: [label],
      })
      await ask(`store version ${version} of secret ${secret}`, () => client.send(command), {
        ...MISSING,
        ResourceExistsException: 'VERSION_CONFLICT',
      })
    },
    async read(secret, version) {
      const command = new GetSecretValueCommand({
        SecretId: secret,
        ...(version !== undefined && { VersionId: version }),
      })
      const what =
        version === undefined ? `secret ${secret}` : `version ${version} of secret ${secret}`
      const reading = ask(`read ${what}`, () => client.send(command), {
        ...MISSING,
        InvalidRequestException: 'SECRET_MISSING',
      })
      const { VersionId, SecretString } = await told(secret, version, reading)
      if (SecretString === undefined)
        throw new RelayError('BUNDLE_INVALID', `${what} holds binary data, not a bundle`)
      return {
        version: required(VersionId, 'GetSecretValue answered no version'),
        content: Secret.from(SecretString),
      }
    },
    async move(secret, label, from, to) {
      const command = new UpdateSecretVersionStageCommand({
        SecretId: secret,
        VersionStage: label,
        ...(from !== undefined && { RemoveFromVersionId: from }),
        ...(to !== undefined && { MoveToVersionId: to }),
      })
      const what = `move ${label} of secret ${secret} to version ${to ?? 'none'}`
      const moving = ask(what, () => client.send(command), {
        ...MISSING,
        InvalidParameterException: 'VERSION_CONFLICT',
      })
      await told(secret, to ?? from, moving)
    },
  }
}

/** What surrounds the values: tags, keys, replicas, deletion. */
export function keeper(client: SecretsManagerClient): Keeper {
  const unreplicate = async (secret: string, regions: readonly string[]) => {
    if (regions.length === 0) return
    const command = new RemoveRegionsFromReplicationCommand({
      SecretId: secret,
      RemoveReplicaRegions: [...regions],
    })
    await ask(`remove replicas of secret ${secret}`, () => client.send(command), MISSING)
  }
  return {
    async tag(secret, tags, remove = []) {
      if (remove.length > 0) {
        const command = new UntagResourceCommand({ SecretId: secret, TagKeys: [...remove] })
        await ask(`untag secret ${secret}`, () => client.send(command), MISSING)
      }
      if (Object.keys(tags).length === 0) return
      const command = new TagResourceCommand({ SecretId: secret, Tags: pairs(tags) })
      await ask(`tag secret ${secret}`, () => client.send(command), {
        ...MISSING,
        InvalidParameterException: 'PROPERTY_INVALID',
      })
    },
    async keep({ arn, key, replicas }, wanted: Keeping) {
      if (wanted.key !== undefined && wanted.key !== key) {
        const command = new UpdateSecretCommand({ SecretId: arn, KmsKeyId: wanted.key })
        await ask(`change the key of secret ${arn}`, () => client.send(command), MISSING)
      }
      await unreplicate(
        arn,
        replicas.filter((region) => !wanted.replicas.includes(region)),
      )
      const missing = wanted.replicas.filter((region) => !replicas.includes(region))
      if (missing.length === 0) return
      const command = new ReplicateSecretToRegionsCommand({
        SecretId: arn,
        AddReplicaRegions: missing.map((Region) => ({ Region })),
      })
      await ask(
        `replicate secret ${arn} to ${missing.join(', ')}`,
        () => client.send(command),
        MISSING,
      )
    },
    async restore(secret) {
      const command = new RestoreSecretCommand({ SecretId: secret })
      await ask(`restore secret ${secret}`, () => client.send(command), MISSING)
    },
    async remove(secret) {
      try {
        const describe = new DescribeSecretCommand({ SecretId: secret })
        const { arn, replicas, deleted } = held(
          await ask(`describe secret ${secret}`, () => client.send(describe), MISSING),
        )
        if (deleted) return
        await unreplicate(arn, replicas)
        const command = new DeleteSecretCommand({ SecretId: arn, RecoveryWindowInDays: 7 })
        await ask(`delete secret ${arn}`, () => client.send(command), MISSING)
      } catch (error) {
        if (error instanceof RelayError && error.code === 'SECRET_MISSING') return
        throw error
      }
    },
    async *managed({ source, service } = {}) {
      const value = source ?? service
      let NextToken: string | undefined
      do {
        const command = new ListSecretsCommand({
          MaxResults: 100,
          Filters: [
            { Key: 'tag-key', Values: ['certrelay:source'] },
            ...(value === undefined ? [] : [{ Key: 'tag-value' as const, Values: [value] }]),
          ],
          ...(NextToken !== undefined && { NextToken }),
        })
        const page = await ask('list managed secrets', () => client.send(command))
        yield (page.SecretList ?? []).flatMap((entry) => {
          const one = listed(entry)
          return one !== undefined && belongs(one, source, service) ? [one] : []
        })
        NextToken = page.NextToken
      } while (NextToken !== undefined)
    },
  }
}

/** AWS finds values that begin like this one, in any tag. */
function belongs({ tags }: Listed, source?: string, service?: string): boolean {
  const registration = readTags(tags)
  if (registration === undefined || registration.source === 'trust') return false
  if (service !== undefined) return registration.services.includes(service)
  return source === undefined || registration.source === source
}

function listed(entry: SecretListEntry): Listed | undefined {
  const { ARN: arn, Tags = [], SecretVersionsToStages = {}, CreatedDate, LastChangedDate } = entry
  if (arn === undefined || isReplica(entry)) return undefined
  const tags = Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value]))
  return {
    arn,
    tags,
    versions: new Map(Object.entries(SecretVersionsToStages)),
    ...(CreatedDate && { created: CreatedDate.getTime() }),
    ...(LastChangedDate && { changed: LastChangedDate.getTime() }),
  }
}

/** A replica carries its primary's tags, but it is looked after where its primary is. */
function isReplica({ ARN, PrimaryRegion }: SecretListEntry): boolean {
  return PrimaryRegion !== undefined && ARN?.split(':')[3] !== PrimaryRegion
}

function held(about: DescribeSecretResponse): Held {
  const {
    ARN,
    Name,
    Tags = [],
    VersionIdsToStages = {},
    DeletedDate,
    KmsKeyId,
    ReplicationStatus = [],
    RotationEnabled = false,
  } = about
  return {
    arn: required(ARN, 'DescribeSecret answered no ARN'),
    name: required(Name, 'DescribeSecret answered no name'),
    tags: Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value])),
    versions: new Map(Object.entries(VersionIdsToStages)),
    deleted: DeletedDate !== undefined,
    rotating: RotationEnabled,
    replicas: ReplicationStatus.flatMap(({ Region }) => (Region === undefined ? [] : [Region])),
    ...(KmsKeyId && { key: KmsKeyId }),
  }
}

function pairs(tags: Readonly<Record<string, string>>) {
  return Object.entries(tags).map(([Key, Value]) => ({ Key, Value }))
}
