import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'
import { isRecord, parsed } from '../pki/json.ts'
import { ownSource, trustOf } from '../pki/source.ts'
import {
  authority,
  days,
  keyId,
  type Place,
  parseProperties,
  profile,
  region,
  role,
  secretName,
  tags,
  text,
} from './property.ts'

const KNOWN = [
  'Label',
  'Name',
  'Algorithm',
  'Days',
  'PathLength',
  'Mode',
  'Roots',
  'Parent',
  'ParentProfile',
  'Config',
  'Names',
  'TrustSecret',
  'SecretKey',
  'ReplicaRegions',
  'Roles',
  'DeletionPolicy',
  'Adopt',
  'Tags',
] as const

const ALGORITHMS = ['P-256', 'P-384', 'P-521', 'RSA-2048', 'RSA-3072', 'RSA-4096'] as const
/** Forty years. */
const LONGEST = 14_610
const MOST_ROOTS = 4

const label = v.pipe(
  text,
  v.regex(/^\w{1,64}$/, 'not a label; use letters, digits and _, at most 64 of them'),
)
const rootId = v.pipe(
  text,
  v.regex(/^[A-Za-z0-9]{1,32}$/, 'not the name of a root; use letters and digits, like 1 or 2027'),
)
const signingKey = v.pipe(
  text,
  v.regex(
    /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]{1,128}$/,
    'not the ARN of a KMS key; give those of a multi-Region key and its replicas',
  ),
)
const inKms = v.strictObject({
  Id: rootId,
  Keys: v.pipe(v.array(signingKey), v.minLength(1, 'empty; give the ARN of a key')),
})

const schema = (place: Place) =>
  v.strictObject({
    ServiceToken: v.optional(v.unknown()),
    ServiceTimeout: v.optional(v.unknown()),
    Label: label,
    Name: v.optional(v.pipe(text, v.maxLength(64, 'longer than 64 characters; shorten it'))),
    Algorithm: v.optional(
      v.picklist(ALGORITHMS, `not an algorithm of a CA; use ${ALGORITHMS.join(', ')}`),
      'P-256',
    ),
    Days: v.optional(days(LONGEST), '3650'),
    PathLength: v.optional(
      v.picklist(['0', '1', '2', '3'], 'not a path length; give 0, or how many CAs may follow'),
      '0',
    ),
    Mode: v.optional(
      v.picklist(['sealed', 'kms'], 'not a mode; give sealed, or kms with keys under Roots'),
      'sealed',
    ),
    Roots: v.optional(
      v.pipe(
        v.array(v.union([rootId, inKms]), 'not a list of roots; give one, like [1]'),
        v.minLength(1, 'empty; give one root'),
        v.maxLength(MOST_ROOTS, `more than ${MOST_ROOTS} roots; drop old ones`),
      ),
      ['1'],
    ),
    Parent: v.optional(authority),
    ParentProfile: v.optional(profile),
    Config: v.optional(v.unknown()),
    Names: v.optional(v.unknown()),
    TrustSecret: v.optional(secretName),
    SecretKey: v.optional(keyId),
    ReplicaRegions: v.optional(v.array(region, 'not a list of regions; give one'), []),
    Roles: v.optional(v.array(role(place), 'not a list of roles; give one'), []),
    DeletionPolicy: v.optional(
      v.picklist(['Retain', 'Delete'], 'neither Retain nor Delete; give one'),
      'Retain',
    ),
    Adopt: v.optional(
      v.picklist(
        ['true', 'false'],
        'neither true nor false; give true to take over what another stack has left',
      ),
      'false',
    ),
    Tags: v.optional(tags, []),
  })

/** Properties of `Custom::ServiceAuthority` as the workflow wants them. @throws RelayError PROPERTY_INVALID */
export function serviceAuthority(properties: unknown, place: Place) {
  const raw = parseProperties(schema(place), KNOWN, properties)
  if (raw.ReplicaRegions.includes(place.region))
    throw refuse('ReplicaRegions', `${place.region} is where the secret itself is; leave it out`)
  const { Label, Parent, ParentProfile } = raw
  if (ParentProfile !== undefined && Parent === undefined)
    throw refuse('ParentProfile', 'there is no Parent; leave this property out')
  const own = Parent === undefined ? undefined : ownSource(Parent)
  return {
    label: Label,
    commonName: raw.Name ?? `${Label} CA`,
    algorithm: raw.Algorithm,
    days: raw.Days,
    pathLength: Number(raw.PathLength),
    roots: rootsOf(raw.Roots, raw.Mode),
    trustSecret: raw.TrustSecret ?? trustOf({ label: Label }),
    replicas: [...new Set(raw.ReplicaRegions)],
    roles: [...new Set(raw.Roles)],
    removal: raw.DeletionPolicy === 'Delete' ? ('delete' as const) : ('retain' as const),
    adopt: raw.Adopt === 'true',
    tags: Object.fromEntries(raw.Tags.map(({ Key, Value }) => [Key, Value])),
    config: configOf(raw.Config),
    ...(own !== undefined && {
      parent: { ...own, ...(ParentProfile !== undefined && { profile: ParentProfile }) },
    }),
    ...(raw.Names !== undefined && { names: ruled(json(raw.Names)) }),
    ...(raw.SecretKey !== undefined && { secretKey: raw.SecretKey }),
  }
}

type Rooted = string | { readonly Id: string; readonly Keys: readonly string[] }
interface Root {
  readonly id: string
  readonly keys?: readonly [string, ...string[]]
}

function rootsOf(given: readonly Rooted[], mode: 'sealed' | 'kms'): readonly [Root, ...Root[]] {
  const roots = given.map((one): Root => {
    if (typeof one === 'string') return { id: one }
    const [first, ...others] = one.Keys
    return first === undefined ? { id: one.Id } : { id: one.Id, keys: [first, ...others] }
  })
  const wrong = roots.find(({ keys }) => (keys === undefined) === (mode === 'kms'))
  if (wrong !== undefined)
    throw refuse(
      'Roots',
      mode === 'kms'
        ? `${wrong.id} has no keys: with Mode kms give { Id: ${wrong.id}, Keys: [ARN, …] }`
        : `${wrong.id} has keys of KMS; set Mode to kms`,
    )
  const [first, ...others] = roots
  if (first === undefined || new Set(roots.map(({ id }) => id)).size < roots.length)
    throw refuse('Roots', 'one is listed twice; list each once')
  return [first, ...others]
}

/** Thirty days, for both ends of mutual TLS. */
const STANDARD = {
  signing: {
    default: {
      usages: ['signing', 'key encipherment', 'server auth', 'client auth'],
      expiry: '720h',
    },
  },
}

function configOf(given: unknown): unknown {
  if (given === undefined) return STANDARD
  const config = typed(json(given))
  if (!isRecord(config)) throw refuse('Config', "not an object; give one in CFSSL's form")
  // whatever the case of the member's name: CFSSL does not mind
  if (Object.keys(config).some((name) => name.toLowerCase() === 'auth_keys'))
    throw refuse(
      'Config',
      'it has authentication keys, which do not belong into a template; leave auth_keys out: an authority for CFSSL clients is made by npx certrelay authority create --config',
    )
  return config
}

/** A text of JSON, or a value of the template. */
function json(given: unknown): unknown {
  return typeof given === 'string' ? (parsed(given) ?? given) : given
}

/** Numbers of CFSSL's form; CloudFormation hands every scalar over as text. */
const NUMBERS = new Set(['max_path_len', 'lint_error_level', 'most_names'])

function typed(value: unknown, name = ''): unknown {
  if (Array.isArray(value)) return value.map((one) => typed(one))
  if (isRecord(value))
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, typed(one, key)]))
  if (value === 'true' || value === 'false') return value === 'true'
  return NUMBERS.has(name) && typeof value === 'string' && /^\d{1,3}$/.test(value)
    ? Number(value)
    : value
}

/** Members of a rule about names that are no text; a tag may have the value `true`. */
const FLAGS = new Set(['subject', 'revoke'])

function ruled(rules: unknown): unknown {
  if (!Array.isArray(rules)) return rules
  const one = (rule: Readonly<Record<string, unknown>>) =>
    Object.entries(rule).map(([name, value]) => [name, FLAGS.has(name) ? typed(value) : value])
  return rules.map((rule) => (isRecord(rule) ? Object.fromEntries(one(rule)) : rule))
}

function refuse(property: string, why: string): RelayError {
  return new RelayError('PROPERTY_INVALID', `${property}: ${why}`)
}
