import * as v from 'valibot'
import type { Service, World } from '../service.ts'
import { tagConditions } from '../wire.ts'
import { lifecycle } from './lifecycle.ts'
import { listing } from './listing.ts'
import { GetRandomPassword } from './password.ts'
import { replication } from './replicas.ts'
import { rotation } from './rotation.ts'
import { store } from './store.ts'
import { versions } from './versions.ts'

const seen = v.object({
  SecretId: v.optional(v.fallback(v.string(), '')),
  Name: v.optional(v.fallback(v.string(), '')),
  VersionId: v.optional(v.fallback(v.string(), '')),
  VersionStage: v.optional(v.fallback(v.string(), '')),
  KmsKeyId: v.optional(v.fallback(v.string(), '')),
  RotationLambdaARN: v.optional(v.fallback(v.string(), '')),
  RotateImmediately: v.optional(v.fallback(v.boolean(), true)),
  Tags: v.optional(v.fallback(v.array(v.object({ Key: v.string(), Value: v.string() })), []), []),
  TagKeys: v.optional(v.fallback(v.array(v.string()), []), []),
})

/**
 * AWS Secrets Manager: versions, staging labels, rotation, replicas, deletion with a way back. Values are encrypted through
 * KMS when the secret has a customer key, and kept in memory when it has none.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/
 */
export function secrets(world: World): Service {
  const all = store(world)
  const copies = replication(world, all)
  const values = versions(world, all, copies)
  return {
    name: 'secretsmanager',
    operations: {
      ...lifecycle(world, all, copies, values),
      ...values.operations,
      ...copies.operations,
      ...rotation(world, all, copies),
      ...listing(world, all),
      GetRandomPassword,
    },
    subject(operation, input, { region }) {
      const parsed = v.safeParse(seen, input)
      if (!parsed.success) return { arn: '*' }
      const { SecretId, Name, VersionId, VersionStage, KmsKeyId, Tags, TagKeys } = parsed.output
      const { RotationLambdaARN, RotateImmediately } = parsed.output
      const id = operation === 'CreateSecret' ? Name : SecretId
      const conditions = {
        ...(Name !== undefined && { 'secretsmanager:Name': Name }),
        ...(KmsKeyId !== undefined && { 'secretsmanager:KmsKeyId': KmsKeyId }),
        ...(RotationLambdaARN && { 'secretsmanager:RotationLambdaARN': RotationLambdaARN }),
        ...(operation === 'RotateSecret' && {
          'secretsmanager:RotateImmediately': String(RotateImmediately ?? true),
        }),
        ...(VersionId !== undefined && { 'secretsmanager:VersionId': VersionId }),
        ...((VersionStage !== undefined || operation === 'GetSecretValue') && {
          'secretsmanager:VersionStage': VersionStage ?? 'AWSCURRENT',
        }),
        ...tagConditions([
          ...Tags.map(({ Key, Value }) => [Key, Value] as const),
          ...TagKeys.map((key) => [key, undefined] as const),
        ]),
      }
      if (id === undefined) return { arn: '*', conditions }
      const secret = operation === 'CreateSecret' ? undefined : all.look(region, id)
      const unknown = id.startsWith('arn:')
        ? id
        : `arn:aws:secretsmanager:${region}:${world.account}:secret:${id}-??????`
      const arn = secret?.arn ?? unknown
      return {
        arn,
        ...(secret && { tags: Object.fromEntries(secret.tags) }),
        conditions: {
          ...conditions,
          ...(operation !== 'CreateSecret' && { 'secretsmanager:SecretId': arn }),
          ...(secret?.rotation && {
            'secretsmanager:resource/AllowRotationLambdaArn': secret.rotation.lambda,
          }),
        },
      }
    },
  }
}
