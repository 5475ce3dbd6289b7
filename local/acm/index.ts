import { requestTags } from '../fields.ts'
import type { Service, World } from '../service.ts'
import { holdings } from './certificates.ts'
import { certificateOperations } from './operations.ts'
import { life, type Tamper } from './renewal.ts'
import { requestOperations } from './request.ts'

/** How the local ACM behaves. */
export interface AcmOptions {
  /** Milliseconds of the local clock before ACM turns to the CA, which takes its own time. */
  readonly delay?: {
    /** PENDING_VALIDATION lasts at least so long (default 500). */
    readonly issue?: number
    /** PENDING_AUTO_RENEWAL lasts at least so long (default 2,000). */
    readonly renew?: number
  }
  /** Changes fresh material before ACM holds it: for tests of what must never be published. */
  readonly tamper?: Tamper
}

/**
 * AWS Certificate Manager for private certificates: issued by the local Private CA under its permissions, exported as
 * ACM exports, renewed 60 days before expiry with a new key, told about on the event bus. No public certificates, no
 * ACME, no association with other services. https://docs.aws.amazon.com/acm/latest/APIReference/
 */
export function acm(world: World, options: AcmOptions = {}): Service {
  const { issue = 500, renew = 2_000 } = options.delay ?? {}
  const held = holdings()
  const living = life(world, held, { issue, renew, tamper: options.tamper })
  return {
    name: 'acm',
    operations: {
      ...requestOperations(world, held, living),
      ...certificateOperations(world, held, living),
    },
    subject(operation, input, { region, account }) {
      const named = input['CertificateArn']
      // RequestCertificate knows no resource: a policy must say `*` (Service Authorization Reference, ACM)
      const fresh = operation === 'ImportCertificate'
      const arn =
        typeof named === 'string'
          ? named
          : fresh
            ? `arn:aws:acm:${region}:${account}:certificate/*`
            : '*'
      return {
        arn,
        tags: Object.fromEntries(held.peek(arn)?.tags ?? []),
        conditions: {
          ...requestTags(input['Tags']),
          ...(operation === 'RequestCertificate' && requestConditions(input)),
        },
      }
    },
  }
}

/** https://docs.aws.amazon.com/acm/latest/userguide/acm-conditions.html */
function requestConditions(input: Readonly<Record<string, unknown>>) {
  const { DomainName, SubjectAlternativeNames, KeyAlgorithm, CertificateAuthorityArn } = input
  const listed = Array.isArray(SubjectAlternativeNames) ? SubjectAlternativeNames : []
  const names = [DomainName, ...listed].filter((name) => typeof name === 'string')
  return {
    'acm:DomainNames': names.map((name) => name.toLowerCase()),
    'acm:KeyAlgorithm': typeof KeyAlgorithm === 'string' ? KeyAlgorithm : 'RSA_2048',
    ...(typeof CertificateAuthorityArn === 'string' && {
      'acm:CertificateAuthority': CertificateAuthorityArn,
    }),
  }
}
