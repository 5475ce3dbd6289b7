import { requestTags } from '../fields.ts'
import type { Service, World } from '../service.ts'
import { roster } from './authorities.ts'
import { certificateOperations } from './certificates.ts'
import { lifecycle } from './lifecycle.ts'
import { permissions } from './permissions.ts'
import { DEFAULT_TEMPLATE } from './templates.ts'

/** Milliseconds of the local clock. */
export interface PcaOptions {
  readonly delay?: {
    /** CREATING lasts so long (default 200). */
    readonly create?: number
    /** GetCertificate answers RequestInProgressException so long (default 500). */
    readonly issue?: number
  }
}

/**
 * AWS Private CA: real keys, real X.509, the ceremonies of roots and subordinates, templates and permissions.
 * No CRL, OCSP, audit report, resource policy or restore. https://docs.aws.amazon.com/privateca/latest/APIReference/
 */
export function pca(world: World, options: PcaOptions = {}): Service {
  const { create = 200, issue = 500 } = options.delay ?? {}
  const authorities = roster(world)
  return {
    name: 'acm-pca',
    operations: {
      ...lifecycle(world, authorities, create),
      ...certificateOperations(world, authorities, issue),
      ...permissions(world, authorities),
    },
    subject(operation, input) {
      const named = input['CertificateAuthorityArn']
      const arn = typeof named === 'string' ? named : '*'
      const chosen = input['TemplateArn']
      return {
        arn,
        tags: Object.fromEntries(authorities.peek(arn)?.tags ?? []),
        conditions: {
          ...requestTags(input['Tags']),
          ...(operation === 'IssueCertificate' && {
            'acm-pca:TemplateArn': typeof chosen === 'string' ? chosen : DEFAULT_TEMPLATE,
          }),
        },
      }
    },
  }
}
