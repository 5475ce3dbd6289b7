import {
  type ACMPCAClient,
  DescribeCertificateAuthorityCommand,
  GetCertificateAuthorityCertificateCommand,
} from '@aws-sdk/client-acm-pca'
import { pemBlocks } from '../pki/pem.ts'
import type { Issuer } from '../ports/authority.ts'
import { required } from './acm.ts'
import { ask } from './errors.ts'

const MISSING = {
  ResourceNotFoundException: 'AUTHORITY_MISSING',
  InvalidArnException: 'AUTHORITY_MISSING',
} as const

/** Describes a private CA and finds the root of its hierarchy from the CA's own certificate chain. */
export function issuers(client: ACMPCAClient): (arn: string) => Promise<Issuer> {
  return async (arn) => {
    const of = { CertificateAuthorityArn: arn }
    const { CertificateAuthority } = await ask(
      `describe certificate authority ${arn}`,
      () => client.send(new DescribeCertificateAuthorityCommand(of)),
      MISSING,
    )
    const ca = required(CertificateAuthority, 'DescribeCertificateAuthority answered no authority')
    const algorithm = ca.CertificateAuthorityConfiguration?.KeyAlgorithm ?? ''
    const about = {
      arn,
      status: ca.Status ?? 'unknown',
      family: family(algorithm),
      shortLived: ca.UsageMode === 'SHORT_LIVED_CERTIFICATE',
    }
    if (!CERTIFIED.has(about.status)) return about
    const { Certificate = '', CertificateChain = '' } = await ask(
      `read the certificate of authority ${arn}`,
      () => client.send(new GetCertificateAuthorityCertificateCommand(of)),
      MISSING,
    )
    return { ...about, root: root(Certificate, CertificateChain) }
  }
}

const CERTIFIED = new Set(['ACTIVE', 'DISABLED', 'EXPIRED'])

function family(algorithm: string): Issuer['family'] {
  if (algorithm.startsWith('RSA_')) return 'RSA'
  return algorithm.startsWith('EC_') ? 'EC' : 'other'
}

function root(certificate: string, chain: string): string {
  const blocks = pemBlocks(`${certificate}\n${chain}`) ?? []
  return required(blocks.at(-1), 'the authority answered no PEM certificate').pem
}
