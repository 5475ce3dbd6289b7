import * as v from 'valibot'
import { RelayError } from '../pki/error.ts'
import {
  arn,
  keyId,
  type Place,
  parseProperties,
  region,
  role,
  secretName,
  tags,
  text,
} from './property.ts'

const KNOWN = [
  'Authorities',
  'Certificates',
  'RevocationLists',
  'Secret',
  'SecretKey',
  'ReplicaRegions',
  'Roles',
  'Tags',
] as const

const schema = (place: Place) =>
  v.strictObject({
    ServiceToken: v.optional(v.unknown()),
    ServiceTimeout: v.optional(v.unknown()),
    Authorities: v.optional(
      v.array(
        arn(place, 'acm-pca', 'certificate-authority/', 'an AWS Private CA'),
        'not a list of CA ARNs; give one',
      ),
      [],
    ),
    Certificates: v.optional(v.array(text, 'not a list of PEM certificates; give one'), []),
    RevocationLists: v.optional(v.array(text, 'not a list of PEM revocation lists; give one'), []),
    Secret: secretName,
    SecretKey: v.optional(keyId),
    ReplicaRegions: v.optional(v.array(region, 'not a list of regions; give one'), []),
    Roles: v.optional(v.array(role(place), 'not a list of roles; give one'), []),
    Tags: v.optional(tags, []),
  })

/** Properties of `Custom::TrustBundle` as the workflow wants them. @throws RelayError PROPERTY_INVALID */
export function trustBundle(properties: unknown, place: Place) {
  const raw = parseProperties(schema(place), KNOWN, properties)
  if (raw.Authorities.length + raw.Certificates.length === 0) {
    throw new RelayError(
      'PROPERTY_INVALID',
      'Authorities: give at least one CA under Authorities or one PEM root under Certificates',
    )
  }
  if (raw.ReplicaRegions.includes(place.region)) {
    throw new RelayError(
      'PROPERTY_INVALID',
      `ReplicaRegions: ${place.region} is where the secret itself is; leave it out`,
    )
  }
  return {
    authorities: raw.Authorities,
    certificates: raw.Certificates,
    lists: raw.RevocationLists,
    secret: raw.Secret,
    replicas: [...new Set(raw.ReplicaRegions)],
    roles: [...new Set(raw.Roles)],
    tags: Object.fromEntries(raw.Tags.map(({ Key, Value }) => [Key, Value])),
    ...(raw.SecretKey !== undefined && { secretKey: raw.SecretKey }),
  }
}
