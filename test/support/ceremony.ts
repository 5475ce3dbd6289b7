import {
  type ACMPCAClient,
  CreateCertificateAuthorityCommand,
  CreatePermissionCommand,
  GetCertificateAuthorityCertificateCommand,
  GetCertificateAuthorityCsrCommand,
  GetCertificateCommand,
  ImportCertificateAuthorityCertificateCommand,
  IssueCertificateCommand,
  type KeyAlgorithm,
  type SigningAlgorithm,
} from '@aws-sdk/client-acm-pca'
import type { Clock } from '../../local/clock.ts'

/** How a CA of a test begins: P-256 unless it says otherwise. */
export interface Plan {
  readonly name?: string
  readonly keyAlgorithm?: KeyAlgorithm
  readonly signing?: SigningAlgorithm
  readonly years?: number
  readonly usageMode?: 'GENERAL_PURPOSE' | 'SHORT_LIVED_CERTIFICATE'
}

/** Creates a CA and waits until it has a CSR. Returns its ARN. */
export async function found(
  client: ACMPCAClient,
  clock: Clock,
  type: 'ROOT' | 'SUBORDINATE',
  plan: Plan = {},
): Promise<string> {
  const { CertificateAuthorityArn: arn = '' } = await client.send(
    new CreateCertificateAuthorityCommand({
      CertificateAuthorityType: type,
      UsageMode: plan.usageMode ?? 'GENERAL_PURPOSE',
      CertificateAuthorityConfiguration: {
        KeyAlgorithm: plan.keyAlgorithm ?? 'EC_prime256v1',
        SigningAlgorithm: plan.signing ?? 'SHA256WITHECDSA',
        Subject: { CommonName: plan.name ?? `Test ${type}`, Organization: 'Example' },
      },
    }),
  )
  await clock.advance(1_000)
  return arn
}

/** Carries a root through its ceremony. Returns its ARN, active. */
export async function root(client: ACMPCAClient, clock: Clock, plan: Plan = {}): Promise<string> {
  const arn = await found(client, clock, 'ROOT', plan)
  const template = 'RootCACertificate/V1'
  const { certificate } = await sign(client, clock, arn, arn, template, plan)
  await client.send(
    new ImportCertificateAuthorityCertificateCommand({
      CertificateAuthorityArn: arn,
      Certificate: Buffer.from(certificate),
    }),
  )
  return arn
}

/** Carries a subordinate through its ceremony under `parent`. Returns its ARN, active. */
export async function subordinate(
  client: ACMPCAClient,
  clock: Clock,
  parent: string,
  plan: Plan & { readonly pathLength?: 0 | 1 | 2 | 3 } = {},
): Promise<string> {
  const arn = await found(client, clock, 'SUBORDINATE', plan)
  const template = `SubordinateCACertificate_PathLen${plan.pathLength ?? 0}/V1`
  const { certificate, chain } = await sign(client, clock, parent, arn, template, {
    years: 5,
    ...plan,
  })
  await client.send(
    new ImportCertificateAuthorityCertificateCommand({
      CertificateAuthorityArn: arn,
      Certificate: Buffer.from(certificate),
      CertificateChain: Buffer.from(chain),
    }),
  )
  return arn
}

/** Gives ACM all that it needs on a CA. */
export async function allowAcm(client: ACMPCAClient, arn: string): Promise<void> {
  await client.send(
    new CreatePermissionCommand({
      CertificateAuthorityArn: arn,
      Principal: 'acm.amazonaws.com',
      Actions: ['IssueCertificate', 'GetCertificate', 'ListPermissions'],
    }),
  )
}

/** The CA's own certificate and what follows it up to the root, in PEM. */
export async function certificateOf(
  client: ACMPCAClient,
  arn: string,
): Promise<{ readonly certificate: string; readonly chain: string }> {
  const command = new GetCertificateAuthorityCertificateCommand({ CertificateAuthorityArn: arn })
  const { Certificate: certificate = '', CertificateChain: chain = '' } = await client.send(command)
  return { certificate, chain }
}

async function sign(
  client: ACMPCAClient,
  clock: Clock,
  signer: string,
  subject: string,
  template: string,
  plan: Plan,
) {
  const csr = await client.send(
    new GetCertificateAuthorityCsrCommand({ CertificateAuthorityArn: subject }),
  )
  const own = signer === subject ? (plan.signing ?? 'SHA256WITHECDSA') : 'SHA256WITHECDSA'
  const { CertificateArn: issued } = await client.send(
    new IssueCertificateCommand({
      CertificateAuthorityArn: signer,
      Csr: Buffer.from(csr.Csr ?? ''),
      SigningAlgorithm: own,
      TemplateArn: `arn:aws:acm-pca:::template/${template}`,
      Validity: { Type: 'YEARS', Value: plan.years ?? 10 },
    }),
  )
  await clock.advance(1_000)
  const got = await client.send(
    new GetCertificateCommand({ CertificateAuthorityArn: signer, CertificateArn: issued }),
  )
  return { certificate: got.Certificate ?? '', chain: got.CertificateChain ?? '' }
}
