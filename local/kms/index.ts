import * as v from 'valibot'
import { consult } from '../policy.ts'
import { AwsError, type Call, type Service, type Subject, type World } from '../service.ts'
import { tagConditions } from '../wire.ts'
import { aliases } from './aliases.ts'
import { header } from './ciphertext.ts'
import { crypt, type Guard } from './crypt.ts'
import { type Key, keys as makeKeys } from './keys.ts'
import { lifecycle } from './lifecycle.ts'

const seen = v.object({
  KeyId: v.optional(v.fallback(v.string(), '')),
  TargetKeyId: v.optional(v.fallback(v.string(), '')),
  SourceKeyId: v.optional(v.fallback(v.string(), '')),
  CiphertextBlob: v.optional(v.fallback(v.string(), '')),
  EncryptionContext: v.optional(v.fallback(v.record(v.string(), v.string()), {}), {}),
  Tags: v.optional(
    v.fallback(v.array(v.object({ TagKey: v.string(), TagValue: v.string() })), []),
    [],
  ),
  TagKeys: v.optional(v.fallback(v.array(v.string()), []), []),
})

/**
 * AWS KMS: keys per region, real cryptography, contexts that are authenticated. Identity policies decide who may;
 * of a key's own policy only `Deny` statements are evaluated, for the operations that use its material.
 * https://docs.aws.amazon.com/kms/latest/APIReference/
 */
export function kms(world: Pick<World, 'account' | 'clock' | 'random' | 'regions'>): Service {
  const keys = makeKeys(world)

  function about(key: Key | undefined, arn: string, input: unknown, call: Call): Subject {
    const parsed = v.safeParse(seen, input)
    const {
      EncryptionContext = {},
      Tags = [],
      TagKeys = [],
      KeyId,
    } = parsed.success ? parsed.output : {}
    const pairs = Object.entries(EncryptionContext)
    const { via } = call.caller
    return {
      arn: key?.arn ?? arn,
      ...(key && { tags: Object.fromEntries(key.tags) }),
      conditions: {
        'kms:CallerAccount': world.account,
        ...(via !== undefined && { 'kms:ViaService': via }),
        ...(KeyId?.startsWith('alias/') && { 'kms:RequestAlias': KeyId }),
        ...(pairs.length > 0 && { 'kms:EncryptionContextKeys': pairs.map(([name]) => name) }),
        ...Object.fromEntries(
          pairs.map(([name, value]) => [`kms:EncryptionContext:${name}`, value]),
        ),
        ...tagConditions([
          ...Tags.map(({ TagKey, TagValue }) => [TagKey, TagValue] as const),
          ...TagKeys.map((key) => [key, undefined] as const),
        ]),
      },
    }
  }
  const guard: Guard = (key, call, input) => {
    const { denials } = key.policy
    if (denials === undefined || call.caller.internal) return
    const action = `kms:${call.operation}`
    const subject = about(key, key.arn, input, call)
    if (consult(denials, action, subject, call.caller.arn) !== 'deny') return
    throw new AwsError(
      'AccessDeniedException',
      `User: ${call.caller.arn} is not authorized to perform: ${action} on resource: ${key.arn} with an explicit deny in a resource-based policy`,
    )
  }

  return {
    name: 'kms',
    operations: { ...lifecycle(world, keys), ...aliases(world, keys), ...crypt(keys, guard) },
    subject(_operation, input, call) {
      const parsed = v.safeParse(seen, input)
      if (!parsed.success) return { arn: '*' }
      const { KeyId, TargetKeyId, SourceKeyId, CiphertextBlob } = parsed.output
      const named = KeyId ?? TargetKeyId ?? SourceKeyId
      const id = header(Buffer.from(CiphertextBlob ?? '', 'base64'))?.key
      const reference = named ?? id
      if (reference === undefined) return about(undefined, '*', input, call)
      const arn = reference.startsWith('arn:')
        ? reference
        : `arn:aws:kms:${call.region}:${world.account}:${/^alias\//.test(reference) ? reference : `key/${reference}`}`
      return about(existing(call.region, reference), arn, input, call)
    },
  }

  function existing(region: string, reference: string): Key | undefined {
    try {
      return keys.find(region, reference)
    } catch {
      return undefined // the operation itself says what is wrong with the reference
    }
  }
}
