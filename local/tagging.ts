import * as v from 'valibot'
import { browse } from './cursor.ts'
import { AwsError, operation, type Service, type World } from './service.ts'
import { text, whole } from './wire.ts'

/** A resource and its tags. */
interface Tagged {
  readonly arn: string
  readonly tags: readonly (readonly [string, string])[]
}
type Ask = (
  name: string,
  input: Readonly<Record<string, unknown>>,
) => Promise<Record<string, unknown>>

const texts = v.array(v.string())
const pairs = v.pipe(
  v.array(v.object({ Key: v.string(), Value: v.optional(v.string(), '') })),
  v.transform((tags) => tags.map(({ Key, Value }) => [Key, Value] as const)),
)
const lowerPairs = v.pipe(
  v.optional(v.array(v.object({ key: v.string(), value: v.optional(v.string(), '') })), []),
  v.transform((tags) => tags.map(({ key, value }) => [key, value] as const)),
)
const ALGORITHMS = [
  'RSA_1024',
  'RSA_2048',
  'RSA_3072',
  'RSA_4096',
  'EC_prime256v1',
  'EC_secp384r1',
  'EC_secp521r1',
]

/** How each service is asked for what it has; the key is its SigV4 name, the type its resource type. */
const SOURCES: Readonly<Record<string, (ask: Ask) => Promise<readonly Tagged[]>>> = {
  async secretsmanager(ask) {
    const list = v.array(v.object({ ARN: v.string(), Tags: v.optional(pairs, []) }))
    const found = await all(ask, 'ListSecrets', {}, 'SecretList', ['NextToken', 'NextToken'])
    return v.parse(list, found).map(({ ARN, Tags }) => ({ arn: ARN, tags: Tags }))
  },
  async acm(ask) {
    const input = { Includes: { keyTypes: ALGORITHMS } }
    const found = await all(ask, 'ListCertificates', input, 'CertificateSummaryList', [
      'NextToken',
      'NextToken',
    ])
    const arns = v.parse(v.array(v.object({ CertificateArn: v.string() })), found)
    return Promise.all(
      arns.map(async ({ CertificateArn: arn }) => {
        const answer = await ask('ListTagsForCertificate', { CertificateArn: arn })
        return { arn, tags: v.parse(v.object({ Tags: v.optional(pairs, []) }), answer).Tags }
      }),
    )
  },
  async ecs(ask) {
    const clusters = await all(ask, 'ListClusters', {}, 'clusterArns', ['nextToken', 'nextToken'])
    const services = await Promise.all(
      clusters.map((cluster) =>
        all(ask, 'ListServices', { cluster }, 'serviceArns', ['nextToken', 'nextToken']),
      ),
    )
    const arns = v.parse(texts, [...clusters, ...services.flat()])
    return Promise.all(
      arns.map(async (arn) => {
        const answer = await ask('ListTagsForResource', { resourceArn: arn })
        return { arn, tags: v.parse(v.object({ tags: lowerPairs }), answer).tags }
      }),
    )
  },
  async kms(ask) {
    const found = await all(ask, 'ListKeys', {}, 'Keys', ['Marker', 'NextMarker'])
    const keys = v.parse(v.array(v.object({ KeyArn: v.string() })), found)
    const schema = v.object({
      Tags: v.array(v.object({ TagKey: v.string(), TagValue: v.string() })),
    })
    return Promise.all(
      keys.map(async ({ KeyArn: arn }) => {
        const { Tags } = v.parse(schema, await ask('ListResourceTags', { KeyId: arn }))
        return { arn, tags: Tags.map(({ TagKey, TagValue }) => [TagKey, TagValue] as const) }
      }),
    )
  },
}

/**
 * The Resource Groups Tagging API over the secrets, certificates, clusters, services and keys of a region.
 * https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
 */
export function tagging(world: Pick<World, 'call' | 'has'>): Service {
  return {
    name: 'tagging',
    operations: {
      GetResources: operation(
        v.object({
          TagFilters: v.optional(
            v.pipe(
              v.array(
                v.object({
                  Key: text(1, 128),
                  Values: v.optional(v.pipe(v.array(text(0, 256)), v.maxLength(20)), []),
                }),
              ),
              v.maxLength(50),
            ),
            [],
          ),
          ResourceTypeFilters: v.optional(v.pipe(v.array(text(1, 256)), v.maxLength(100)), []),
          ResourceARNList: v.optional(
            v.pipe(v.array(text(1, 1011)), v.minLength(1), v.maxLength(100)),
          ),
          ResourcesPerPage: v.optional(whole(1, 100), 50),
          PaginationToken: v.optional(v.string()),
        }),
        async (input, { region }) => {
          if (
            input.ResourceARNList !== undefined &&
            input.TagFilters.length + input.ResourceTypeFilters.length > 0
          ) {
            throw new AwsError(
              'InvalidParameterException',
              'ResourceARNList cannot be combined with TagFilters or ResourceTypeFilters.',
            )
          }
          const found = (await resources(world, region, input.ResourceTypeFilters))
            .filter(({ tags }) => tags.length > 0)
            .filter(({ arn }) => input.ResourceARNList?.includes(arn) ?? true)
            .filter(({ tags }) =>
              input.TagFilters.every(({ Key, Values }) =>
                tags.some(
                  ([key, value]) => key === Key && (Values.length === 0 || Values.includes(value)),
                ),
              ),
            )
          const { PaginationToken: token } = input
          const { items, next } = browse(
            found,
            ({ arn }) => arn,
            { size: input.ResourcesPerPage, token: token === '' ? undefined : token },
            'PaginationTokenExpiredException',
          )
          return {
            PaginationToken: next ?? '',
            ResourceTagMappingList: items.map(({ arn, tags }) => ({
              ResourceARN: arn,
              Tags: tags.map(([Key, Value]) => ({ Key, Value })),
            })),
          }
        },
        'InvalidParameterException',
      ),
    },
  }
}

/** Types are `service` or `service:type`, as in an ARN. */
async function resources(
  world: Pick<World, 'call' | 'has'>,
  region: string,
  types: readonly string[],
): Promise<readonly Tagged[]> {
  const wanted = (name: string) =>
    types.length === 0 || types.some((type) => type.split(':')[0] === name)
  const asked = Object.entries(SOURCES)
    .filter(([name]) => world.has(name) && wanted(name))
    .map(([name, source]) =>
      source((operation, input) =>
        world.call(name, operation, input, { region, unrecorded: true }),
      ),
    )
  const found = (await Promise.all(asked)).flat()
  return found.filter(({ arn }) => types.length === 0 || types.some((type) => is(arn, type)))
}

function is(arn: string, type: string): boolean {
  const [, , service, , , ...rest] = arn.split(':')
  const kind = rest.join(':').split(/[:/]/)[0]
  return type === service || type === `${service}:${kind}`
}

/** Every page of a list; `tokens` names its token in the request and in the answer. */
async function all(
  ask: Ask,
  operation: string,
  input: Readonly<Record<string, unknown>>,
  member: string,
  tokens: readonly [string, string],
): Promise<readonly unknown[]> {
  const found: unknown[] = []
  let token: unknown
  do {
    const answer = await ask(operation, {
      ...input,
      ...(token !== undefined && { [tokens[0]]: token }),
    })
    found.push(...v.parse(v.array(v.unknown()), answer[member]))
    token = answer[tokens[1]] ?? undefined
  } while (token !== undefined)
  return found
}
