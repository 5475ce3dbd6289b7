import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import {
  GetResourcesCommand,
  type GetResourcesCommandInput,
  ResourceGroupsTaggingAPIClient,
} from '@aws-sdk/client-resource-groups-tagging-api'
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { acm } from '../../local/acm/index.ts'
import { ecs } from '../../local/ecs/index.ts'
import { kms } from '../../local/kms/index.ts'
import { secrets } from '../../local/secrets/index.ts'
import { tagging } from '../../local/tagging.ts'
import { type Ground, open } from '../../local/world.ts'
import { client, role } from '../support/client.ts'

let world: Ground
let sdk: ResourceGroupsTaggingAPIClient
const arns: Record<string, string> = {}

beforeAll(async () => {
  world = await open({}, (ground) => ({
    services: [
      kms(ground),
      secrets(ground),
      acm(ground),
      ecs(ground, { images: {}, iam: ground.iam }),
      tagging(ground),
    ],
  }))
  sdk = new ResourceGroupsTaggingAPIClient(client(world))
  const vault = new SecretsManagerClient(client(world))
  const keys = new KMSClient(client(world))
  const secret = async (Name: string, Tags: { Key: string; Value: string }[]) => {
    const { ARN } = await vault.send(new CreateSecretCommand({ Name, SecretString: 'x', Tags }))
    arns[Name] = ARN ?? ''
  }
  await secret('a', [{ Key: 'certrelay:source', Value: 'acm' }])
  await secret('b', [
    { Key: 'certrelay:source', Value: 'pca' },
    { Key: 'org', Value: 'acme' },
  ])
  await secret('untagged', [])
  const Tags = [{ TagKey: 'org', TagValue: 'acme' }]
  arns['key'] = (await keys.send(new CreateKeyCommand({ Tags }))).KeyMetadata?.Arn ?? ''
  const made = await world.call(
    'ecs',
    'CreateCluster',
    { clusterName: 'mesh', tags: [{ key: 'org', value: 'acme' }] },
    { region: 'us-east-1' },
  )
  arns['cluster'] = `arn:aws:ecs:us-east-1:${world.account}:cluster/mesh`
  expect(made).toBeDefined()
  vault.destroy()
  keys.destroy()
})
afterAll(async () => {
  sdk.destroy()
  await world.close()
})

const find = async (input: GetResourcesCommandInput) => {
  const { ResourceTagMappingList = [] } = await sdk.send(new GetResourcesCommand(input))
  return ResourceTagMappingList.map(({ ResourceARN }) => ResourceARN).toSorted()
}
const named = (...names: string[]) => names.map((name) => arns[name]).toSorted()

test('everything that has a tag is found, whichever service holds it', async () => {
  expect(await find({})).toEqual(named('a', 'b', 'key', 'cluster'))
})

test('values of a filter are alternatives, filters add up, and a key alone is any value', async () => {
  const source = { Key: 'certrelay:source' }

  expect(await find({ TagFilters: [source] })).toEqual(named('a', 'b'))
  expect(await find({ TagFilters: [{ ...source, Values: ['acm', 'x'] }] })).toEqual(named('a'))
  expect(await find({ TagFilters: [source, { Key: 'org', Values: ['acme'] }] })).toEqual(named('b'))
  expect(await find({ TagFilters: [{ Key: 'Org' }] })).toEqual([])
})

test('types are a service or a service and a kind', async () => {
  const TagFilters = [{ Key: 'org' }]

  expect(await find({ TagFilters, ResourceTypeFilters: ['kms', 'ecs:cluster'] })).toEqual(
    named('key', 'cluster'),
  )
  expect(await find({ TagFilters, ResourceTypeFilters: ['secretsmanager:secret'] })).toEqual(
    named('b'),
  )
  expect(await find({ TagFilters, ResourceTypeFilters: ['ecs:service'] })).toEqual([])
})

test('resources are found by ARN, and then by nothing else', async () => {
  const ResourceARNList = [arns['a'] ?? '']
  expect(await find({ ResourceARNList })).toEqual(named('a'))
  await expect(find({ ResourceARNList, TagFilters: [{ Key: 'org' }] })).rejects.toMatchObject({
    name: 'InvalidParameterException',
  })
})

test('pages hold each resource once, and the last one has an empty token', async () => {
  const seen: (string | undefined)[] = []
  let PaginationToken: string | undefined
  do {
    const page = await sdk.send(
      new GetResourcesCommand({ ResourcesPerPage: 1, ...(PaginationToken && { PaginationToken }) }),
    )
    seen.push(...(page.ResourceTagMappingList ?? []).map(({ ResourceARN }) => ResourceARN))
    PaginationToken = page.PaginationToken
  } while (PaginationToken !== '')

  expect(seen.toSorted()).toEqual(named('a', 'b', 'key', 'cluster'))
})

test('tags are answered with the resource, and other regions hold nothing', async () => {
  const TagFilters = [{ Key: 'org' }]
  const west = new ResourceGroupsTaggingAPIClient(client(world, 'us-west-2'))
  const { ResourceTagMappingList = [] } = await sdk.send(
    new GetResourcesCommand({ TagFilters, ResourceTypeFilters: ['secretsmanager'] }),
  )

  expect(ResourceTagMappingList[0]?.Tags).toEqual([
    { Key: 'certrelay:source', Value: 'pca' },
    { Key: 'org', Value: 'acme' },
  ])
  const there = await west.send(new GetResourcesCommand({}))
  expect(there.ResourceTagMappingList).toEqual([])
  west.destroy()
})

test('the permission is called tag:GetResources', async () => {
  const allow = { Effect: 'Allow', Action: 'tag:GetResources', Resource: '*' } as const
  const ask = async (...statements: (typeof allow)[]) => {
    const identity = role(world, `tagger${statements.length}`, ...statements)
    const asking = new ResourceGroupsTaggingAPIClient(client(world, 'us-east-1', identity))
    return asking.send(new GetResourcesCommand({})).finally(() => asking.destroy())
  }

  await expect(ask(allow)).resolves.toBeDefined()
  await expect(ask()).rejects.toMatchObject({ name: 'AccessDeniedException' })
})
