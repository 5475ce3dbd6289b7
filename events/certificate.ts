import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'
import {
  arn,
  authority,
  commonName,
  days,
  dns,
  identity,
  keyId,
  type Place,
  parseProperties,
  profile,
  region,
  role,
  secretName,
  secretReference,
  service,
  tags,
  text,
} from './property.ts'

const KNOWN = [
  'Name',
  'AlternativeNames',
  'Authority',
  'Profile',
  'Trust',
  'Certificate',
  'KeyAlgorithm',
  'Secret',
  'SecretKey',
  'ReplicaRegions',
  'Services',
  'Hot',
  'RenewBefore',
  'Roles',
  'Layout',
  'Tags',
] as const

const LONGEST = 394 // ACM's private certificates live 395 days
const MOST_NAMES = 9 // ACM's quota is ten names a certificate
const MOST_OWN_NAMES = 19

/** @param own the authority is one of certrelay's own, which certifies more than ACM does */
const schema = (place: Place, own: boolean) =>
  v.strictObject({
    ServiceToken: v.optional(v.unknown()),
    ServiceTimeout: v.optional(v.unknown()),
    Name: v.optional(own ? identity : commonName),
    AlternativeNames: v.optional(names(own), []),
    Authority: v.optional(
      own ? authority : arn(place, 'acm-pca', 'certificate-authority/', 'an AWS Private CA'),
    ),
    Profile: v.optional(profile),
    Trust: v.optional(secretReference),
    Certificate: v.optional(arn(place, 'acm', 'certificate/', 'an ACM certificate')),
    KeyAlgorithm: v.optional(
      v.picklist(
        ['RSA_2048', 'EC_prime256v1', 'EC_secp384r1'],
        'not an algorithm that ACM issues; use RSA_2048, EC_prime256v1 or EC_secp384r1',
      ),
    ),
    Secret: secretName,
    SecretKey: v.optional(keyId),
    ReplicaRegions: v.optional(v.array(region, 'not a list of regions; give one'), []),
    Services: v.optional(v.array(service, 'not a list of cluster/service names; give one'), []),
    Hot: v.optional(
      v.picklist(
        ['true', 'false'],
        'neither true nor false; give true when sidecars prove what they serve',
      ),
      'false',
    ),
    RenewBefore: v.optional(days(LONGEST)),
    Roles: v.optional(v.array(role(place), 'not a list of roles; give one'), []),
    Layout: v.optional(
      v.picklist(
        ['bundle', 'walkthrough'],
        "not a layout; use bundle (format 1), or walkthrough for readers of AWS's App Mesh walkthrough",
      ),
      'bundle',
    ),
    Tags: v.optional(tags, []),
  })

function names(own: boolean) {
  const most = own ? MOST_OWN_NAMES : MOST_NAMES
  return v.pipe(
    v.array(own ? identity : dns, `not a list of ${own ? '' : 'DNS '}names; give one`),
    v.maxLength(most, `more than ${most} names; use a second certificate`),
  )
}

/** Properties of `Custom::ClientCertificate` as the workflow wants them. @throws RelayError PROPERTY_INVALID */
export function clientCertificate(properties: unknown, place: Place) {
  const own = isOwn(properties)
  const raw = parseProperties(schema(place, own), KNOWN, properties)
  const { Name, AlternativeNames, Authority, Certificate, KeyAlgorithm, SecretKey, RenewBefore } =
    raw
  const only = (names: Readonly<Record<string, unknown>>) =>
    Object.entries(names).find(
      ([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0),
    )?.[0]
  if ((Authority === undefined) === (Certificate === undefined)) {
    throw refuse(
      'Authority',
      'give either Authority (a CA, for a new certificate) or Certificate (an ACM certificate to adopt), not both and not none',
    )
  }
  if (Certificate !== undefined) {
    const extra = only({ Name, AlternativeNames, KeyAlgorithm, Profile: raw.Profile })
    if (extra !== undefined)
      throw refuse(extra, 'an adopted Certificate has its own; leave this property out')
  } else if (Name === undefined) {
    throw refuse('Name', 'missing; give the DNS name of the certificate, like color.mesh.internal')
  }
  const stray = own ? undefined : only({ Profile: raw.Profile, Trust: raw.Trust })
  if (stray !== undefined)
    throw refuse(stray, 'only an authority of certrelay (certrelay:LABEL) has it; leave it out')
  if (raw.ReplicaRegions.includes(place.region))
    throw refuse('ReplicaRegions', `${place.region} is where the secret itself is; leave it out`)
  return {
    origin: originOf(raw, own),
    names: [
      ...new Set([...(Name === undefined ? [] : [Name]), ...AlternativeNames].map(lowerCase)),
    ],
    secret: raw.Secret,
    replicas: [...new Set(raw.ReplicaRegions)],
    services: [...new Set(raw.Services)],
    roles: [...new Set(raw.Roles)],
    tags: Object.fromEntries(raw.Tags.map(({ Key, Value }) => [Key, Value])),
    ...(KeyAlgorithm !== undefined && { keyAlgorithm: KeyAlgorithm }),
    ...(SecretKey !== undefined && { secretKey: SecretKey }),
    ...(RenewBefore !== undefined && { renewBefore: RenewBefore }),
    ...(raw.Hot === 'true' && { hot: true as const }),
    ...(raw.Layout === 'walkthrough' && { layout: raw.Layout }),
  }
}

interface Named {
  readonly Authority?: string | undefined
  readonly Certificate?: string | undefined
  readonly Profile?: string | undefined
  readonly Trust?: string | undefined
}

function originOf({ Authority, Certificate, Profile, Trust }: Named, own: boolean) {
  if (Certificate !== undefined) return { certificate: Certificate }
  const authority = v.parse(text, Authority)
  if (!own) return { authority }
  const source = Profile === undefined ? authority : `${authority}/${Profile}`
  return { own: source, ...(Trust !== undefined && { trust: Trust }) }
}

/** Whether an authority of certrelay's own is meant, well written or not. */
function isOwn(properties: unknown): boolean {
  const named = v.safeParse(v.object({ Authority: v.string() }), properties)
  return named.success && named.output.Authority.startsWith('certrelay:')
}

/** The path of a URI is told apart by case. */
function lowerCase(name: string): string {
  return name.includes('://') ? name : name.toLowerCase()
}

function refuse(property: string, why: string): RelayError {
  return new RelayError('PROPERTY_INVALID', `${property}: ${why}`)
}
