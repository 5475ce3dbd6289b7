import * as v from 'valibot'
import { browse } from '../cursor.ts'
import { AwsError, type Operation, operation, seconds, type World } from '../service.ts'
import { text, whole } from '../wire.ts'
import type { Keys } from './keys.ts'

const AliasName = v.pipe(
  text(1, 256),
  v.regex(/^alias\/[a-zA-Z0-9/_-]+$/, 'Member must be an alias name'),
)
const TargetKeyId = text(1, 2048)

/** Friendly names of KMS keys; each region has its own. */
export function aliases(
  world: Pick<World, 'account' | 'clock'>,
  keys: Keys,
): Readonly<Record<string, Operation>> {
  const arn = (region: string, name: string) => `arn:aws:kms:${region}:${world.account}:${name}`
  return {
    CreateAlias: operation(v.object({ AliasName, TargetKeyId }), (input, { region }) => {
      const name = input.AliasName
      if (name.startsWith('alias/aws/')) throw new AwsError('NotAuthorizedException', '')
      const key = keys.find(region, input.TargetKeyId)
      if (keys.aliases(region).has(name)) {
        throw new AwsError(
          'AlreadyExistsException',
          `An alias with the name ${arn(region, name)} already exists`,
        )
      }
      keys
        .aliases(region)
        .set(name, { name, arn: arn(region, name), key: key.id, created: world.clock.now() })
      return {}
    }),
    UpdateAlias: operation(v.object({ AliasName, TargetKeyId }), (input, { region }) => {
      const alias = keys.aliases(region).get(input.AliasName)
      if (alias === undefined) throw missing(arn(region, input.AliasName))
      const { id } = keys.find(region, input.TargetKeyId)
      keys.aliases(region).set(alias.name, { ...alias, key: id })
      return {}
    }),
    DeleteAlias: operation(v.object({ AliasName }), (input, { region }) => {
      if (keys.aliases(region).delete(input.AliasName)) return {}
      throw missing(arn(region, input.AliasName))
    }),
    ListAliases: operation(
      v.object({
        KeyId: v.optional(TargetKeyId),
        Limit: v.optional(whole(1, 100), 50),
        Marker: v.optional(v.string()),
      }),
      ({ KeyId, Limit, Marker }, { region }) => {
        const key = KeyId === undefined ? undefined : keys.find(region, KeyId).id
        const all = [...keys.aliases(region).values()]
        const { items, next } = browse(
          all.filter((alias) => key === undefined || alias.key === key),
          ({ name }) => name,
          { size: Limit, token: Marker },
          'InvalidMarkerException',
        )
        return {
          Aliases: items.map((alias) => ({
            AliasName: alias.name,
            AliasArn: alias.arn,
            TargetKeyId: alias.key,
            CreationDate: seconds(alias.created),
            LastUpdatedDate: seconds(alias.created),
          })),
          Truncated: next !== undefined,
          NextMarker: next,
        }
      },
    ),
  }
}

function missing(arn: string): AwsError {
  return new AwsError('NotFoundException', `Alias ${arn} is not found.`)
}
