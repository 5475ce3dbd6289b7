import {
  type ACMClient,
  type CertificateDetail,
  DeleteCertificateCommand,
  DescribeCertificateCommand,
  ExportCertificateCommand,
  GetCertificateCommand,
  ListTagsForCertificateCommand,
  RenewCertificateCommand,
  RequestCertificateCommand,
} from '@aws-sdk/client-acm'
import { RelayError } from '../pki/error.ts'
import { plainSerial } from '../pki/version.ts'
import type { Authority, Certificate } from '../ports/authority.ts'
import { ask } from './errors.ts'

const OWNER = 'certrelay:owner'

/** ACM as the authority; describing CAs is Private CA's business. */
export function authority(client: ACMClient): Omit<Authority, 'issuer'> {
  return {
    async request({ names, authority, keyAlgorithm, token, owner, tags }) {
      const all = { ...tags, [OWNER]: owner }
      const command = new RequestCertificateCommand({
        DomainName: names[0],
        ...(names.length > 1 && { SubjectAlternativeNames: [...names] }),
        CertificateAuthorityArn: authority,
        KeyAlgorithm: keyAlgorithm,
        IdempotencyToken: token,
        Tags: Object.entries(all).map(([Key, Value]) => ({ Key, Value })),
      })
      const { CertificateArn } = await ask(
        `request a certificate for ${names[0]} from ${authority}`,
        () => client.send(command),
        {
          InvalidParameterException: 'AUTHORITY_REFUSED',
          InvalidArnException: 'AUTHORITY_REFUSED',
          InvalidTagException: 'AUTHORITY_REFUSED',
          TooManyTagsException: 'AUTHORITY_REFUSED',
          TagPolicyException: 'AUTHORITY_REFUSED',
          LimitExceededException: 'AUTHORITY_REFUSED',
          ValidationException: 'AUTHORITY_REFUSED',
        },
      )
      return required(CertificateArn, 'RequestCertificate answered no ARN')
    },
    async describe(arn) {
      const command = new DescribeCertificateCommand({ CertificateArn: arn })
      const { Certificate } = await ask(
        `describe certificate ${arn}`,
        () => client.send(command),
        MISSING,
      )
      return describe(arn, required(Certificate, 'DescribeCertificate answered no certificate'))
    },
    async leaf(arn) {
      const command = new GetCertificateCommand({ CertificateArn: arn })
      const { Certificate } = await ask(`read certificate ${arn}`, () => client.send(command), {
        ...MISSING,
        RequestInProgressException: 'CERTIFICATE_PENDING',
      })
      return required(Certificate, 'GetCertificate answered no certificate')
    },
    async export(arn, passphrase) {
      const command = new ExportCertificateCommand({
        CertificateArn: arn,
        Passphrase: passphrase.reveal(),
      })
      const out = await ask(`export certificate ${arn}`, () => client.send(command), {
        ...MISSING,
        RequestInProgressException: 'CERTIFICATE_PENDING',
        ValidationException: 'CERTIFICATE_REFUSED',
      })
      return {
        certificate: required(out.Certificate, 'ExportCertificate answered no certificate'),
        chain: out.CertificateChain ?? '',
        privateKey: required(out.PrivateKey, 'ExportCertificate answered no key'),
      }
    },
    async renew(arn) {
      const command = new RenewCertificateCommand({ CertificateArn: arn })
      await ask(`renew certificate ${arn}`, () => client.send(command), {
        ...MISSING,
        RequestInProgressException: 'CERTIFICATE_PENDING',
        ValidationException: 'CERTIFICATE_REFUSED',
      })
    },
    async remove(arn, owner) {
      try {
        const list = new ListTagsForCertificateCommand({ CertificateArn: arn })
        const { Tags = [] } = await ask(
          `list the tags of certificate ${arn}`,
          () => client.send(list),
          MISSING,
        )
        if (Tags.find(({ Key }) => Key === OWNER)?.Value !== owner) return false
        const command = new DeleteCertificateCommand({ CertificateArn: arn })
        await ask(`delete certificate ${arn}`, () => client.send(command), {
          ...MISSING,
          ResourceInUseException: 'CERTIFICATE_REFUSED',
        })
        return true
      } catch (error) {
        if (error instanceof RelayError && error.code === 'CERTIFICATE_MISSING') return true
        throw error
      }
    },
  }
}

const MISSING = {
  ResourceNotFoundException: 'CERTIFICATE_MISSING',
  InvalidArnException: 'CERTIFICATE_MISSING',
} as const

function describe(arn: string, detail: CertificateDetail): Certificate {
  const { DomainName = '', SubjectAlternativeNames = [], Serial, NotBefore, NotAfter } = detail
  const names = [DomainName, ...SubjectAlternativeNames.filter((name) => name !== DomainName)]
  return {
    arn,
    status: status(detail),
    names,
    // ACM describes `EC-prime256v1` and `RSA-2048` where it is asked for `EC_prime256v1` and `RSA_2048`
    keyAlgorithm: (detail.KeyAlgorithm ?? 'unknown').replace('-', '_'),
    renewing: detail.RenewalSummary?.RenewalStatus === 'PENDING_AUTO_RENEWAL',
    ...(detail.FailureReason && { failure: detail.FailureReason }),
    ...refused(detail),
    ...(detail.CertificateAuthorityArn && { authority: detail.CertificateAuthorityArn }),
    ...(Serial && { serial: plainSerial(Serial) }),
    ...(NotBefore && { notBefore: NotBefore.getTime() }),
    ...(NotAfter && { notAfter: NotAfter.getTime() }),
  }
}

function refused({ RenewalSummary: summary }: CertificateDetail): Pick<Certificate, 'refused'> {
  if (summary?.RenewalStatus !== 'FAILED') return {}
  const at = summary.UpdatedAt?.getTime() ?? 0
  return { refused: { at, why: summary.RenewalStatusReason ?? 'ACM gives no reason' } }
}

function status({ Status }: CertificateDetail): Certificate['status'] {
  switch (Status) {
    case 'PENDING_VALIDATION':
      return 'pending'
    case 'ISSUED':
      return 'issued'
    case 'EXPIRED':
      return 'expired'
    case 'REVOKED':
      return 'revoked'
    default:
      return 'failed'
  }
}

export function required<T>(value: T | undefined, message: string): T {
  if (value === undefined) throw new TypeError(message)
  return value
}
