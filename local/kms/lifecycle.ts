import * as v from 'valibot'
import { browse } from '../cursor.ts'
import { AwsError, type Call, type Operation, operation, seconds, type World } from '../service.ts'
import { text, whole } from '../wire.ts'
import { generate, type Key, type Keys, keyPolicy } from './keys.ts'
import { SPEC_NAMES, SPECS } from './specs.ts'

const DAY = 86_400_000
/** How long a replica is `Creating`, in milliseconds. */
const REPLICATION = 2_000

const KeyId = text(1, 2048)
const named = v.object({ KeyId })
const Tags = v.optional(v.array(v.object({ TagKey: text(1, 128), TagValue: text(0, 256) })), [])
const paging = { Limit: v.optional(whole(1, 1000)), Marker: v.optional(v.string()) }
const fields = {
  Description: v.optional(text(0, 8192), ''),
  Policy: v.optional(text(1, 32768)),
  Tags,
}

/** The operations on keys as such: making, describing, switching, deleting, replicating. */
export function lifecycle(
  world: Pick<World, 'account' | 'clock' | 'random' | 'regions'>,
  keys: Keys,
): Readonly<Record<string, Operation>> {
  const { clock, random } = world
  const find = (call: Call, reference: string) => keys.find(call.region, reference)
  const change = (call: Call, reference: string) => {
    const key = find(call, reference)
    if (key.state.at === 'PendingDeletion') {
      throw new AwsError('KMSInvalidStateException', `${key.arn} is pending deletion.`)
    }
    if (key.state.at === 'Creating') {
      throw new AwsError('KMSInvalidStateException', `${key.arn} is creating.`)
    }
    return key
  }

  return {
    CreateKey: operation(
      v.object({
        ...fields,
        KeySpec: v.optional(v.picklist(SPEC_NAMES), 'SYMMETRIC_DEFAULT'),
        KeyUsage: v.optional(v.picklist(['ENCRYPT_DECRYPT', 'SIGN_VERIFY'])),
        MultiRegion: v.optional(v.boolean(), false),
        Origin: v.optional(v.literal('AWS_KMS')),
      }),
      async (
        { Description, Policy, Tags, KeySpec, KeyUsage = 'ENCRYPT_DECRYPT', MultiRegion },
        call,
      ) => {
        const usage = KeySpec === 'SYMMETRIC_DEFAULT' ? 'ENCRYPT_DECRYPT' : 'SIGN_VERIFY'
        if (KeyUsage !== usage) {
          throw new AwsError(
            'ValidationException',
            `KeyUsage ${KeyUsage} is not compatible with KeySpec ${KeySpec}`,
          )
        }
        const { region } = call
        const key = keys.put({
          id: MultiRegion ? `mrk-${random.hex(32)}` : random.uuid(),
          region,
          spec: KeySpec,
          material: await generate(KeySpec),
          description: Description,
          tags: tagMap(Tags),
          policy: Policy === undefined ? undefined : keyPolicy(Policy),
          ...(MultiRegion && { family: { primary: region, regions: new Set([region]) } }),
        })
        return { KeyMetadata: describe(world.account, key) }
      },
    ),
    DescribeKey: operation(named, ({ KeyId }, call) => ({
      KeyMetadata: describe(world.account, find(call, KeyId)),
    })),
    ListKeys: operation(v.object(paging), ({ Limit = 100, Marker }, call) => {
      const { items, next } = browse(
        keys.all(call.region),
        ({ id }) => id,
        { size: Limit, token: Marker },
        'InvalidMarkerException',
      )
      return {
        Keys: items.map(({ id, arn }) => ({ KeyId: id, KeyArn: arn })),
        Truncated: next !== undefined,
        NextMarker: next,
      }
    }),
    EnableKey: operation(named, ({ KeyId }, call) => {
      change(call, KeyId).state = { at: 'Enabled' }
      return {}
    }),
    DisableKey: operation(named, ({ KeyId }, call) => {
      change(call, KeyId).state = { at: 'Disabled' }
      return {}
    }),
    ScheduleKeyDeletion: operation(
      v.object({ KeyId, PendingWindowInDays: v.optional(whole(7, 30), 30) }),
      ({ KeyId, PendingWindowInDays }, call) => {
        const key = change(call, KeyId)
        const deletion = clock.now() + PendingWindowInDays * DAY
        const { cancel } = clock.at(deletion, () => keys.remove(key))
        key.state = { at: 'PendingDeletion', deletion, cancel }
        return {
          KeyId: key.arn,
          DeletionDate: seconds(deletion),
          KeyState: key.state.at,
          PendingWindowInDays,
        }
      },
    ),
    CancelKeyDeletion: operation(named, ({ KeyId }, call) => {
      const key = find(call, KeyId)
      if (key.state.at !== 'PendingDeletion') {
        throw new AwsError('KMSInvalidStateException', `${key.arn} is not pending deletion.`)
      }
      key.state.cancel()
      key.state = { at: 'Disabled' }
      return { KeyId: key.arn }
    }),
    ReplicateKey: operation(
      v.object({ KeyId, ReplicaRegion: text(1, 32), ...fields }),
      ({ KeyId, ReplicaRegion, Description, Policy, Tags }, call) => {
        const source = change(call, KeyId)
        const { family } = source
        if (family === undefined || family.primary !== call.region) {
          throw new AwsError(
            'UnsupportedOperationException',
            `${source.arn} is not a multi-Region primary key.`,
          )
        }
        if (!world.regions.includes(ReplicaRegion)) {
          throw new AwsError('ValidationException', `ReplicaRegion ${ReplicaRegion} is not valid.`)
        }
        if (family.regions.has(ReplicaRegion)) {
          throw new AwsError(
            'AlreadyExistsException',
            `${source.id} already exists in ${ReplicaRegion}.`,
          )
        }
        const { id, spec, material } = source
        const replica = keys.put(
          {
            id,
            spec,
            material,
            family,
            region: ReplicaRegion,
            description: Description,
            tags: tagMap(Tags),
            policy: Policy === undefined ? undefined : keyPolicy(Policy),
          },
          { at: 'Creating' },
        )
        family.regions.add(ReplicaRegion)
        clock.after(REPLICATION, () => {
          replica.state = { at: 'Enabled' }
        })
        return {
          ReplicaKeyMetadata: describe(world.account, replica),
          ReplicaPolicy: replica.policy.text,
          ReplicaTags: tagList(replica),
        }
      },
    ),
    TagResource: operation(
      v.object({
        KeyId,
        Tags: v.array(v.object({ TagKey: text(1, 128), TagValue: text(0, 256) })),
      }),
      ({ KeyId, Tags }, call) => {
        const { tags } = change(call, KeyId)
        for (const { TagKey, TagValue } of Tags) tags.set(TagKey, TagValue)
        return {}
      },
    ),
    UntagResource: operation(
      v.object({ KeyId, TagKeys: v.array(text(1, 128)) }),
      ({ KeyId, TagKeys }, call) => {
        const { tags } = change(call, KeyId)
        for (const key of TagKeys) tags.delete(key)
        return {}
      },
    ),
    ListResourceTags: operation(named, ({ KeyId }, call) => ({
      Tags: tagList(find(call, KeyId)),
      Truncated: false,
    })),
    GetKeyPolicy: operation(named, ({ KeyId }, call) => ({
      Policy: find(call, KeyId).policy.text,
      PolicyName: 'default',
    })),
    PutKeyPolicy: operation(
      v.object({ KeyId, Policy: text(1, 32768) }),
      ({ KeyId, Policy }, call) => {
        const key = change(call, KeyId)
        key.policy = keyPolicy(Policy)
        return {}
      },
    ),
  }
}

/** KeyMetadata: https://docs.aws.amazon.com/kms/latest/APIReference/API_KeyMetadata.html */
function describe(account: string, key: Key) {
  const { id, arn, spec, state, family, created, description } = key
  const member = (region: string) => ({
    Arn: `arn:aws:kms:${region}:${account}:key/${id}`,
    Region: region,
  })
  return {
    AWSAccountId: account,
    KeyId: id,
    Arn: arn,
    CreationDate: seconds(created),
    Enabled: state.at === 'Enabled',
    Description: description,
    KeyUsage: spec === 'SYMMETRIC_DEFAULT' ? 'ENCRYPT_DECRYPT' : 'SIGN_VERIFY',
    KeyState: state.at,
    ...(state.at === 'PendingDeletion' && { DeletionDate: seconds(state.deletion) }),
    Origin: 'AWS_KMS',
    KeyManager: 'CUSTOMER',
    CustomerMasterKeySpec: spec,
    KeySpec: spec,
    ...(spec === 'SYMMETRIC_DEFAULT'
      ? { EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'] }
      : { SigningAlgorithms: SPECS[spec].algorithms }),
    MultiRegion: family !== undefined,
    ...(family !== undefined && {
      MultiRegionConfiguration: {
        MultiRegionKeyType: family.primary === key.region ? 'PRIMARY' : 'REPLICA',
        PrimaryKey: member(family.primary),
        ReplicaKeys: [...family.regions].filter((region) => region !== family.primary).map(member),
      },
    }),
  }
}

function tagMap(tags: readonly { TagKey: string; TagValue: string }[]): Map<string, string> {
  return new Map(tags.map(({ TagKey, TagValue }) => [TagKey, TagValue]))
}

function tagList({ tags }: Key) {
  return [...tags].map(([TagKey, TagValue]) => ({ TagKey, TagValue }))
}
