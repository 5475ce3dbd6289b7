import {
  asIs,
  type Coerce,
  each,
  type Json,
  need,
  number,
  record,
  shaped,
  take,
  text,
  texts,
} from '../json.ts'
import { AwsError } from '../service.ts'
import { type Context, type Made, type Provider, poll } from './provider.ts'

const CRL = {
  Enabled: asIs,
  CustomCname: text,
  ExpirationInDays: number,
  S3BucketName: text,
  S3ObjectAcl: text,
  CrlDistributionPointExtensionConfiguration: asIs,
}

const AUTHORITY: Readonly<Record<string, Coerce>> = {
  KeyStorageSecurityStandard: text,
  RevocationConfiguration: shaped({ CrlConfiguration: shaped(CRL), OcspConfiguration: asIs }),
  Tags: each({ Key: text, Value: text }),
  UsageMode: text,
}

const describe = async (CertificateAuthorityArn: string, context: Context) =>
  record(
    (await context.call('acm-pca', 'DescribeCertificateAuthority', { CertificateAuthorityArn }))[
      'CertificateAuthority'
    ],
  )

const authority: Provider = {
  immutable: [
    'CsrExtensions',
    'KeyAlgorithm',
    'KeyStorageSecurityStandard',
    'SigningAlgorithm',
    'Subject',
    'Type',
    'UsageMode',
  ],
  async create(properties, context) {
    const answer = await context.call('acm-pca', 'CreateCertificateAuthority', {
      CertificateAuthorityConfiguration: take(properties, {
        KeyAlgorithm: text,
        SigningAlgorithm: text,
        Subject: asIs,
        CsrExtensions: asIs,
      }),
      CertificateAuthorityType: properties['Type'],
      ...take(properties, AUTHORITY),
    })
    const arn = need(answer, 'CertificateAuthorityArn')
    context.began({ id: arn, attributes: { Arn: arn } })
    await poll(context, async () => {
      const { Status, FailureReason } = await describe(arn, context)
      if (Status === 'FAILED') throw new AwsError('NotStabilized', String(FailureReason))
      return Status === 'CREATING' ? undefined : true
    })
    const csr = await context.call('acm-pca', 'GetCertificateAuthorityCsr', {
      CertificateAuthorityArn: arn,
    })
    const CertificateSigningRequest = need(csr, 'Csr')
    return { id: arn, attributes: { Arn: arn, CertificateSigningRequest } }
  },
  async update(properties, made, _, context) {
    const { RevocationConfiguration } = take(properties, AUTHORITY)
    if (RevocationConfiguration !== undefined) {
      await context.call('acm-pca', 'UpdateCertificateAuthority', {
        CertificateAuthorityArn: made.id,
        RevocationConfiguration,
      })
    }
    return made
  },
  async delete({ id }, _, context) {
    const { Status } = await describe(id, context)
    if (Status === 'DELETED') return
    if (Status === 'ACTIVE') await setStatus(id, 'DISABLED', context)
    await context.call('acm-pca', 'DeleteCertificateAuthority', { CertificateAuthorityArn: id })
  },
}

async function setStatus(CertificateAuthorityArn: string, Status: string, context: Context) {
  await context.call('acm-pca', 'UpdateCertificateAuthority', { CertificateAuthorityArn, Status })
}

const VALIDITY = shaped({ Type: text, Value: number })

const certificate: Provider = {
  async create(properties, context) {
    const CertificateAuthorityArn = need(properties, 'CertificateAuthorityArn')
    const answer = await context.call('acm-pca', 'IssueCertificate', {
      CertificateAuthorityArn,
      Csr: base64(need(properties, 'CertificateSigningRequest')),
      ...take(properties, {
        ApiPassthrough: asIs,
        SigningAlgorithm: text,
        TemplateArn: text,
        Validity: VALIDITY,
        ValidityNotBefore: VALIDITY,
      }),
    })
    const CertificateArn = need(answer, 'CertificateArn')
    const Certificate = await poll(context, async () => {
      try {
        const input = { CertificateAuthorityArn, CertificateArn }
        return need(await context.call('acm-pca', 'GetCertificate', input), 'Certificate')
      } catch (error) {
        if (error instanceof AwsError && error.code === 'RequestInProgressException') return
        throw error
      }
    })
    return { id: CertificateArn, attributes: { Arn: CertificateArn, Certificate } }
  },
}

const activation: Provider = {
  immutable: ['CertificateAuthorityArn'],
  create: activate,
  async update(properties, made, old, context) {
    const installed = ['Certificate', 'CertificateChain']
    if (installed.some((name) => properties[name] !== old[name])) {
      return activate(properties, context)
    }
    return settle(properties, made, context)
  },
  async delete({ id }, _, context) {
    const { Status } = await describe(id, context)
    if (Status === 'ACTIVE') await setStatus(id, 'DISABLED', context)
  },
}

async function activate(properties: Json, context: Context): Promise<Made> {
  const arn = need(properties, 'CertificateAuthorityArn')
  const Certificate = need(properties, 'Certificate')
  const { CertificateChain } = take(properties, { CertificateChain: text })
  await context.call('acm-pca', 'ImportCertificateAuthorityCertificate', {
    CertificateAuthorityArn: arn,
    Certificate: base64(Certificate),
    ...(CertificateChain !== undefined && { CertificateChain: base64(String(CertificateChain)) }),
  })
  const CompleteCertificateChain = [Certificate, CertificateChain]
    .filter((part) => part !== undefined)
    .map((part) => String(part).trimEnd())
    .join('\n')
  const made = { id: arn, attributes: { CompleteCertificateChain, Status: 'ACTIVE' } }
  context.began(made)
  return settle(properties, made, context)
}

async function settle(properties: Json, made: Made, context: Context): Promise<Made> {
  const Status = text(properties['Status'] ?? 'ACTIVE', 'Status')
  const { Status: now } = await describe(made.id, context)
  if (now !== Status) await setStatus(made.id, Status, context)
  return { id: made.id, attributes: { ...made.attributes, Status } }
}

const permission: Provider = {
  async create(properties, context) {
    const input = take(properties, {
      Actions: texts,
      CertificateAuthorityArn: text,
      Principal: text,
      SourceAccount: text,
    })
    await context.call('acm-pca', 'CreatePermission', input)
    const id = `${need(properties, 'CertificateAuthorityArn')}|${need(properties, 'Principal')}`
    return { id, attributes: {} }
  },
  async delete(_, properties, context) {
    const input = take(properties, {
      CertificateAuthorityArn: text,
      Principal: text,
      SourceAccount: text,
    })
    await context.call('acm-pca', 'DeletePermission', input)
  },
}

const base64 = (pem: string) => Buffer.from(pem).toString('base64')

/** AWS::ACMPCA types; an issued certificate stays issued when its resource goes. */
export const providePca: Readonly<Record<string, Provider>> = {
  'AWS::ACMPCA::CertificateAuthority': authority,
  'AWS::ACMPCA::Certificate': certificate,
  'AWS::ACMPCA::CertificateAuthorityActivation': activation,
  'AWS::ACMPCA::Permission': permission,
}
