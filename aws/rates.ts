import { type Bucket, bucket, type Rate } from '../pki/bucket.ts'

/**
 * What a function of certrelay takes of an account's quotas in one region, all its environments together: at most what AWS gives,
 * and half of ExportCertificate, so that others can work as well. Functions do not know of each other: what they ask for beyond
 * a quota at once is throttled and tried again. Operations in one group share a quota. Sources:
 * https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html, https://docs.aws.amazon.com/general/latest/gr/pca.html,
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html,
 * https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
 */
export const RATES: readonly (Rate & { readonly operations: readonly string[] })[] = [
  { operations: ['ExportCertificate'], rate: 5, burst: 7 },
  { operations: ['RenewCertificate'], rate: 5, burst: 5 },
  { operations: ['RequestCertificate'], rate: 5, burst: 5 },
  { operations: ['DescribeCertificate'], rate: 10, burst: 10 },
  { operations: ['GetCertificate'], rate: 10, burst: 10 },
  { operations: ['DescribeCertificateAuthority'], rate: 20, burst: 20 },
  { operations: ['GetCertificateAuthorityCertificate'], rate: 20, burst: 20 },
  {
    operations: [
      ...['PutSecretValue', 'UpdateSecret', 'UpdateSecretVersionStage', 'TagResource'],
      ...['UntagResource', 'ReplicateSecretToRegions', 'RemoveRegionsFromReplication'],
    ],
    rate: 50,
    burst: 50,
  },
  { operations: ['UpdateService'], rate: 5, burst: 50 },
  { operations: ['DescribeServices'], rate: 20, burst: 50 },
  { operations: ['ListServiceDeployments'], rate: 20, burst: 25 },
]

/** The buckets of one of `share` environments that run at once, by operation; an operation without a bucket is not paced. */
export function buckets(share: number): ReadonlyMap<string, Bucket> {
  const known = new Map<string, Bucket>()
  for (const { operations, rate, burst } of RATES) {
    const own = bucket({ rate: rate / share, burst: burst / share })
    for (const operation of operations) known.set(operation, own)
  }
  return known
}
