import type { Emission, World } from '../service.ts'
import type { Facts, Holding } from './certificates.ts'

const DAY = 86_400_000

/** The events of ACM: https://docs.aws.amazon.com/acm/latest/userguide/supported-events.html */
export interface Notices {
  available(
    holding: Holding,
    facts: Facts,
    action: 'ISSUANCE' | 'RENEWAL' | 'IMPORT' | 'REIMPORT',
  ): void
  approaching(holding: Holding, facts: Facts, days: number): void
  expired(holding: Holding, facts: Facts): void
  revoked(holding: Holding, facts: Facts): void
  actionRequired(holding: Holding, facts: Facts, reason: string): void
}

export function notices(world: World): Notices {
  const send = ({ arn, region }: Holding, detailType: string, detail: Emission['detail']) =>
    world.emit(region, { source: 'aws.acm', detailType, resources: [arn], detail })
  const common = (holding: Holding, { notAfter, commonName }: Facts) => ({
    CertificateType: holding.type,
    CommonName: commonName,
    CertificateExpirationDate: iso(notAfter),
    InUse: false,
    Exported: holding.everExported,
  })
  const left = ({ notAfter }: Facts) => Math.ceil((notAfter - world.clock.now()) / DAY)
  return {
    available(holding, facts, action) {
      send(holding, 'ACM Certificate Available', {
        Action: action,
        ...common(holding, facts),
        CertificateCreatedDate: iso(holding.createdAt),
        DaysToExpiry: left(facts),
      })
    },
    approaching(holding, { commonName }, days) {
      send(holding, 'ACM Certificate Approaching Expiration', {
        DaysToExpiry: days,
        CommonName: commonName,
      })
    },
    expired(holding, facts) {
      if (holding.type === 'IMPORTED') return
      send(holding, 'ACM Certificate Expired', {
        ...common(holding, facts),
        CertificateCreatedDate: iso(holding.createdAt),
      })
    },
    revoked(holding, { commonName, notAfter }) {
      send(holding, 'ACM Certificate Revoked', {
        CertificateType: holding.type,
        CommonName: commonName,
        CertificateExpirationDate: iso(notAfter),
        Exportable: holding.type === 'PRIVATE',
      })
    },
    actionRequired(holding, facts, reason) {
      send(holding, 'ACM Certificate Renewal Action Required', {
        ...common(holding, facts),
        RenewalStatusReason: reason,
        DaysToExpiry: left(facts),
      })
    },
  }
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+/, '')
}
