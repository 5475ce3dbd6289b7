import { colons } from '../fields.ts'
import { seconds } from '../service.ts'
import { eligible, type Holding, revoked, status } from './certificates.ts'

const PURPOSE_NAMES: Readonly<Record<string, string>> = {
  '1.3.6.1.5.5.7.3.1': 'TLS_WEB_SERVER_AUTHENTICATION',
  '1.3.6.1.5.5.7.3.2': 'TLS_WEB_CLIENT_AUTHENTICATION',
  '1.3.6.1.5.5.7.3.3': 'CODE_SIGNING',
  '1.3.6.1.5.5.7.3.4': 'EMAIL_PROTECTION',
  '1.3.6.1.5.5.7.3.8': 'TIME_STAMPING',
  '1.3.6.1.5.5.7.3.9': 'OCSP_SIGNING',
}

/** CertificateDetail: https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateDetail.html */
export function detail(holding: Holding, now: number): Record<string, unknown> {
  const { arn, type, domain, names, keyAlgorithm, authority, createdAt, state, renewal } = holding
  return {
    CertificateArn: arn,
    DomainName: domain,
    SubjectAlternativeNames: names,
    Status: status(holding, now),
    Type: type,
    KeyAlgorithm: keyAlgorithm,
    CreatedAt: seconds(createdAt),
    InUseBy: [],
    RenewalEligibility: eligible(holding, now) ? 'ELIGIBLE' : 'INELIGIBLE',
    Options: { CertificateTransparencyLoggingPreference: 'DISABLED' },
    ...(authority !== undefined && { CertificateAuthorityArn: authority }),
    ...(state.at === 'failed' && { FailureReason: state.reason }),
    ...(state.at === 'issued' && {
      [type === 'IMPORTED' ? 'ImportedAt' : 'IssuedAt']: seconds(state.since),
      Serial: colons(state.facts.serial),
      Subject: state.facts.subject,
      Issuer: state.facts.issuer,
      NotBefore: seconds(state.facts.notBefore),
      NotAfter: seconds(state.facts.notAfter),
      SignatureAlgorithm: state.facts.signatureAlgorithm,
      KeyUsages: state.facts.usages.map((Name) => ({ Name })),
      ExtendedKeyUsages: state.facts.purposes.map((OID) => ({ Name: purpose(OID), OID })),
    }),
    ...(revoked(holding) && {
      RevokedAt: seconds(holding.revocation?.at ?? 0),
      RevocationReason: holding.revocation?.reason,
    }),
    ...(renewal !== undefined && {
      RenewalSummary: {
        RenewalStatus: renewal.status,
        DomainValidationOptions: [],
        UpdatedAt: seconds(renewal.updatedAt),
        ...(renewal.reason !== undefined && { RenewalStatusReason: renewal.reason }),
      },
    }),
  }
}

/** CertificateSummary: https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateSummary.html */
export function summary(holding: Holding, now: number): Record<string, unknown> {
  const { arn, type, domain, names, keyAlgorithm, createdAt, state, everExported } = holding
  return {
    CertificateArn: arn,
    DomainName: domain,
    SubjectAlternativeNameSummaries: names.slice(0, 100),
    HasAdditionalSubjectAlternativeNames: names.length > 100,
    Status: status(holding, now),
    Type: type,
    KeyAlgorithm: keyAlgorithm,
    InUse: false,
    Exported: everExported,
    RenewalEligibility: eligible(holding, now) ? 'ELIGIBLE' : 'INELIGIBLE',
    CreatedAt: seconds(createdAt),
    ...(state.at === 'issued' && {
      [type === 'IMPORTED' ? 'ImportedAt' : 'IssuedAt']: seconds(state.since),
      NotBefore: seconds(state.facts.notBefore),
      NotAfter: seconds(state.facts.notAfter),
      KeyUsages: state.facts.usages,
      ExtendedKeyUsages: state.facts.purposes.map(purpose),
    }),
  }
}

/** ExtendedKeyUsageName of an OID. */
export function purpose(oid: string): string {
  return PURPOSE_NAMES[oid] ?? 'CUSTOM'
}
