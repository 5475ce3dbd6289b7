import { randomUUID } from 'node:crypto'
import {
  CreateKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  KMSClient,
} from '@aws-sdk/client-kms'
import {
  BatchGetSecretValueCommand,
  CreateSecretCommand,
  type CreateSecretCommandInput,
  DeleteResourcePolicyCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetRandomPasswordCommand,
  GetResourcePolicyCommand,
  GetSecretValueCommand,
  ListSecretsCommand,
  ListSecretVersionIdsCommand,
  PutResourcePolicyCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  SecretsManagerClient,
  TagResourceCommand,
  UntagResourceCommand,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { kms } from '../../local/kms/index.ts'
import { secrets } from '../../local/secrets/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { client, role } from '../support/client.ts'

const DAY = 86_400_000
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

const create = async (Name: string, input: Partial<CreateSecretCommandInput> = {}) => {
  const made = await east.send(new CreateSecretCommand({ Name, SecretString: 'one', ...input }))
  return { arn: made.ARN ?? '', version: made.VersionId ?? '' }
}
const put = async (SecretId: string, SecretString: string, VersionStages?: string[]) => {
  const input = { SecretId, SecretString, ...(VersionStages && { VersionStages }) }
  const { VersionId = '' } = await east.send(new PutSecretValueCommand(input))
  return VersionId
}
const read = async (SecretId: string, more: { VersionId?: string; VersionStage?: string } = {}) =>
  (await east.send(new GetSecretValueCommand({ SecretId, ...more }))).SecretString
const stages = async (SecretId: string, at = east) =>
  (await at.send(new DescribeSecretCommand({ SecretId }))).VersionIdsToStages
const move = (SecretId: string, VersionStage: string, to?: string, from?: string) =>
  east.send(
    new UpdateSecretVersionStageCommand({
      SecretId,
      VersionStage,
      ...(to !== undefined && { MoveToVersionId: to }),
      ...(from !== undefined && { RemoveFromVersionId: from }),
    }),
  )
const named = (name: string) => ({ name })

describe('versions and labels', () => {
  test('the first value is AWSCURRENT, and each next one makes the last AWSPREVIOUS', async () => {
    const { arn, version } = await create('a')
    const second = await put('a', 'two')
    expect(await stages('a')).toEqual({ [version]: ['AWSPREVIOUS'], [second]: ['AWSCURRENT'] })

    const third = await put('a', 'three')

    expect(arn).toMatch(/^arn:aws:secretsmanager:us-east-1:\d{12}:secret:a-[A-Za-z0-9]{6}$/)
    expect(await stages('a')).toEqual({ [second]: ['AWSPREVIOUS'], [third]: ['AWSCURRENT'] })
    expect(await read('a')).toBe('three')
    expect(await read('a', { VersionStage: 'AWSPREVIOUS' })).toBe('two')
    expect(await read('a', { VersionId: version })).toBe('one')
  })

  test('a value put as AWSPENDING leaves AWSCURRENT alone, except as the first value', async () => {
    await create('a')
    await put('a', 'two', ['AWSPENDING'])
    expect(await read('a')).toBe('one')
    expect(await read('a', { VersionStage: 'AWSPENDING' })).toBe('two')
    await east.send(new CreateSecretCommand({ Name: 'empty' }))
    await expect(read('empty')).rejects.toMatchObject(named('ResourceNotFoundException'))

    const first = await put('empty', 'first', ['AWSPENDING'])

    const { [first]: labels } = (await stages('empty')) ?? {}
    expect(labels?.toSorted()).toEqual(['AWSCURRENT', 'AWSPENDING'])
  })

  test('promoting names the version that loses the label, and moves AWSPREVIOUS along', async () => {
    const { version: first } = await create('a')
    const second = await put('a', 'two', ['AWSPENDING'])

    await move('a', 'AWSCURRENT', second, first)

    expect(await read('a')).toBe('two')
    expect(await stages('a')).toEqual({
      [first]: ['AWSPREVIOUS'],
      [second]: ['AWSPENDING', 'AWSCURRENT'],
    })
    await move('a', 'AWSCURRENT', first, second)
    expect(await read('a')).toBe('one')
    expect(await read('a', { VersionStage: 'AWSPREVIOUS' })).toBe('two')
  })

  test('of two who promote at once, the later one is refused and nothing moves', async () => {
    const { version: first } = await create('a')
    const second = await put('a', 'two', ['AWSPENDING'])
    const third = await put('a', 'three', ['CANDIDATE'])

    await move('a', 'AWSCURRENT', second, first)

    await expect(move('a', 'AWSCURRENT', third, first)).rejects.toMatchObject(
      named('InvalidParameterException'),
    )
    await expect(move('a', 'AWSCURRENT', third)).rejects.toMatchObject(
      named('InvalidParameterException'),
    )
    expect(await read('a')).toBe('two')
  })

  test('a label is attached, taken away, and AWSCURRENT never is', async () => {
    const { version } = await create('a')
    await move('a', 'DEPLOYED', version)
    expect(await stages('a')).toEqual({ [version]: ['AWSCURRENT', 'DEPLOYED'] })

    await move('a', 'DEPLOYED', undefined, version)

    expect(await stages('a')).toEqual({ [version]: ['AWSCURRENT'] })
    await expect(move('a', 'AWSCURRENT', undefined, version)).rejects.toMatchObject(
      named('InvalidParameterException'),
    )
    await expect(move('a', 'DEPLOYED', randomUUID())).rejects.toMatchObject(
      named('ResourceNotFoundException'),
    )
    await expect(move('a', 'DEPLOYED', undefined, version)).rejects.toMatchObject(
      named('InvalidParameterException'),
    )
  })

  test('a version and a label that do not belong together are InvalidRequestException', async () => {
    const { version } = await create('a')
    await put('a', 'two')

    await expect(
      read('a', { VersionId: version, VersionStage: 'AWSCURRENT' }),
    ).rejects.toMatchObject(named('InvalidRequestException'))
    await expect(read('a', { VersionStage: 'NONE' })).rejects.toMatchObject(
      named('ResourceNotFoundException'),
    )
    await expect(read('a', { VersionId: randomUUID() })).rejects.toMatchObject(
      named('ResourceNotFoundException'),
    )
  })

  test('the same token with the same value is done once, with another value it is refused', async () => {
    await create('a')
    const input = { SecretId: 'a', ClientRequestToken: randomUUID() }
    const once = await east.send(new PutSecretValueCommand({ ...input, SecretString: 'two' }))
    await put('a', 'three')

    const again = await east.send(new PutSecretValueCommand({ ...input, SecretString: 'two' }))

    expect(once.VersionId).toBe(input.ClientRequestToken)
    expect(again).toMatchObject({ VersionId: once.VersionId, VersionStages: ['AWSPREVIOUS'] })
    expect(await read('a')).toBe('three')
    await expect(
      east.send(new PutSecretValueCommand({ ...input, SecretString: 'other' })),
    ).rejects.toMatchObject(named('ResourceExistsException'))
    await expect(
      east.send(new UpdateSecretCommand({ ...input, SecretString: 'two' })),
    ).rejects.toMatchObject(named('ResourceExistsException'))
    const Binary = new PutSecretValueCommand({ ...input, SecretBinary: Buffer.from('two') })
    await expect(east.send(Binary)).rejects.toMatchObject(named('ResourceExistsException'))
  })

  test('a token has 32 to 64 characters', async () => {
    await create('a')
    const short = { SecretId: 'a', SecretString: 'x', ClientRequestToken: 'x'.repeat(31) }
    await expect(east.send(new PutSecretValueCommand(short))).rejects.toMatchObject(
      named('ValidationException'),
    )
  })

  test('twenty labels are enough', async () => {
    const { version } = await create('a')
    for (let index = 0; index < 19; index++) await move('a', `LABEL${index}`, version)

    await expect(move('a', 'ONE-MORE', version)).rejects.toMatchObject(
      named('LimitExceededException'),
    )
  })

  test('the hundred-and-first version needs one that is unlabeled and a day old', async () => {
    await create('a')
    for (let index = 1; index < 100; index++) await put('a', String(index))
    await expect(put('a', 'too much')).rejects.toMatchObject(named('LimitExceededException'))

    await world.clock.advance(DAY + 1)

    await expect(put('a', 'now')).resolves.toBeDefined()
  })

  test('versions are listed in pages, deprecated ones when asked for', async () => {
    await create('a')
    await put('a', 'two')
    await put('a', 'three')
    const list = (more: object) =>
      east.send(new ListSecretVersionIdsCommand({ SecretId: 'a', ...more }))

    const labeled = await list({})
    const page = await list({ IncludeDeprecated: true, MaxResults: 2 })
    const rest = await list({ IncludeDeprecated: true, MaxResults: 2, NextToken: page.NextToken })

    expect(labeled.Versions).toHaveLength(2)
    expect(labeled.Versions?.[0]?.CreatedDate).toEqual(new Date(world.clock.now()))
    expect(page.Versions).toHaveLength(2)
    expect(rest.Versions).toHaveLength(1)
    expect(rest.NextToken).toBeUndefined()
    await expect(list({ NextToken: 'nonsense' })).rejects.toMatchObject(
      named('InvalidNextTokenException'),
    )
  })

  test('a binary value comes back byte for byte', async () => {
    const SecretBinary = Buffer.from([0, 255, 128, 10])
    await east.send(new CreateSecretCommand({ Name: 'b', SecretBinary }))

    const answer = await east.send(new GetSecretValueCommand({ SecretId: 'b' }))

    expect(Buffer.from(answer.SecretBinary ?? [])).toEqual(SecretBinary)
    expect(answer.SecretString).toBeUndefined()
  })

  test('a value has at most 65,536 bytes, counted as UTF-8, and is one of two kinds', async () => {
    await create('a')
    await expect(put('a', 'x'.repeat(65_536))).resolves.toBeDefined()
    await expect(put('a', `${'x'.repeat(65_534)}é€`)).rejects.toMatchObject(
      named('ValidationException'),
    )
    const both = { SecretId: 'a', SecretString: 'x', SecretBinary: Buffer.from('x') }
    await expect(east.send(new PutSecretValueCommand(both))).rejects.toMatchObject(
      named('InvalidParameterException'),
    )
    await expect(east.send(new PutSecretValueCommand({ SecretId: 'a' }))).rejects.toMatchObject(
      named('InvalidRequestException'),
    )
  })
})

describe('secrets', () => {
  test('a secret answers to its name, its ARN, and its ARN without the six characters', async () => {
    const { arn } = await create('path/to.it')

    for (const id of ['path/to.it', arn, arn.slice(0, -7)]) expect(await read(id)).toBe('one')
    for (const id of ['path', `${arn.slice(0, -1)}_`, arn.replace('east-1', 'west-2')]) {
      await expect(read(id)).rejects.toMatchObject(named('ResourceNotFoundException'))
    }
  })

  test('making the same secret again is harmless with the same token and value only', async () => {
    const ClientRequestToken = randomUUID()
    const { arn } = await create('a', { ClientRequestToken })

    expect((await create('a', { ClientRequestToken })).arn).toBe(arn)

    const other = { ClientRequestToken, SecretString: 'other' }
    await expect(create('a', other)).rejects.toMatchObject(named('ResourceExistsException'))
    await expect(create('a')).rejects.toMatchObject(named('ResourceExistsException'))
    await expect(create('no spaces')).rejects.toMatchObject(named('ValidationException'))
  })

  test('a change of value, description or key keeps what is not named', async () => {
    await create('a', { Description: 'before' })
    await east.send(new UpdateSecretCommand({ SecretId: 'a', Description: 'after' }))
    expect(await read('a')).toBe('one')

    await east.send(new UpdateSecretCommand({ SecretId: 'a', SecretString: 'two' }))

    const described = await east.send(new DescribeSecretCommand({ SecretId: 'a' }))
    expect(described.Description).toBe('after')
    expect(await read('a')).toBe('two')
  })

  test('a description carries dates of the clock and never a value', async () => {
    const created = new Date(world.clock.now())
    await create('a', { SecretString: 'canary' })
    await world.clock.advance(DAY)
    await east.send(new TagResourceCommand({ SecretId: 'a', Tags: [{ Key: 'k', Value: 'v' }] }))
    await read('a')

    const described = await east.send(new DescribeSecretCommand({ SecretId: 'a' }))

    expect(described.CreatedDate).toEqual(created)
    expect(described.LastChangedDate).toEqual(new Date(created.getTime() + DAY))
    expect(described.LastAccessedDate?.getTime()).toBe(Math.floor(world.clock.now() / DAY) * DAY)
    expect(described.Tags).toEqual([{ Key: 'k', Value: 'v' }])
    expect(JSON.stringify(described)).not.toContain('canary')
  })

  test('tags come and go', async () => {
    const Tags = [
      { Key: 'certrelay:source', Value: 'x' },
      { Key: 'gone', Value: 'y' },
    ]
    await create('a', { Tags })
    await east.send(new UntagResourceCommand({ SecretId: 'a', TagKeys: ['gone'] }))

    const described = await east.send(new DescribeSecretCommand({ SecretId: 'a' }))

    expect(described.Tags).toEqual([{ Key: 'certrelay:source', Value: 'x' }])
    const reserved = [{ Key: 'aws:mine', Value: '' }]
    await expect(
      east.send(new TagResourceCommand({ SecretId: 'a', Tags: reserved })),
    ).rejects.toMatchObject(named('InvalidParameterException'))
  })

  test('a secret that is marked for deletion can only be described and restored', async () => {
    await create('a')
    const { DeletionDate } = await east.send(
      new DeleteSecretCommand({ SecretId: 'a', RecoveryWindowInDays: 7 }),
    )
    expect(DeletionDate).toEqual(new Date(world.clock.now() + 7 * DAY))

    const marked = named('InvalidRequestException')
    await expect(read('a')).rejects.toMatchObject(marked)
    await expect(put('a', 'two')).rejects.toMatchObject(marked)
    await expect(create('a')).rejects.toMatchObject(marked)
    const described = await east.send(new DescribeSecretCommand({ SecretId: 'a' }))
    expect(described.DeletedDate).toEqual(DeletionDate)
    await east.send(new RestoreSecretCommand({ SecretId: 'a' }))
    await world.clock.advance(8 * DAY)
    expect(await read('a')).toBe('one')
  })

  test('after its window a secret is gone and its name is free', async () => {
    await create('a')
    await east.send(new DeleteSecretCommand({ SecretId: 'a', RecoveryWindowInDays: 7 }))
    await world.clock.advance(7 * DAY)

    await expect(read('a')).rejects.toMatchObject(named('ResourceNotFoundException'))
    await expect(create('a')).resolves.toBeDefined()
  })

  test('a window is 7 to 30 days; by force a secret goes at once, and one that is not there too', async () => {
    await create('a')
    for (const RecoveryWindowInDays of [6, 31]) {
      await expect(
        east.send(new DeleteSecretCommand({ SecretId: 'a', RecoveryWindowInDays })),
      ).rejects.toMatchObject(named('InvalidParameterException'))
    }
    const force = { ForceDeleteWithoutRecovery: true }

    await east.send(new DeleteSecretCommand({ SecretId: 'a', ...force }))

    await expect(read('a')).rejects.toMatchObject(named('ResourceNotFoundException'))
    await east.send(new DeleteSecretCommand({ SecretId: 'a', ...force }))
    await expect(east.send(new DeleteSecretCommand({ SecretId: 'a' }))).rejects.toMatchObject(
      named('ResourceNotFoundException'),
    )
  })

  test('a resource policy is kept when it is one', async () => {
    await create('a')
    const ResourcePolicy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Deny', Principal: '*', Action: '*', Resource: '*' }],
    })
    await east.send(new PutResourcePolicyCommand({ SecretId: 'a', ResourcePolicy }))

    const get = () => east.send(new GetResourcePolicyCommand({ SecretId: 'a' }))
    expect((await get()).ResourcePolicy).toBe(ResourcePolicy)

    await expect(
      east.send(new PutResourcePolicyCommand({ SecretId: 'a', ResourcePolicy: '{' })),
    ).rejects.toMatchObject(named('MalformedPolicyDocumentException'))
    await east.send(new DeleteResourcePolicyCommand({ SecretId: 'a' }))
    expect((await get()).ResourcePolicy).toBeUndefined()
  })
})

describe('many secrets', () => {
  const tag = (Key: string, Value: string) => ({ Tags: [{ Key, Value }] })
  const names = async (
    Filters: { Key: 'tag-key' | 'name' | 'tag-value' | 'all'; Values: string[] }[],
  ) => {
    const { SecretList = [] } = await east.send(new ListSecretsCommand({ Filters }))
    return SecretList.map(({ Name }) => Name).toSorted()
  }

  test('filters are prefixes, alternatives within one, and all of them count', async () => {
    await create('prod/one', tag('certrelay:source', 'acm'))
    await create('prod/two', tag('certrelay:source', 'pca'))
    await create('test/one', tag('Other', 'acm'))

    expect(await names([{ Key: 'tag-key', Values: ['certrelay:'] }])).toEqual([
      'prod/one',
      'prod/two',
    ])
    expect(await names([{ Key: 'tag-key', Values: ['Certrelay:'] }])).toEqual([])
    expect(await names([{ Key: 'name', Values: ['prod/t', 'test'] }])).toEqual([
      'prod/two',
      'test/one',
    ])
    expect(await names([{ Key: 'name', Values: ['!prod'] }])).toEqual(['test/one'])
    expect(await names([{ Key: 'all', Values: ['TEST'] }])).toEqual(['test/one'])
    expect(
      await names([
        { Key: 'tag-value', Values: ['acm'] },
        { Key: 'name', Values: ['prod'] },
      ]),
    ).toEqual(['prod/one'])
  })

  test('pages hold each secret once, although one goes and one comes between them', async () => {
    for (const name of ['a', 'b', 'c', 'd']) {
      await create(name)
      await world.clock.advance(1_000)
    }
    const page = (NextToken?: string) =>
      east.send(
        new ListSecretsCommand({
          MaxResults: 2,
          SortOrder: 'asc',
          ...(NextToken && { NextToken }),
        }),
      )

    const first = await page()
    await east.send(new DeleteSecretCommand({ SecretId: 'b', ForceDeleteWithoutRecovery: true }))
    await create('e')
    const second = await page(first.NextToken)
    const third = await page(second.NextToken)

    const seen = [first, second, third].map(({ SecretList = [] }) => SecretList.map((s) => s.Name))
    expect(seen).toEqual([['a', 'b'], ['c', 'd'], ['e']])
    expect(third.NextToken).toBeUndefined()
  })

  test('secrets that are marked for deletion are listed only when asked for', async () => {
    await create('a')
    await east.send(new DeleteSecretCommand({ SecretId: 'a' }))

    const hidden = await east.send(new ListSecretsCommand({}))
    const shown = await east.send(new ListSecretsCommand({ IncludePlannedDeletion: true }))

    expect(hidden.SecretList).toEqual([])
    expect(shown.SecretList).toMatchObject([{ Name: 'a' }])
  })

  test('a batch answers what it can and says which ones failed', async () => {
    await create('a')
    await create('b', { SecretString: 'two' })

    const batch = await east.send(
      new BatchGetSecretValueCommand({ SecretIdList: ['a', 'none', 'b'] }),
    )

    expect(batch.SecretValues?.map(({ SecretString }) => SecretString)).toEqual(['one', 'two'])
    expect(batch.Errors).toMatchObject([
      { SecretId: 'none', ErrorCode: 'ResourceNotFoundException' },
    ])
    const filtered = await east.send(
      new BatchGetSecretValueCommand({ Filters: [{ Key: 'name', Values: ['b'] }] }),
    )
    expect(filtered.SecretValues).toMatchObject([{ Name: 'b', SecretString: 'two' }])
    await expect(east.send(new BatchGetSecretValueCommand({}))).rejects.toMatchObject(
      named('InvalidParameterException'),
    )
  })
})

describe('passwords', () => {
  const password = async (input: object) =>
    (await east.send(new GetRandomPasswordCommand(input))).RandomPassword ?? ''

  test('a password has the length and the characters that were asked for', async () => {
    const one = await password({ PasswordLength: 64, ExcludeCharacters: '#$%' })

    expect(one).toMatch(/^[!-~]{64}$/)
    expect(one).not.toMatch(/[#$%]/)
    expect(await password({ ExcludePunctuation: true })).toMatch(/^[A-Za-z0-9]{32}$/)
    expect(await password({})).not.toBe(await password({}))
    expect(await password({ PasswordLength: 4 })).toMatch(/^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)/)
  })

  test('too short for every type, or nothing to choose from, is InvalidParameterException', async () => {
    const nothing = {
      ExcludeLowercase: true,
      ExcludeUppercase: true,
      ExcludeNumbers: true,
      ExcludePunctuation: true,
    }
    for (const input of [{ PasswordLength: 3 }, nothing]) {
      await expect(password(input)).rejects.toMatchObject(named('InvalidParameterException'))
    }
  })
})

describe('customer keys', () => {
  const key = async () => {
    const keys = new KMSClient(client(world))
    const { KeyMetadata } = await keys.send(new CreateKeyCommand({}))
    return { keys, KeyId: KeyMetadata?.Arn ?? '' }
  }

  test('a disabled key fails reads and writes by name, and an enabled one works again', async () => {
    const { keys, KeyId } = await key()
    await create('a', { KmsKeyId: KeyId })
    expect(await read('a')).toBe('one')
    await keys.send(new DisableKeyCommand({ KeyId }))

    await expect(read('a')).rejects.toMatchObject(named('DecryptionFailure'))
    await expect(put('a', 'two')).rejects.toMatchObject(named('EncryptionFailure'))
    await expect(create('b', { KmsKeyId: KeyId })).rejects.toMatchObject(named('EncryptionFailure'))
    await keys.send(new EnableKeyCommand({ KeyId }))

    expect(await read('a')).toBe('one')
    await expect(read('b')).rejects.toMatchObject(named('ResourceNotFoundException'))
    keys.destroy()
  })

  test('who may read the secret but not use its key, may not read it', async () => {
    const { keys, KeyId } = await key()
    const { arn } = await create('a', { KmsKeyId: KeyId })
    const get = { Effect: 'Allow', Action: 'secretsmanager:GetSecretValue', Resource: arn } as const
    const decrypt = {
      Effect: 'Allow',
      Action: 'kms:Decrypt',
      Resource: KeyId,
      Condition: {
        StringEquals: {
          'kms:ViaService': 'secretsmanager.us-east-1.amazonaws.com',
          'kms:EncryptionContext:SecretARN': arn,
        },
      },
    } as const
    const ask = async (identity: ReturnType<typeof role>) => {
      const reader = new SecretsManagerClient(client(world, 'us-east-1', identity))
      const answer = reader.send(new GetSecretValueCommand({ SecretId: 'a' }))
      return answer.finally(() => reader.destroy())
    }

    await expect(ask(role(world, 'half', get))).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: 'Access to KMS is not allowed',
    })
    await expect(ask(role(world, 'whole', get, decrypt))).resolves.toMatchObject({
      SecretString: 'one',
    })
    keys.destroy()
  })

  test('another key takes the labeled versions over', async () => {
    const [old, young] = [await key(), await key()]
    await create('a', { KmsKeyId: old.KeyId })
    await east.send(new UpdateSecretCommand({ SecretId: 'a', KmsKeyId: young.KeyId }))

    await old.keys.send(new DisableKeyCommand({ KeyId: old.KeyId }))

    expect(await read('a')).toBe('one')
    const { Versions } = await east.send(new ListSecretVersionIdsCommand({ SecretId: 'a' }))
    expect(Versions).toMatchObject([{ KmsKeyIds: [young.KeyId] }])
    old.keys.destroy()
    young.keys.destroy()
  })
})

test('a role sees only the secrets whose tags its policy names', async () => {
  await create('mine', { Tags: [{ Key: 'org', Value: 'acme' }] })
  await create('theirs', { Tags: [{ Key: 'org', Value: 'other' }] })
  const identity = role(world, 'tagged', {
    Effect: 'Allow',
    Action: 'secretsmanager:Get*',
    Resource: '*',
    Condition: { StringEquals: { 'secretsmanager:ResourceTag/org': 'acme' } },
  })
  const reader = new SecretsManagerClient(client(world, 'us-east-1', identity))
  const get = (SecretId: string) => reader.send(new GetSecretValueCommand({ SecretId }))

  await expect(get('mine')).resolves.toMatchObject({ SecretString: 'one' })
  await expect(get('theirs')).rejects.toMatchObject(named('AccessDeniedException'))
  reader.destroy()
})
