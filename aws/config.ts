import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'
import { DEADLINE } from '../pki/rollout.ts'
import type { Wired } from '../ports/index.ts'

const KEY_ARN = /^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/
const FUNCTION_ARN =
  /^(arn:aws[a-z-]*:lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9_$-]{1,128})?)?$/
const OBJECT = /^(s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\/[A-Za-z0-9!_.()/-]{1,900})?$/
const BUCKET = /^([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])?$/
const list = v.pipe(
  v.optional(v.string(), ''),
  v.transform((text) => text.split(/[\s,]+/).filter(Boolean)),
  v.array(v.pipe(v.string(), v.regex(KEY_ARN))),
)
const drill = v.optional(v.picklist(['', 'stop', 'next']), '')
const url = v.pipe(v.string(), v.url())

const queues = { CERTRELAY_QUEUE: url, CERTRELAY_ROLLOUTS: url, CERTRELAY_DEAD_LETTERS: url }
/** The signing authority's own stack has no queues. */
const absent = v.optional(v.literal(''), '')
const none = {
  CERTRELAY_QUEUE: absent,
  CERTRELAY_ROLLOUTS: absent,
  CERTRELAY_DEAD_LETTERS: absent,
}

const common = {
  AWS_REGION: v.pipe(v.string(), v.minLength(1)),
  CERTRELAY_ORG: v.pipe(v.string(), v.regex(/^[A-Za-z0-9 ._-]{1,64}$/)),
  CERTRELAY_KEYS: list,
  CERTRELAY_FORMER_KEYS: list,
  CERTRELAY_MIN_REGIONS: v.pipe(v.optional(v.string(), ''), v.regex(/^[1-8]?$/)),
  CERTRELAY_ON_DENIED: drill,
  CERTRELAY_ON_KEY_STATE: drill,
  CERTRELAY_SHARE: v.pipe(v.optional(v.string(), ''), v.regex(/^([1-9]\d{0,2})?$/)),
  CERTRELAY_SIGN: v.pipe(v.optional(v.string(), ''), v.regex(FUNCTION_ARN)),
  CERTRELAY_SIGN_URL: v.optional(v.union([v.literal(''), url]), ''),
  CERTRELAY_ACCOUNT: v.pipe(v.optional(v.string(), ''), v.regex(/^(\d{12})?$/)),
  CERTRELAY_LISTS: v.pipe(v.optional(v.string(), ''), v.regex(/^[A-Za-z0-9_-]{0,64}$/)),
  CERTRELAY_LIST_BUCKET: v.pipe(v.optional(v.string(), ''), v.regex(BUCKET)),
  CERTRELAY_TRUST_NAMES: v.pipe(
    v.optional(v.string(), ''),
    v.regex(/^[A-Za-z0-9/_+=.@*-]{0,256}$/),
  ),
  CERTRELAY_WEAK_KEYS: v.pipe(v.optional(v.string(), ''), v.regex(OBJECT)),
  CERTRELAY_DEADLINE: v.pipe(v.optional(v.string(), ''), v.regex(/^([1-9]\d{0,3})?$/)),
}
const schemas = {
  certrelay: v.object({ ...common, ...queues }),
  authority: v.object({ ...common, ...none }),
}

/** Everything a function reads from its environment, parsed once. */
export interface Config {
  readonly region: string
  readonly org: string
  /** ARNs of the KMS keys that seal passphrases, in order of preference; may be empty. */
  readonly keys: readonly string[]
  /** ARNs of keys that open what was sealed before, and seal no more. */
  readonly former: readonly string[]
  readonly sealing: NonNullable<Wired['sealing']>
  readonly queue: string
  readonly rollouts: string
  readonly deadLetters: string
  /** So many environments share the account's quotas with this one, itself included. */
  readonly share: number
  /** A deployment that has not ended after so many milliseconds counts as failed. */
  readonly deadline: number
  /** ARN of the function that signs for authorities of our own, maybe of another account; absent: there is none. */
  readonly sign?: string
  /** URL of that function; absent: nobody needs it. */
  readonly signUrl?: string
  /** Account that the function runs in; absent: nobody needs to know. */
  readonly account?: string
  /** Name of the function that publishes revocation lists; absent: there is none. */
  readonly lists?: string
  /** Bucket of S3 that revocation lists are put into; absent: none. */
  readonly bucket?: string
  /** Names that trust bundles of authorities may have, `*` for any characters; absent: nobody says which. */
  readonly trustNames?: string
  /** Object of S3 with fingerprints of keys that are not certified; absent: none. */
  readonly weakKeys?: { readonly bucket: string; readonly key: string }
  /** Name of the function that runs. */
  readonly self: string
}

/** @throws RelayError CONFIG_INVALID naming every bad variable at once, and no value. */
export function config(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Config {
  const { CERTRELAY_STACK: stack } = environment
  const parsed = v.safeParse(schemas[stack === 'authority' ? stack : 'certrelay'], environment)
  if (!parsed.success) {
    const names = [
      ...new Set(parsed.issues.map((issue) => String(issue.path?.[0]?.key ?? ''))),
    ].sort()
    throw new RelayError(
      'CONFIG_INVALID',
      `set ${names.join(', ')}: missing or not of the form that docs/operate.md gives`,
    )
  }
  const { AWS_REGION, CERTRELAY_ORG, CERTRELAY_KEYS, CERTRELAY_QUEUE, CERTRELAY_DEAD_LETTERS } =
    parsed.output
  const { CERTRELAY_FORMER_KEYS, CERTRELAY_MIN_REGIONS, CERTRELAY_ON_DENIED } = parsed.output
  return Object.freeze({
    region: AWS_REGION,
    org: CERTRELAY_ORG,
    keys: CERTRELAY_KEYS,
    former: CERTRELAY_FORMER_KEYS.filter((key) => !CERTRELAY_KEYS.includes(key)),
    sealing: {
      minRegions: CERTRELAY_MIN_REGIONS === '' ? undefined : Number(CERTRELAY_MIN_REGIONS),
      onDenied: CERTRELAY_ON_DENIED || undefined,
      onKeyState: parsed.output.CERTRELAY_ON_KEY_STATE || undefined,
    },
    queue: CERTRELAY_QUEUE,
    rollouts: parsed.output.CERTRELAY_ROLLOUTS,
    deadline: Number(parsed.output.CERTRELAY_DEADLINE) * 60_000 || DEADLINE,
    deadLetters: CERTRELAY_DEAD_LETTERS,
    share: Number(parsed.output.CERTRELAY_SHARE) || 1,
    self: environment['AWS_LAMBDA_FUNCTION_NAME'] ?? '',
    ...(parsed.output.CERTRELAY_ACCOUNT !== '' && { account: parsed.output.CERTRELAY_ACCOUNT }),
    ...(parsed.output.CERTRELAY_LISTS !== '' && { lists: parsed.output.CERTRELAY_LISTS }),
    ...(parsed.output.CERTRELAY_LIST_BUCKET !== '' && {
      bucket: parsed.output.CERTRELAY_LIST_BUCKET,
    }),
    ...(parsed.output.CERTRELAY_TRUST_NAMES !== '' && {
      trustNames: parsed.output.CERTRELAY_TRUST_NAMES,
    }),
    ...objectOf(parsed.output.CERTRELAY_WEAK_KEYS),
    ...(parsed.output.CERTRELAY_SIGN !== '' && { sign: parsed.output.CERTRELAY_SIGN }),
    ...(parsed.output.CERTRELAY_SIGN_URL !== '' && { signUrl: parsed.output.CERTRELAY_SIGN_URL }),
  })
}

function objectOf(url: string): Pick<Config, 'weakKeys'> {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(url) ?? []
  return bucket === undefined || key === undefined ? {} : { weakKeys: { bucket, key } }
}
