import { constants, createHash, createPublicKey, verify } from 'node:crypto'
import {
  CancelKeyDeletionCommand,
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DeleteAliasCommand,
  DescribeKeyCommand,
  DisableKeyCommand,
  EnableKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GenerateDataKeyWithoutPlaintextCommand,
  GenerateRandomCommand,
  GetKeyPolicyCommand,
  GetPublicKeyCommand,
  type KeySpec,
  KMSClient,
  ListAliasesCommand,
  ListKeysCommand,
  ListResourceTagsCommand,
  PutKeyPolicyCommand,
  ReEncryptCommand,
  ReplicateKeyCommand,
  ScheduleKeyDeletionCommand,
  SignCommand,
  type SigningAlgorithmSpec,
  TagResourceCommand,
  UntagResourceCommand,
  VerifyCommand,
} from '@aws-sdk/client-kms'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kms } from '../../local/kms/index.ts'
import { type Ground, open } from '../../local/world.ts'
import { client, role } from '../support/client.ts'

const DAY = 86_400_000
let world: Ground
let east: KMSClient
let west: KMSClient

beforeAll(async () => {
  world = await open({}, (ground) => ({ services: [kms(ground)] }))
  east = new KMSClient(client(world))
  west = new KMSClient(client(world, 'us-west-2'))
})
afterAll(async () => {
  east.destroy()
  west.destroy()
  await world.close()
})

async function create(
  at: KMSClient,
  input: { KeySpec?: KeySpec; KeyUsage?: 'SIGN_VERIFY'; MultiRegion?: boolean } = {},
) {
  const { KeyMetadata } = await at.send(new CreateKeyCommand(input))
  return { id: KeyMetadata?.KeyId ?? '', arn: KeyMetadata?.Arn ?? '' }
}
async function seal(at: KMSClient, KeyId: string, EncryptionContext?: Record<string, string>) {
  const Plaintext = Buffer.from('plain')
  const { CiphertextBlob } = await at.send(
    new EncryptCommand({ KeyId, Plaintext, ...(EncryptionContext && { EncryptionContext }) }),
  )
  return CiphertextBlob ?? new Uint8Array()
}

describe('symmetric keys', () => {
  test('a blob opens under its context, whatever the order of the pairs, and names its key', async () => {
    const { id, arn } = await create(east)
    const blob = await seal(east, id, { org: 'acme', purpose: 'test' })

    const opened = await east.send(
      new DecryptCommand({
        CiphertextBlob: blob,
        EncryptionContext: { purpose: 'test', org: 'acme' },
      }),
    )

    expect(Buffer.from(opened.Plaintext ?? []).toString()).toBe('plain')
    expect(opened.KeyId).toBe(arn)
    expect(Buffer.from(blob).includes('plain')).toBe(false)
  })

  test.each([
    ['another value', { org: 'acmf' }],
    ['another case', { Org: 'acme' }],
    ['one pair more', { org: 'acme', more: '' }],
    ['no pair', {}],
    ['the same letters, cut elsewhere', { or: 'gacme' }],
  ])('a context with %s is InvalidCiphertextException without a message', async (_, wrong) => {
    const { id } = await create(east)
    const blob = await seal(east, id, { org: 'acme' })

    const opening = east.send(
      new DecryptCommand({ KeyId: id, CiphertextBlob: blob, EncryptionContext: wrong }),
    )

    await expect(opening).rejects.toMatchObject({
      name: 'InvalidCiphertextException',
      message: 'UnknownError',
    })
  })

  test('a flipped bit anywhere in the body, or a blob of another make, is InvalidCiphertextException', async () => {
    const { id } = await create(east)
    const blob = Buffer.from(await seal(east, id))
    const last = blob.length - 1
    const flipped = Buffer.from(blob.map((byte, index) => (index === last ? byte ^ 1 : byte)))

    for (const CiphertextBlob of [flipped, Buffer.from('nonsense'), blob.subarray(0, 20)]) {
      await expect(east.send(new DecryptCommand({ CiphertextBlob }))).rejects.toMatchObject({
        name: 'InvalidCiphertextException',
      })
    }
  })

  test('a blob does not open in a region where its key is not', async () => {
    const { id } = await create(east)
    const CiphertextBlob = await seal(east, id)

    await expect(west.send(new DecryptCommand({ CiphertextBlob }))).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message:
        'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
    })
  })

  test('a key that is named and is not the one of the blob is IncorrectKeyException', async () => {
    const [first, second] = [await create(east), await create(east)]
    const CiphertextBlob = await seal(east, first.id)

    await expect(
      east.send(new DecryptCommand({ KeyId: second.arn, CiphertextBlob })),
    ).rejects.toMatchObject({ name: 'IncorrectKeyException' })
  })

  test('an ARN of another region, an unknown id and an unknown alias are NotFoundException', async () => {
    const { arn } = await create(east)
    const unknown = ['11111111-2222-3333-4444-555555555555', 'alias/nobody', 'nonsense']

    for (const KeyId of unknown) {
      await expect(east.send(new DescribeKeyCommand({ KeyId }))).rejects.toMatchObject({
        name: 'NotFoundException',
      })
    }
    await expect(west.send(new DescribeKeyCommand({ KeyId: arn }))).rejects.toMatchObject({
      name: 'NotFoundException',
      message: 'Invalid arn us-east-1',
    })
  })

  test('plaintext is at most 4,096 bytes and never empty', async () => {
    const { id } = await create(east)
    const encrypt = (size: number) =>
      east.send(new EncryptCommand({ KeyId: id, Plaintext: Buffer.alloc(size) }))

    await expect(encrypt(4096)).resolves.toBeDefined()
    await expect(encrypt(4097)).rejects.toMatchObject({ name: 'ValidationException' })
    await expect(encrypt(0)).rejects.toMatchObject({ name: 'ValidationException' })
  })

  test('a data key comes with the blob that opens to it', async () => {
    const { id } = await create(east)
    const EncryptionContext = { for: 'data' }
    const made = await east.send(
      new GenerateDataKeyCommand({ KeyId: id, KeySpec: 'AES_256', EncryptionContext }),
    )
    const { CiphertextBlob } = made

    const opened = await east.send(new DecryptCommand({ CiphertextBlob, EncryptionContext }))

    expect(made.Plaintext).toHaveLength(32)
    expect(opened.Plaintext).toEqual(made.Plaintext)
    const hidden = await east.send(
      new GenerateDataKeyWithoutPlaintextCommand({ KeyId: id, NumberOfBytes: 64 }),
    )
    expect(hidden).not.toHaveProperty('Plaintext')
    const later = await east.send(new DecryptCommand({ CiphertextBlob: hidden.CiphertextBlob }))
    expect(later.Plaintext).toHaveLength(64)
    await expect(east.send(new GenerateDataKeyCommand({ KeyId: id }))).rejects.toMatchObject({
      name: 'ValidationException',
    })
  })

  test('re-encryption moves a blob to another key and another context', async () => {
    const [from, to] = [await create(east), await create(east)]
    const blob = await seal(east, from.id, { at: 'old' })

    const moved = await east.send(
      new ReEncryptCommand({
        CiphertextBlob: blob,
        SourceEncryptionContext: { at: 'old' },
        DestinationKeyId: to.id,
        DestinationEncryptionContext: { at: 'new' },
      }),
    )

    const { CiphertextBlob } = moved
    const opened = await east.send(
      new DecryptCommand({ CiphertextBlob, EncryptionContext: { at: 'new' } }),
    )
    expect([moved.SourceKeyId, moved.KeyId, opened.KeyId]).toEqual([from.arn, to.arn, to.arn])
  })

  test('random bytes have the length that was asked for', async () => {
    const { Plaintext } = await east.send(new GenerateRandomCommand({ NumberOfBytes: 48 }))
    expect(Plaintext).toHaveLength(48)
  })
})

describe('the life of a key', () => {
  test('a disabled key neither encrypts nor decrypts until it is enabled', async () => {
    const { id, arn } = await create(east)
    const CiphertextBlob = await seal(east, id)
    await east.send(new DisableKeyCommand({ KeyId: id }))

    for (const refused of [
      () => east.send(new DecryptCommand({ CiphertextBlob })),
      () => seal(east, id),
    ]) {
      await expect(refused()).rejects.toMatchObject({
        name: 'DisabledException',
        message: `${arn} is disabled.`,
      })
    }
    await east.send(new EnableKeyCommand({ KeyId: id }))
    await expect(east.send(new DecryptCommand({ CiphertextBlob }))).resolves.toBeDefined()
  })

  test('a key that is to be deleted is unusable, comes back disabled, or is gone after its window', async () => {
    const [kept, lost] = [await create(east), await create(east)]
    const CiphertextBlob = await seal(east, lost.id)
    for (const { id } of [kept, lost]) {
      await east.send(new ScheduleKeyDeletionCommand({ KeyId: id, PendingWindowInDays: 7 }))
    }

    await expect(east.send(new DecryptCommand({ CiphertextBlob }))).rejects.toMatchObject({
      name: 'KMSInvalidStateException',
      message: `${lost.arn} is pending deletion.`,
    })
    await expect(east.send(new EnableKeyCommand({ KeyId: lost.id }))).rejects.toMatchObject({
      name: 'KMSInvalidStateException',
    })
    await east.send(new CancelKeyDeletionCommand({ KeyId: kept.id }))
    await world.clock.advance(7 * DAY)
    const { KeyMetadata } = await east.send(new DescribeKeyCommand({ KeyId: kept.id }))
    expect(KeyMetadata?.KeyState).toBe('Disabled')
    await expect(east.send(new DescribeKeyCommand({ KeyId: lost.id }))).rejects.toMatchObject({
      name: 'NotFoundException',
    })
  })

  test('a description says what was made, in which region, and when', async () => {
    const { id } = await create(east)

    const { KeyMetadata } = await east.send(new DescribeKeyCommand({ KeyId: id }))

    expect(KeyMetadata).toMatchObject({
      AWSAccountId: world.account,
      Arn: `arn:aws:kms:us-east-1:${world.account}:key/${id}`,
      Enabled: true,
      KeyState: 'Enabled',
      KeySpec: 'SYMMETRIC_DEFAULT',
      KeyUsage: 'ENCRYPT_DECRYPT',
      MultiRegion: false,
      CreationDate: new Date(world.clock.now()),
    })
  })

  test('keys are listed in pages, each once', async () => {
    await create(west)
    await create(west)
    const seen: (string | undefined)[] = []
    let Marker: string | undefined
    do {
      const answer = await west.send(new ListKeysCommand({ Limit: 1, ...(Marker && { Marker }) }))
      expect(answer.Keys).toHaveLength(1)
      seen.push(...(answer.Keys ?? []).map(({ KeyId }) => KeyId))
      Marker = answer.NextMarker
    } while (Marker !== undefined)

    expect(new Set(seen).size).toBe(seen.length)
    expect(seen.length).toBeGreaterThanOrEqual(2)
  })

  test('an alias names a key in its own region only', async () => {
    const { id, arn } = await create(east)
    const AliasName = 'alias/certrelay/test'
    await east.send(new CreateAliasCommand({ AliasName, TargetKeyId: id }))

    const CiphertextBlob = await seal(east, AliasName)

    const opened = await east.send(
      new DecryptCommand({
        CiphertextBlob,
        KeyId: `arn:aws:kms:us-east-1:${world.account}:${AliasName}`,
      }),
    )
    expect(opened.KeyId).toBe(arn)
    await expect(seal(west, AliasName)).rejects.toMatchObject({ name: 'NotFoundException' })
    await expect(
      east.send(new CreateAliasCommand({ AliasName, TargetKeyId: id })),
    ).rejects.toMatchObject({ name: 'AlreadyExistsException' })
    const { Aliases } = await east.send(new ListAliasesCommand({ KeyId: id }))
    expect(Aliases).toMatchObject([{ AliasName, TargetKeyId: id }])
    await east.send(new DeleteAliasCommand({ AliasName }))
    await expect(seal(east, AliasName)).rejects.toMatchObject({ name: 'NotFoundException' })
  })

  test('tags come and go', async () => {
    const { id } = await create(east)
    const Tags = [
      { TagKey: 'org', TagValue: 'acme' },
      { TagKey: 'env', TagValue: 'test' },
    ]
    await east.send(new TagResourceCommand({ KeyId: id, Tags }))
    await east.send(new UntagResourceCommand({ KeyId: id, TagKeys: ['env'] }))

    const answer = await east.send(new ListResourceTagsCommand({ KeyId: id }))

    expect(answer.Tags).toEqual([{ TagKey: 'org', TagValue: 'acme' }])
  })
})

describe('multi-Region keys', () => {
  test('a replica is creating, then opens what the primary sealed, and the other way round', async () => {
    const { id, arn } = await create(east, { MultiRegion: true })
    const CiphertextBlob = await seal(east, id)
    expect(id).toMatch(/^mrk-[0-9a-f]{32}$/)

    const answer = await east.send(
      new ReplicateKeyCommand({ KeyId: id, ReplicaRegion: 'us-west-2' }),
    )
    expect(answer.ReplicaKeyMetadata).toMatchObject({ KeyState: 'Creating', KeyId: id })
    await expect(west.send(new DecryptCommand({ CiphertextBlob }))).rejects.toMatchObject({
      name: 'KMSInvalidStateException',
    })
    await world.clock.advance(5_000)

    const opened = await west.send(new DecryptCommand({ CiphertextBlob, KeyId: id }))
    expect(opened.KeyId).toBe(arn.replace('us-east-1', 'us-west-2'))
    const back = await east.send(new DecryptCommand({ CiphertextBlob: await seal(west, id) }))
    expect(back.KeyId).toBe(arn)
    await east.send(new DisableKeyCommand({ KeyId: id }))
    await expect(west.send(new DecryptCommand({ CiphertextBlob }))).resolves.toBeDefined()
  })

  test('a key of one region cannot be replicated', async () => {
    const { id } = await create(east)
    await expect(
      east.send(new ReplicateKeyCommand({ KeyId: id, ReplicaRegion: 'us-west-2' })),
    ).rejects.toMatchObject({ name: 'UnsupportedOperationException' })
  })
})

describe('signatures', () => {
  const cases: [KeySpec, SigningAlgorithmSpec, string][] = [
    ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256', 'sha256'],
    ['RSA_2048', 'RSASSA_PSS_SHA_512', 'sha512'],
    ['ECC_NIST_P256', 'ECDSA_SHA_256', 'sha256'],
    ['ECC_NIST_P384', 'ECDSA_SHA_384', 'sha384'],
    ['ECC_NIST_P521', 'ECDSA_SHA_512', 'sha512'],
  ]
  test.each(cases)(
    '%s signs a message and a digest alike under %s',
    async (KeySpec, SigningAlgorithm, hash) => {
      const { id: KeyId } = await create(east, { KeySpec, KeyUsage: 'SIGN_VERIFY' })
      const message = Buffer.from('to be signed')
      const digest = createHash(hash).update(message).digest()
      const { PublicKey } = await east.send(new GetPublicKeyCommand({ KeyId }))
      const key = createPublicKey({
        key: Buffer.from(PublicKey ?? []),
        format: 'der',
        type: 'spki',
      })
      const how = SigningAlgorithm.includes('PSS')
        ? {
            key,
            padding: constants.RSA_PKCS1_PSS_PADDING,
            saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
          }
        : { key }

      for (const input of [
        { Message: message, MessageType: 'RAW' as const },
        { Message: digest, MessageType: 'DIGEST' as const },
      ]) {
        const { Signature = new Uint8Array() } = await east.send(
          new SignCommand({ KeyId, SigningAlgorithm, ...input }),
        )
        expect(verify(hash, message, how, Signature)).toBe(true)
        const verified = await east.send(
          new VerifyCommand({ KeyId, SigningAlgorithm, Message: message, Signature }),
        )
        expect(verified.SignatureValid).toBe(true)
        await expect(
          east.send(
            new VerifyCommand({
              KeyId,
              SigningAlgorithm,
              Message: Buffer.from('other'),
              Signature,
            }),
          ),
        ).rejects.toMatchObject({ name: 'KMSInvalidSignatureException' })
      }
    },
  )

  test('a key is used only for what it was made for', async () => {
    const [symmetric, pair] = [
      await create(east),
      await create(east, { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
    ]
    const sign = (KeyId: string, SigningAlgorithm: SigningAlgorithmSpec, size: number) =>
      east.send(
        new SignCommand({
          KeyId,
          SigningAlgorithm,
          Message: Buffer.alloc(size),
          MessageType: 'DIGEST',
        }),
      )

    const wrong = { name: 'InvalidKeyUsageException' }
    await expect(seal(east, pair.id)).rejects.toMatchObject(wrong)
    await expect(sign(symmetric.id, 'ECDSA_SHA_256', 32)).rejects.toMatchObject(wrong)
    await expect(sign(pair.id, 'ECDSA_SHA_384', 48)).rejects.toMatchObject(wrong)
    await expect(sign(pair.id, 'ECDSA_SHA_256', 20)).rejects.toMatchObject({
      name: 'ValidationException',
    })
  })
})

describe('who may', () => {
  test('a role decrypts only under the context that its policy names', async () => {
    const { id, arn } = await create(east)
    const identity = role(world, 'reader', {
      Effect: 'Allow',
      Action: 'kms:Decrypt',
      Resource: arn,
      Condition: { StringEquals: { 'kms:EncryptionContext:org': 'acme' } },
    })
    const reader = new KMSClient(client(world, 'us-east-1', identity))
    const open = async (org: string) =>
      reader.send(
        new DecryptCommand({
          CiphertextBlob: await seal(east, id, { org }),
          EncryptionContext: { org },
        }),
      )

    await expect(open('acme')).resolves.toMatchObject({ KeyId: arn })
    await expect(open('other')).rejects.toMatchObject({ name: 'AccessDeniedException' })
    await expect(seal(reader, id, { org: 'acme' })).rejects.toMatchObject({
      name: 'AccessDeniedException',
    })
    reader.destroy()
  })

  test("a deny in the key's own policy stops even the administrator, in that region and context only", async () => {
    const { id } = await create(east)
    const Statement = [
      {
        Effect: 'Allow',
        Principal: { AWS: `arn:aws:iam::${world.account}:root` },
        Action: 'kms:*',
        Resource: '*',
      },
      {
        Effect: 'Deny',
        Principal: '*',
        Action: 'kms:Decrypt',
        Resource: '*',
        Condition: { StringNotEquals: { 'kms:EncryptionContext:org': 'acme' } },
      },
    ]
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
    await east.send(new PutKeyPolicyCommand({ KeyId: id, Policy }))
    const open = async (org: string) =>
      east.send(
        new DecryptCommand({
          CiphertextBlob: await seal(east, id, { org }),
          EncryptionContext: { org },
        }),
      )

    await expect(open('acme')).resolves.toBeDefined()
    await expect(open('other')).rejects.toMatchObject({ name: 'AccessDeniedException' })
    expect((await east.send(new GetKeyPolicyCommand({ KeyId: id }))).Policy).toBe(Policy)
    await expect(
      east.send(new PutKeyPolicyCommand({ KeyId: id, Policy: '{}' })),
    ).rejects.toMatchObject({ name: 'MalformedPolicyDocumentException' })
  })
})
