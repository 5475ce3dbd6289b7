import { createHash, randomBytes } from 'node:crypto'
import * as v from 'valibot'
import { AwsError, type Call, type Operation, operation } from '../service.ts'
import { blob, text, whole } from '../wire.ts'
import { type Context, decrypt, encrypt, header } from './ciphertext.ts'
import { signDigest, verifyDigest } from './digest.ts'
import type { Key, Keys } from './keys.ts'
import { method, SPECS } from './specs.ts'

const KeyId = text(1, 2048)
const context = v.optional(v.record(v.string(), v.string()), {})
const sizes = {
  KeySpec: v.optional(v.picklist(['AES_256', 'AES_128'])),
  NumberOfBytes: v.optional(whole(1, 1024)),
}
const dataKey = v.object({ KeyId, EncryptionContext: context, ...sizes })
const signing = {
  KeyId,
  Message: blob(1, 4096),
  MessageType: v.optional(v.picklist(['RAW', 'DIGEST']), 'RAW'),
  SigningAlgorithm: v.string(),
}
const SYMMETRIC = 'SYMMETRIC_DEFAULT'

/** Answers whether the key's own policy lets the caller; throws AccessDeniedException when not. */
export type Guard = (key: Key, call: Call, input: Readonly<Record<string, unknown>>) => void

/** The operations that use key material. */
export function crypt(keys: Keys, guard: Guard): Readonly<Record<string, Operation>> {
  function open(
    blob: Buffer,
    context: Context,
    call: Call,
    named: string | undefined,
    input: object,
  ) {
    const head = header(blob)
    if (head === undefined) throw new AwsError('InvalidCiphertextException', '')
    const asked = named === undefined ? undefined : keys.find(call.region, named)
    const key = keys.get(call.region, head.key)
    if (asked !== undefined && asked.id !== head.key) {
      throw new AwsError(
        'IncorrectKeyException',
        'The key ID in the request does not identify a CMK that can perform this operation.',
      )
    }
    if (key === undefined) {
      throw new AwsError(
        'AccessDeniedException',
        'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
      )
    }
    guard(key, call, { ...input })
    const { id, secret } = secretOf(key, call)
    return { key, id, plaintext: decrypt(head, secret, context) }
  }
  function seal(reference: string, context: Context, call: Call, input: object, plaintext: Buffer) {
    const key = keys.find(call.region, reference)
    guard(key, call, { ...input })
    const { secret } = secretOf(key, call)
    return {
      CiphertextBlob: encrypt(key.id, secret, plaintext, context).toString('base64'),
      KeyId: key.arn,
    }
  }
  function newDataKey(input: v.InferOutput<typeof dataKey>, call: Call) {
    const { KeyId, EncryptionContext, KeySpec, NumberOfBytes } = input
    if ((KeySpec === undefined) === (NumberOfBytes === undefined)) {
      throw new AwsError(
        'ValidationException',
        'Please specify either number of bytes or key spec.',
      )
    }
    const plaintext = randomBytes(NumberOfBytes ?? (KeySpec === 'AES_128' ? 16 : 32))
    return { plaintext, ...seal(KeyId, EncryptionContext, call, input, plaintext) }
  }
  function pair(
    { KeyId, Message, MessageType, SigningAlgorithm, ...rest }: v.InferOutput<typeof signingInput>,
    call: Call,
  ) {
    const key = keys.find(call.region, KeyId)
    guard(key, call, { KeyId, ...rest })
    usable(key)
    const { material } = key
    if (material.kind !== 'pair') throw wrongUsage(key, call)
    if (!SPECS[key.spec].algorithms.includes(SigningAlgorithm)) {
      throw new AwsError(
        'InvalidKeyUsageException',
        `Algorithm ${SigningAlgorithm} is incompatible with key spec ${key.spec}.`,
      )
    }
    const how = method(SigningAlgorithm)
    if (how.scheme === 'ed25519') {
      if (MessageType === 'RAW')
        return { key, material, how, digest: Message, answer: { KeyId: key.arn, SigningAlgorithm } }
      throw new AwsError(
        'ValidationException',
        `Algorithm ${SigningAlgorithm} requires message type RAW.`,
      )
    }
    const size = Number(how.hash.slice(3)) / 8
    if (MessageType === 'DIGEST' && Message.length !== size) {
      throw new AwsError(
        'ValidationException',
        `Digest is invalid length for algorithm ${SigningAlgorithm}.`,
      )
    }
    const digest =
      MessageType === 'DIGEST' ? Message : createHash(how.hash).update(Message).digest()
    return { key, material, how, digest, answer: { KeyId: key.arn, SigningAlgorithm } }
  }

  return {
    Encrypt: operation(
      v.object({ KeyId, Plaintext: blob(1, 4096), EncryptionContext: context }),
      ({ Plaintext, ...input }, call) => ({
        ...seal(input.KeyId, input.EncryptionContext, call, input, Plaintext),
        EncryptionAlgorithm: SYMMETRIC,
      }),
    ),
    Decrypt: operation(
      v.object({
        KeyId: v.optional(KeyId),
        CiphertextBlob: blob(1, 6144),
        EncryptionContext: context,
      }),
      ({ CiphertextBlob, ...input }, call) => {
        const opened = open(CiphertextBlob, input.EncryptionContext, call, input.KeyId, input)
        return {
          KeyId: opened.key.arn,
          Plaintext: opened.plaintext.toString('base64'),
          EncryptionAlgorithm: SYMMETRIC,
          KeyMaterialId: opened.id,
        }
      },
    ),
    ReEncrypt: operation(
      v.object({
        CiphertextBlob: blob(1, 6144),
        SourceKeyId: v.optional(KeyId),
        SourceEncryptionContext: context,
        DestinationKeyId: KeyId,
        DestinationEncryptionContext: context,
      }),
      (input, call) => {
        const from = { EncryptionContext: input.SourceEncryptionContext }
        const to = { EncryptionContext: input.DestinationEncryptionContext }
        const source = { ...call, operation: 'ReEncryptFrom' }
        const target = { ...call, operation: 'ReEncryptTo' }
        const { key, plaintext } = open(
          input.CiphertextBlob,
          input.SourceEncryptionContext,
          source,
          input.SourceKeyId,
          from,
        )
        return {
          ...seal(input.DestinationKeyId, to.EncryptionContext, target, to, plaintext),
          SourceKeyId: key.arn,
          SourceEncryptionAlgorithm: SYMMETRIC,
          DestinationEncryptionAlgorithm: SYMMETRIC,
        }
      },
    ),
    GenerateDataKey: operation(dataKey, (input, call) => {
      const { plaintext, ...rest } = newDataKey(input, call)
      return { ...rest, Plaintext: plaintext.toString('base64') }
    }),
    GenerateDataKeyWithoutPlaintext: operation(dataKey, (input, call) => {
      const { plaintext: _, ...rest } = newDataKey(input, call)
      return rest
    }),
    GenerateRandom: operation(v.object({ NumberOfBytes: whole(1, 1024) }), ({ NumberOfBytes }) => ({
      Plaintext: randomBytes(NumberOfBytes).toString('base64'),
    })),
    GetPublicKey: operation(v.object({ KeyId }), (input, call) => {
      const key = keys.find(call.region, input.KeyId)
      guard(key, call, input)
      usable(key)
      if (key.material.kind !== 'pair') {
        throw new AwsError('UnsupportedOperationException', `${key.arn} is not an asymmetric key.`)
      }
      const der = key.material.publicKey.export({ format: 'der', type: 'spki' })
      return {
        KeyId: key.arn,
        PublicKey: der.toString('base64'),
        CustomerMasterKeySpec: key.spec,
        KeySpec: key.spec,
        KeyUsage: 'SIGN_VERIFY',
        SigningAlgorithms: SPECS[key.spec].algorithms,
      }
    }),
    Sign: operation(signingInput, (input, call) => {
      const { material, how, digest, answer } = pair(input, call)
      return {
        ...answer,
        Signature: signDigest(how, material.privateKey, digest).toString('base64'),
      }
    }),
    Verify: operation(
      v.object({ ...signing, Signature: blob(1, 6144) }),
      ({ Signature, ...input }, call) => {
        const { material, how, digest, answer } = pair(input, call)
        if (verifyDigest(how, material.publicKey, digest, Signature)) {
          return { ...answer, SignatureValid: true }
        }
        throw new AwsError('KMSInvalidSignatureException', '')
      },
    ),
  }
}

const signingInput = v.object(signing)

function secretOf(key: Key, call: Call) {
  usable(key)
  if (key.material.kind !== 'symmetric') throw wrongUsage(key, call)
  return key.material
}

/** https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html */
function usable({ state, arn }: Key) {
  if (state.at === 'Disabled') throw new AwsError('DisabledException', `${arn} is disabled.`)
  if (state.at === 'PendingDeletion') {
    throw new AwsError('KMSInvalidStateException', `${arn} is pending deletion.`)
  }
  if (state.at === 'Creating') {
    throw new AwsError('KMSInvalidStateException', `${arn} is creating.`)
  }
}

function wrongUsage({ arn, spec }: Key, { operation }: Call): AwsError {
  const usage = spec === SYMMETRIC ? 'ENCRYPT_DECRYPT' : 'SIGN_VERIFY'
  return new AwsError(
    'InvalidKeyUsageException',
    `${arn} key usage is ${usage} which is not valid for ${operation}.`,
  )
}
