import * as v from 'valibot'
import { browse } from '../cursor.ts'
import { AwsError, type Call, type Operation, operation, type World } from '../service.ts'
import { text, whole } from '../wire.ts'
import { stagesOf, summary } from './lifecycle.ts'
import type { Secret, Store } from './store.ts'

const Filters = v.pipe(
  v.array(
    v.object({
      Key: v.picklist([
        'description',
        'name',
        'tag-key',
        'tag-value',
        'primary-region',
        'owning-service',
        'all',
      ]),
      Values: v.pipe(v.array(text(1, 512)), v.minLength(1), v.maxLength(10)),
    }),
  ),
  v.maxLength(10),
)
type Filter = v.InferOutput<typeof Filters>[number]

/** The operations that look at many secrets. */
export function listing(
  world: Pick<World, 'call'>,
  store: Store,
): Readonly<Record<string, Operation>> {
  const matching = ({ region }: Call, filters: readonly Filter[], deleted: boolean) =>
    [...store.region(region).values()].filter(
      (secret) =>
        (deleted || secret.deletion === undefined) && filters.every((one) => matches(secret, one)),
    )

  return {
    ListSecrets: operation(
      v.object({
        Filters: v.optional(Filters, []),
        MaxResults: v.optional(whole(1, 100), 100),
        NextToken: v.optional(v.string()),
        SortOrder: v.optional(v.picklist(['asc', 'desc']), 'desc'),
        IncludePlannedDeletion: v.optional(v.boolean(), false),
      }),
      ({ Filters, MaxResults, NextToken, SortOrder, IncludePlannedDeletion }, call) => {
        const { items, next } = browse(matching(call, Filters, IncludePlannedDeletion), byDate, {
          size: MaxResults,
          token: NextToken,
          backwards: SortOrder === 'desc',
        })
        return {
          SecretList: items.map((secret) => ({
            ...summary(secret),
            SecretVersionsToStages: stagesOf(secret),
          })),
          NextToken: next,
        }
      },
    ),
    BatchGetSecretValue: operation(
      v.object({
        SecretIdList: v.optional(v.pipe(v.array(text(1, 2048)), v.minLength(1), v.maxLength(20))),
        Filters: v.optional(Filters),
        MaxResults: v.optional(whole(1, 20), 20),
        NextToken: v.optional(v.string()),
      }),
      async ({ SecretIdList, Filters, MaxResults, NextToken }, call) => {
        if ((SecretIdList === undefined) === (Filters === undefined)) {
          throw new AwsError(
            'InvalidParameterException',
            'Either SecretIdList or Filters must be provided, but not both.',
          )
        }
        const { items, next } =
          SecretIdList === undefined
            ? browse(matching(call, Filters ?? [], false), byDate, {
                size: MaxResults,
                token: NextToken,
              })
            : { items: undefined }
        const ids = items?.map(({ arn }) => arn) ?? SecretIdList ?? []
        const asked = await Promise.all(ids.map((id) => read(id, call)))
        return {
          SecretValues: asked.flatMap(({ value = [] }) => value),
          Errors: asked.flatMap(({ error = [] }) => error),
          NextToken: next,
        }
      },
    ),
  }

  /** Each secret is read with the caller's rights; one that fails does not fail the others. */
  async function read(SecretId: string, { region, caller }: Call) {
    try {
      const value = await world.call(
        'secretsmanager',
        'GetSecretValue',
        { SecretId },
        { region, caller },
      )
      return { value }
    } catch (error) {
      if (!(error instanceof AwsError)) throw error
      return { error: { SecretId, ErrorCode: error.code, Message: error.message } }
    }
  }
}

const byDate = ({ created, name }: Secret) => `${String(created).padStart(16, '0')} ${name}`

/**
 * Values of one filter are alternatives, `!` negates, and each is a prefix.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html
 */
function matches(secret: Secret, { Key, Values }: Filter): boolean {
  const { name, description, tags, region, primary, replicas } = secret
  const low = (texts: readonly string[]) => texts.map((one) => one.toLowerCase())
  const words = (texts: readonly string[]) =>
    low(texts).flatMap((one) => [one, ...one.split(/[\s/_+=.@-]+/)])
  const texts = {
    name: [name],
    description: words([description]),
    'tag-key': [...tags.keys()],
    'tag-value': [...tags.values()],
    'primary-region': primary !== undefined || replicas.size > 0 ? [primary ?? region] : [],
    'owning-service': [],
    all: words([name, description, ...tags.keys(), ...tags.values()]),
  }[Key]
  const folded = Key === 'all' || Key === 'description'
  const [refused, wanted] = [
    Values.filter((value) => value.startsWith('!')).map((value) => value.slice(1)),
    Values.filter((value) => !value.startsWith('!')),
  ]
  const found = (value: string) =>
    texts.some((one) => one.startsWith(folded ? value.toLowerCase() : value))
  return !refused.some(found) && (wanted.length === 0 || wanted.some(found))
}
