import { certificates } from './bundle.ts'
import { pem } from './pem.ts'

/**
 * The chain as Envoy wants it from what ACM exported: certificates between leaf and root, each once, in the order they came;
 * self-signed roots dropped (a peer uses its own). Linear chains only: it neither reorders nor builds paths.
 *
 * @throws RelayError BUNDLE_INVALID when the text is not a list of PEM certificates.
 */
export function arrange(chain: string): string {
  const seen = new Set<string>()
  const kept = certificates(chain, 'chain').filter((certificate) => {
    const known = seen.has(certificate.fingerprint256)
    seen.add(certificate.fingerprint256)
    return (
      !known && !(certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey))
    )
  })
  return kept.map(({ raw }) => pem('CERTIFICATE', raw)).join('')
}
