import { type Bucket, bucket, type Rate } from '../pki/bucket.ts'
import type { Clock } from './clock.ts'

/** Which calls are meant: absent members match everything. */
export interface Which {
  /** SigV4 service name. */
  readonly service?: string
  readonly operation?: string
  readonly region?: string
}

/** AWS's own request quotas of an account, in each region apart; off unless asked for. */
export interface Quotas {
  /** Begins with full buckets, or ends enforcing. */
  enforce(on: boolean): void
  /** Takes a token for one request that came over the wire; false when there is none left. */
  take(service: string, operation: string, region: string): boolean
  /** How many requests were refused since the start. */
  throttled(which?: Which): number
  /** How many requests were let through while quotas were enforced. */
  admitted(which?: Which): number
}

/** Operations that share one bucket. */
interface Limit extends Rate {
  readonly operations: readonly string[]
}

/** Each of these operations has a bucket of its own, of one second's worth. */
const each = (rate: number, ...operations: string[]): Limit[] =>
  operations.map((operation) => ({ operations: [operation], burst: rate, rate }))

/**
 * https://docs.aws.amazon.com/acm/latest/userguide/acm-limits.html (API rate quotas),
 * https://docs.aws.amazon.com/general/latest/gr/pca.html,
 * https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html,
 * https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
 */
const TABLE: Readonly<Record<string, readonly Limit[]>> = {
  acm: [
    ...each(5, 'RequestCertificate', 'RenewCertificate'),
    ...each(10, 'DescribeCertificate', 'GetCertificate', 'ExportCertificate'),
    ...each(8, 'ListCertificates'),
    ...each(1, 'ImportCertificate'),
  ],
  'acm-pca': [
    ...each(25, 'IssueCertificate'),
    ...each(75, 'GetCertificate'),
    ...each(20, 'RevokeCertificate'),
    ...each(20, 'DescribeCertificateAuthority', 'ListCertificateAuthorities'),
    ...each(10, 'GetCertificateAuthorityCsr', 'ImportCertificateAuthorityCertificate'),
    ...each(1, 'CreateCertificateAuthority', 'CreatePermission'),
  ],
  ecs: [
    { operations: ['CreateService', 'DeleteService', 'UpdateService'], burst: 50, rate: 5 },
    { operations: ['DescribeServices', 'ListServices'], burst: 100, rate: 20 },
    {
      operations: ['DescribeServiceDeployments', 'ListServiceDeployments'],
      burst: 50,
      rate: 20,
    },
    { operations: ['TagResource', 'UntagResource'], burst: 20, rate: 10 },
  ],
  secretsmanager: [
    ...each(10_000, 'GetSecretValue'),
    ...each(40_000, 'DescribeSecret'),
    ...each(100, 'BatchGetSecretValue', 'ListSecrets'),
    ...each(50, 'CreateSecret', 'RotateSecret', 'GetRandomPassword', 'ListSecretVersionIds'),
    {
      operations: [
        'PutSecretValue',
        'RemoveRegionsFromReplication',
        'ReplicateSecretToRegions',
        'UpdateSecret',
        'UpdateSecretVersionStage',
      ],
      burst: 50,
      rate: 50,
    },
  ],
}

/** Token buckets that fill by the local clock: while it stands still, nothing comes back. */
export function quotas({ now }: Pick<Clock, 'now'>, enforced: boolean): Quotas {
  const buckets = new Map<string, Bucket>()
  const counts = { throttled: new Map<string, number>(), admitted: new Map<string, number>() }
  let on = enforced

  const count = (kind: keyof typeof counts, name: string) =>
    counts[kind].set(name, (counts[kind].get(name) ?? 0) + 1)
  const sum = (kind: keyof typeof counts, { service, operation, region }: Which) => {
    let total = 0
    for (const [name, times] of counts[kind]) {
      const own = name.split(' ')
      const wanted = [service, operation, region]
      if (wanted.every((part, index) => part === undefined || part === own[index])) total += times
    }
    return total
  }
  const draw = (limit: Limit, place: string) => {
    const name = `${place} ${limit.operations[0]}`
    const own = buckets.get(name) ?? bucket(limit)
    buckets.set(name, own)
    return own.take(now(), 0) !== undefined
  }
  return {
    enforce(wanted) {
      on = wanted
      buckets.clear()
    },
    take(service, operation, region) {
      if (!on) return true
      const limit = TABLE[service]?.find(({ operations }) => operations.includes(operation))
      const free = limit === undefined || draw(limit, `${service} ${region}`)
      count(free ? 'admitted' : 'throttled', `${service} ${operation} ${region}`)
      return free
    },
    throttled: (which = {}) => sum('throttled', which),
    admitted: (which = {}) => sum('admitted', which),
  }
}
