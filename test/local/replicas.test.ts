import { CreateKeyCommand, DisableKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RemoveRegionsFromReplicationCommand,
  ReplicateSecretToRegionsCommand,
  SecretsManagerClient,
  StopReplicationToReplicaCommand,
  TagResourceCommand,
} from '@aws-sdk/client-secrets-manager'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { kms } from '../../local/kms/index.ts'
import { secrets } from '../../local/secrets/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { client } from '../support/client.ts'

const AddReplicaRegions = [{ Region: 'us-west-2' }]
let world: Ground
let east: SecretsManagerClient
let west: SecretsManagerClient

beforeEach(async () => {
  world = await open({}, (ground) => ({ services: [kms(ground), secrets(ground)] }))
  east = new SecretsManagerClient(client(world))
  west = new SecretsManagerClient(client(world, 'us-west-2'))
})
afterEach(async () => {
  east.destroy()
  west.destroy()
  await world.close()
})

const create = (more: object = {}) =>
  east.send(new CreateSecretCommand({ Name: 'a', SecretString: 'one', ...more }))
const put = (at: SecretsManagerClient, SecretString: string) =>
  at.send(new PutSecretValueCommand({ SecretId: 'a', SecretString }))
const read = async (at: SecretsManagerClient) =>
  (await at.send(new GetSecretValueCommand({ SecretId: 'a' }))).SecretString
const describe = (at: SecretsManagerClient) => at.send(new DescribeSecretCommand({ SecretId: 'a' }))

test('values, labels and tags reach the replica a little later, under the same version id', async () => {
  const made = await create({ AddReplicaRegions })
  expect(made.ReplicationStatus).toMatchObject([{ Region: 'us-west-2', Status: 'InProgress' }])
  await expect(read(west)).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
  await world.clock.advance(2_000)
  expect(await read(west)).toBe('one')

  await put(east, 'two')
  await east.send(new TagResourceCommand({ SecretId: 'a', Tags: [{ Key: 'k', Value: 'v' }] }))
  expect(await read(west)).toBe('one')
  await world.clock.advance(2_000)

  expect(await read(west)).toBe('two')
  const [here, there] = [await describe(east), await describe(west)]
  expect(there.VersionIdsToStages).toEqual(here.VersionIdsToStages)
  expect(there.Tags).toEqual([{ Key: 'k', Value: 'v' }])
  expect(there.ARN).toBe(here.ARN?.replace('us-east-1', 'us-west-2'))
  expect(there.PrimaryRegion).toBe('us-east-1')
  expect(here.ReplicationStatus).toMatchObject([{ Region: 'us-west-2', Status: 'InSync' }])
})

test('a replica is read-only until it stands alone, and then nothing reaches it any more', async () => {
  await create({ AddReplicaRegions })
  await world.clock.advance(2_000)
  await expect(put(west, 'mine')).rejects.toMatchObject({ name: 'InvalidParameterException' })
  await expect(
    west.send(new DeleteSecretCommand({ SecretId: 'a', ForceDeleteWithoutRecovery: true })),
  ).rejects.toMatchObject({ name: 'InvalidParameterException' })

  await west.send(new StopReplicationToReplicaCommand({ SecretId: 'a' }))

  await put(west, 'mine')
  await put(east, 'two')
  await world.clock.advance(2_000)
  expect(await read(west)).toBe('mine')
  expect((await describe(east)).ReplicationStatus).toBeUndefined()
})

test('a secret with replicas cannot be deleted until they are removed, and they go at once', async () => {
  await create({ AddReplicaRegions })
  await world.clock.advance(2_000)
  const remove = () => east.send(new DeleteSecretCommand({ SecretId: 'a' }))
  await expect(remove()).rejects.toMatchObject({ name: 'InvalidParameterException' })

  await east.send(
    new RemoveRegionsFromReplicationCommand({ SecretId: 'a', RemoveReplicaRegions: ['us-west-2'] }),
  )

  await expect(read(west)).rejects.toMatchObject({ name: 'ResourceNotFoundException' })
  await expect(remove()).resolves.toBeDefined()
})

test('a name that is taken there makes replication fail, unless it may be overwritten', async () => {
  await west.send(new CreateSecretCommand({ Name: 'a', SecretString: 'theirs' }))
  await create()
  const replicate = (ForceOverwriteReplicaSecret: boolean) =>
    east.send(
      new ReplicateSecretToRegionsCommand({
        SecretId: 'a',
        AddReplicaRegions,
        ForceOverwriteReplicaSecret,
      }),
    )
  await replicate(false)
  await world.clock.advance(2_000)
  expect((await describe(east)).ReplicationStatus).toMatchObject([{ Status: 'Failed' }])
  expect(await read(west)).toBe('theirs')

  await replicate(true)
  await world.clock.advance(2_000)

  expect(await read(west)).toBe('one')
  await expect(replicate(true)).rejects.toMatchObject({ name: 'InvalidParameterException' })
})

test("a replica has its own region's key: each region fails alone", async () => {
  const [near, far] = [new KMSClient(client(world)), new KMSClient(client(world, 'us-west-2'))]
  const key = async (keys: KMSClient) =>
    (await keys.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? ''
  const [KmsKeyId, other] = [await key(near), await key(far)]
  await create({ KmsKeyId, AddReplicaRegions: [{ Region: 'us-west-2', KmsKeyId: other }] })
  await world.clock.advance(2_000)

  await near.send(new DisableKeyCommand({ KeyId: KmsKeyId }))

  await expect(read(east)).rejects.toMatchObject({ name: 'DecryptionFailure' })
  expect(await read(west)).toBe('one')
  near.destroy()
  far.destroy()
})

test('a region that is unknown, its own or named twice is refused', async () => {
  const regions = [['eu-west-1'], ['us-east-1'], ['us-west-2', 'us-west-2']]
  for (const names of regions) {
    await expect(
      create({ AddReplicaRegions: names.map((Region) => ({ Region })) }),
    ).rejects.toMatchObject({ name: 'InvalidParameterException' })
  }
})
