import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'
import { isAddress } from '../pki/san.ts'

/** Where a request comes from: ARNs among its properties must agree with it. */
export interface Place {
  readonly region: string
  readonly account: string
}

/** A required text. */
export const text = v.pipe(
  v.string('missing, or not a text; give one'),
  v.minLength(1, 'empty; give a value'),
)

/** A DNS name as ACM takes it as common name: with a dot, at most 64 octets (ACM API, RequestCertificate). */
const DNS = /^(\*\.)?((?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9]\.)+(?!-)[A-Za-z0-9-]{1,62}[A-Za-z0-9]$/
export const dns = v.pipe(
  text,
  v.regex(
    DNS,
    'not a DNS name with a dot and without underscores; give one like color.mesh.internal',
  ),
)
export const commonName = v.pipe(
  dns,
  v.maxLength(
    64,
    'longer than 64 characters, the limit of a common name; put it under AlternativeNames',
  ),
)

/** A name that an authority of our own certifies, in letters that a tag may hold. */
const HOST = /^((?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9]\.)*(?!-)[A-Za-z0-9-]{0,62}[A-Za-z0-9]$/
const URI = /^[a-z][a-z0-9+.-]{0,30}:\/\/[A-Za-z0-9._/:@=+-]+$/
export const identity = v.pipe(
  text,
  v.maxLength(253, 'longer than 253 characters; shorten it'),
  v.check((name) => !name.includes('*'), 'a name for any; list the names one by one'),
  v.check(
    (name) => HOST.test(name) || URI.test(name) || isAddress(name),
    'neither a DNS name, nor an IP address, nor a URI in letters, digits and ._/:@=+-; give one like db.internal or spiffe://acme/db',
  ),
)

/** An authority of our own, and one of its profiles. */
export const authority = v.pipe(
  text,
  v.regex(
    /^certrelay:\w{1,64}$/,
    'neither the ARN of an AWS Private CA nor certrelay:LABEL; the profile goes under Profile',
  ),
)
export const profile = v.pipe(
  text,
  v.regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'not the name of a profile; use letters, digits and ._-',
  ),
)

/** A secret by name or ARN. */
export const secretReference = v.pipe(
  text,
  v.maxLength(256, 'longer than 256 characters, which is what a tag holds; give a shorter name'),
  v.regex(
    /^(arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:)?[A-Za-z0-9/_+=.@-]+$/,
    'not a secret; give its name or ARN',
  ),
)

/** Secrets Manager's rule for names; six characters after a last dash look like the suffix of an ARN. */
export const secretName = v.pipe(
  text,
  v.maxLength(512, 'longer than 512 characters; shorten it'),
  v.regex(/^[A-Za-z0-9/_+=.@-]+$/, 'not a name for a secret; use letters, digits and /_+=.@-'),
  v.check(
    (name) => !/-[A-Za-z0-9]{6}$/.test(name),
    'ends in a dash and six characters, like the suffix of an ARN; choose another name',
  ),
)

export const keyId = v.pipe(
  text,
  v.regex(
    /^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)\/|alias\/|[0-9a-f-]{36}$|mrk-)/,
    'not a KMS key; give its ARN, id or alias/NAME',
  ),
)

export const region = v.pipe(
  text,
  v.regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'not a region; give one like us-west-2'),
)

/** `cluster/service`, by name: a reference would be a circle in the template. */
export const service = v.pipe(
  text,
  v.regex(
    /^[A-Za-z0-9_-]{1,255}\/[A-Za-z0-9_-]{1,255}$/,
    'not of the form cluster/service; give the names, not ARNs or references',
  ),
)

export const tags = v.array(
  v.strictObject({
    Key: v.pipe(
      text,
      v.maxLength(128, 'longer than 128 characters; shorten it'),
      v.check(
        (key) => !/^(aws|certrelay):/.test(key),
        'begins with aws: or certrelay:, which are not yours to set; rename it',
      ),
    ),
    Value: v.pipe(
      v.string('missing, or not a text; give one'),
      v.maxLength(256, 'longer than 256 characters; shorten it'),
    ),
  }),
  'not a list of { Key, Value }; give one',
)

/** An ARN of one service in the request's region. */
export function arn(
  { region: here, account }: Place,
  name: string,
  resource: string,
  what: string,
) {
  return v.pipe(
    text,
    v.check((value) => value.startsWith('arn:'), `not an ARN; give the ARN of ${what}`),
    v.check((value) => {
      const [, partition = '', service, , , path = '', ...more] = value.split(':')
      const id = path.startsWith(resource) ? path.slice(resource.length) : ''
      return (
        /^aws[a-z-]*$/.test(partition) &&
        service === name &&
        /^[A-Za-z0-9-]+$/.test(id) &&
        more.length === 0
      )
    }, `not the ARN of ${what}; give one that has ${name} and ${resource} in it`),
    v.check(
      (value) => value.split(':')[3] === here,
      `of another region than ${here}; give one of this region`,
    ),
    v.check(
      (value) => /^\d{12}$/.test(value.split(':')[4] ?? ''),
      `without an account; give the whole ARN, like arn:aws:${name}:${here}:${account}:${resource}…`,
    ),
  )
}

/** A role of the request's account, by name or ARN; letters that no tag may hold are refused. */
export function role({ account }: Place) {
  return v.pipe(
    text,
    v.regex(
      /^(arn:aws[a-z-]*:iam::\d{12}:role\/([A-Za-z0-9_+=.@/-]{1,100}\/)?)?[A-Za-z0-9_+=.@-]{1,64}$/,
      'not a role; give its name or ARN, in letters, digits and _+=.@-',
    ),
    v.check(
      (value) => !value.startsWith('arn:') || value.split(':')[4] === account,
      `a role of another account than ${account}; give one of this account`,
    ),
  )
}

/** CloudFormation hands every scalar over as text. */
export function days(most: number) {
  const range = `not a whole number of days from 1 to ${most}`
  return v.pipe(
    v.union([v.string(), v.number()], `${range}; give one`),
    v.transform(Number),
    v.check(
      (value) => Number.isInteger(value) && value >= 1 && value <= most,
      `${range}; give one`,
    ),
  )
}

/**
 * Runs a schema over a resource's properties.
 * @throws RelayError PROPERTY_INVALID with one clause for each bad property: its name, what is wrong, what to do.
 */
export function parseProperties<const S extends v.GenericSchema>(
  schema: S,
  known: readonly string[],
  value: unknown,
): v.InferOutput<S> {
  const parsed = v.safeParse(schema, value)
  if (parsed.success) return parsed.output
  const clauses = new Map<string, string>()
  for (const issue of parsed.issues) {
    const path = v.getDotPath(issue) ?? 'Properties'
    // the first is enough: what is no ARN is no ARN of a CA either
    if (!clauses.has(path)) clauses.set(path, `${path}: ${clause(issue, known)}`)
  }
  throw new RelayError('PROPERTY_INVALID', [...clauses.values()].join('; '))
}

function clause(issue: v.BaseIssue<unknown>, known: readonly string[]): string {
  if (issue.type !== 'strict_object') return issue.message
  if (issue.expected === 'Object') return `not a set of named values; give ${known.join(', ')}`
  if (issue.expected !== 'never') return 'missing; give it'
  return issue.path?.length === 1
    ? `no such property; the known ones are ${known.join(', ')}`
    : 'no such member; leave it out'
}
