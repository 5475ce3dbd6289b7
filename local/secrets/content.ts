import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import * as v from 'valibot'
import { AwsError, type Caller, type World } from '../service.ts'
import { blob } from '../wire.ts'

/** What a version holds. */
export interface Value {
  readonly kind: 'SecretString' | 'SecretBinary'
  readonly bytes: Buffer
}

/** A value as it is kept: under a data key of the customer's KMS key, or as it is. */
export type Content =
  | ({ readonly at: 'memory' } & Value)
  | {
      readonly at: 'sealed'
      readonly kind: Value['kind']
      /** The data key, as KMS encrypted it, in base64. */
      readonly key: string
      readonly kms: string
      readonly nonce: Buffer
      readonly tag: Buffer
      readonly body: Buffer
    }

/** Where a value belongs: the encryption context that Secrets Manager gives to KMS. */
export interface Place {
  readonly arn: string
  readonly region: string
  readonly version: string
}

const dataKey = v.object({ Plaintext: blob(32, 32), CiphertextBlob: v.string() })
const opened = v.object({ Plaintext: blob(32, 32) })

/**
 * Encrypts under a data key from KMS when there is a customer key.
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html
 * @throws AwsError EncryptionFailure, AccessDeniedException
 */
export async function seal(
  world: Pick<World, 'call'>,
  kms: string | undefined,
  place: Place,
  value: Value,
  caller: Caller | undefined,
): Promise<Content> {
  if (kms === undefined) return { at: 'memory', ...value }
  const input = { KeyId: kms, KeySpec: 'AES_256', EncryptionContext: context(place) }
  const answer = await world
    .call('kms', 'GenerateDataKey', input, as(place, caller))
    .catch((error: unknown) => {
      throw translate(error, 'EncryptionFailure', 'encrypt')
    })
  const { Plaintext, CiphertextBlob } = v.parse(dataKey, answer)
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', Plaintext, nonce)
  const body = Buffer.concat([cipher.update(value.bytes), cipher.final()])
  Plaintext.fill(0)
  return {
    at: 'sealed',
    kind: value.kind,
    key: CiphertextBlob,
    kms,
    nonce,
    tag: cipher.getAuthTag(),
    body,
  }
}

/**
 * Asks KMS for the data key on every read, as Secrets Manager does.
 * @throws AwsError DecryptionFailure, AccessDeniedException
 */
export async function unseal(
  world: Pick<World, 'call'>,
  content: Content,
  place: Place,
  caller: Caller | undefined,
): Promise<Value> {
  if (content.at === 'memory') return content
  const { kind, key, kms, nonce, tag, body } = content
  const input = { KeyId: kms, CiphertextBlob: key, EncryptionContext: context(place) }
  const answer = await world
    .call('kms', 'Decrypt', input, as(place, caller))
    .catch((error: unknown) => {
      throw translate(error, 'DecryptionFailure', 'decrypt')
    })
  const { Plaintext } = v.parse(opened, answer)
  const decipher = createDecipheriv('aes-256-gcm', Plaintext, nonce, { authTagLength: 16 })
  decipher.setAuthTag(tag)
  const bytes = Buffer.concat([decipher.update(body), decipher.final()])
  Plaintext.fill(0)
  return { kind, bytes }
}

/** The caller's own rights count, exercised through Secrets Manager. */
function as({ region }: Place, caller: Caller | undefined) {
  if (caller === undefined) return { region }
  return { region, caller: { ...caller, via: `secretsmanager.${region}.amazonaws.com` } }
}

const context = ({ arn, version }: Place) => ({ SecretARN: arn, SecretVersionId: version })

function translate(error: unknown, code: string, verb: string): unknown {
  if (!(error instanceof AwsError)) return error
  if (error.code === 'AccessDeniedException') {
    return new AwsError('AccessDeniedException', 'Access to KMS is not allowed')
  }
  return new AwsError(
    code,
    `Secrets Manager can't ${verb} the protected secret text using the provided KMS key. Check that the KMS key is available, enabled, and not in an invalid state.`,
  )
}

/** The two members of which one may be given; `undefined` when neither is. */
export function given(input: {
  readonly SecretString?: string | undefined
  readonly SecretBinary?: Buffer | undefined
}): Value | undefined {
  const { SecretString, SecretBinary } = input
  if (SecretString !== undefined && SecretBinary !== undefined) {
    throw new AwsError(
      'InvalidParameterException',
      "You can't specify both a binary secret value and a string secret value in the same secret.",
    )
  }
  if (SecretBinary !== undefined) return { kind: 'SecretBinary', bytes: SecretBinary }
  if (SecretString === undefined) return undefined
  return { kind: 'SecretString', bytes: Buffer.from(SecretString) }
}

/** The member as it is answered. */
export function answer({ kind, bytes }: Value): Record<string, string> {
  return { [kind]: bytes.toString(kind === 'SecretString' ? 'utf8' : 'base64') }
}

/** Input members of an operation that takes a value: at most 65,536 bytes. */
export const valueFields = {
  SecretString: v.optional(
    v.pipe(
      v.string(),
      v.check(
        (value) => value.length > 0 && Buffer.byteLength(value) <= 65_536,
        'Member must have length between 1 and 65536',
      ),
    ),
  ),
  SecretBinary: v.optional(blob(1, 65_536)),
  ClientRequestToken: v.optional(v.pipe(v.string(), v.minLength(32), v.maxLength(64))),
}
