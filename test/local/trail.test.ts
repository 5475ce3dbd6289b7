import { CloudTrailClient, type Event, LookupEventsCommand } from '@aws-sdk/client-cloudtrail'
import {
  CreateKeyCommand,
  DecryptCommand,
  DisableKeyCommand,
  EncryptCommand,
  KMSClient,
} from '@aws-sdk/client-kms'
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import * as v from 'valibot'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { kms } from '../../local/kms/index.ts'
import { secrets } from '../../local/secrets/index.ts'
import { type Trail, trail } from '../../local/trail/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { client, role } from '../support/client.ts'

const DAY = 86_400_000
let world: Ground
let history: Trail
let keys: KMSClient
let lookup: CloudTrailClient

beforeEach(async () => {
  world = await open({}, (ground) => {
    history = trail(ground)
    const services = [kms(ground), secrets(ground), history.service]
    return { services, seen: history.seen }
  })
  keys = new KMSClient(client(world))
  lookup = new CloudTrailClient(client(world))
})
afterEach(async () => {
  keys.destroy()
  lookup.destroy()
  await world.close()
})

const events = async (name?: string) => {
  const LookupAttributes = name && [{ AttributeKey: 'EventName' as const, AttributeValue: name }]
  const found = await lookup.send(
    new LookupEventsCommand({ ...(LookupAttributes && { LookupAttributes }) }),
  )
  return found.Events ?? []
}
const record = ({ CloudTrailEvent = '{}' }: Event) =>
  v.parse(v.record(v.string(), v.unknown()), JSON.parse(CloudTrailEvent))
const create = async () => (await keys.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? ''

test('a decryption is on record by its request id, with context and key, without plaintext', async () => {
  const KeyId = await create()
  const EncryptionContext = { org: 'acme', Purpose: 'Test' }
  const Plaintext = Buffer.from('canary')
  const sealed = await keys.send(new EncryptCommand({ KeyId, Plaintext, EncryptionContext }))
  const { CiphertextBlob } = sealed

  const opened = await keys.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))

  const [event, ...others] = await events('Decrypt')
  expect(others).toEqual([])
  expect(event).toMatchObject({
    EventSource: 'kms.amazonaws.com',
    ReadOnly: 'true',
    Username: 'administrator',
    EventTime: new Date(Math.floor(world.clock.now())),
    Resources: [{ ResourceName: KeyId }],
  })
  expect(record(event ?? {})).toMatchObject({
    requestID: opened.$metadata.requestId,
    eventName: 'Decrypt',
    awsRegion: 'us-east-1',
    requestParameters: { encryptionContext: EncryptionContext },
    resources: [{ ARN: KeyId }],
    userIdentity: { type: 'IAMUser' },
  })
  const all = JSON.stringify(history.events())
  for (const hidden of [
    'canary',
    Plaintext.toString('base64'),
    Buffer.from(CiphertextBlob ?? []).toString('base64'),
  ]) {
    expect(all).not.toContain(hidden)
  }
})

test('a failure carries its code, and a refusal too, with who it was', async () => {
  const KeyId = await create()
  await keys.send(new DisableKeyCommand({ KeyId }))
  const Plaintext = Buffer.from('x')
  const outsider = new KMSClient(client(world, 'us-east-1', role(world, 'nobody')))
  for (const sdk of [keys, outsider]) {
    await expect(sdk.send(new EncryptCommand({ KeyId, Plaintext }))).rejects.toThrow()
  }
  outsider.destroy()

  const found = (await events('Encrypt')).map(record)

  expect(found).toMatchObject([
    {
      errorCode: 'AccessDeniedException',
      userIdentity: {
        type: 'AssumedRole',
        sessionContext: { sessionIssuer: { userName: 'nobody' } },
      },
    },
    { errorCode: 'DisabledException', errorMessage: `${KeyId} is disabled.` },
  ])
})

test('what a service does for a caller is on record as theirs, through that service', async () => {
  const KmsKeyId = await create()
  const sdk = new SecretsManagerClient(client(world))
  await sdk.send(new CreateSecretCommand({ Name: 'a', SecretString: 'canary', KmsKeyId }))
  await sdk.send(new GetSecretValueCommand({ SecretId: 'a' }))
  sdk.destroy()

  const [decrypt] = (await events('Decrypt')).map(record)
  const [created] = (await events('CreateSecret')).map(record)

  expect(decrypt).toMatchObject({
    userIdentity: { type: 'IAMUser', invokedBy: 'secretsmanager.amazonaws.com' },
    requestParameters: {
      encryptionContext: { SecretARN: expect.stringContaining(':secret:a-') },
    },
  })
  expect(created).toMatchObject({ requestParameters: { name: 'a', kmsKeyId: KmsKeyId } })
  expect(JSON.stringify(history.events())).not.toContain('canary')
})

test('a look that only this imitation takes is not on record', async () => {
  const as = { region: 'us-east-1' }

  await world.call('kms', 'ListKeys', {}, { ...as, unrecorded: true })
  await world.call('kms', 'ListAliases', {}, as)

  expect(history.events().map(({ name }) => name)).toEqual(['ListAliases'])
})

test('events come newest first, in pages, from their own region only', async () => {
  for (let index = 0; index < 5; index++) await create()
  const west = new KMSClient(client(world, 'us-west-2'))
  await west.send(new CreateKeyCommand({}))
  west.destroy()
  const own = history.events().filter(({ region }) => region === 'us-east-1')
  const seen: (string | undefined)[] = []
  let NextToken: string | undefined
  do {
    const LookupAttributes = [
      { AttributeKey: 'EventSource' as const, AttributeValue: 'kms.amazonaws.com' },
    ]
    const page = await lookup.send(
      new LookupEventsCommand({ MaxResults: 2, LookupAttributes, ...(NextToken && { NextToken }) }),
    )
    expect(page.Events?.length).toBeLessThanOrEqual(2)
    seen.push(...(page.Events ?? []).map(({ EventId }) => EventId))
    NextToken = page.NextToken
  } while (NextToken !== undefined)

  expect(seen).toEqual(own.map(({ id }) => id).reverse())
})

test('time chooses, and after 90 days nothing is left', async () => {
  await create()
  await world.clock.advance(DAY)
  await create()
  const StartTime = new Date(world.clock.now() - 1_000)

  const recent = await lookup.send(new LookupEventsCommand({ StartTime }))

  expect(recent.Events?.map(({ EventName }) => EventName)).toEqual(['CreateKey'])
  await world.clock.advance(91 * DAY)
  expect(await events('CreateKey')).toEqual([])
})
