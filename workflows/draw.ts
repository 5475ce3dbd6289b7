import { openTrust } from '../pki/bundle.ts'
import { RelayError } from '../pki/error.ts'
import type { Secret } from '../pki/secret.ts'
import { encodedPassphrase } from '../pki/walkthrough.ts'
import type { Certificate, Exported } from '../ports/authority.ts'
import type { Ports } from '../ports/index.ts'

/** A certificate and its key on the way into a secret; who has it wipes the passphrase. */
export interface Drawn {
  readonly exported: Exported
  readonly passphrase: Secret
  /** Configured roots, PEM. */
  readonly anchors: string
  /** As its source describes it. */
  readonly certificate: Certificate
}

/** A fresh passphrase as the layout of a secret wants it. */
export function newPassphrase(
  { passphrase }: Pick<Ports, 'passphrase'>,
  layout: 'walkthrough' | undefined,
): Secret {
  return layout === undefined ? passphrase() : encodedPassphrase(passphrase())
}

/** Exports a certificate of ACM under a fresh passphrase. */
export async function draw(
  ports: Pick<Ports, 'authority' | 'vault' | 'passphrase'>,
  certificate: Certificate,
  layout: 'walkthrough' | undefined,
): Promise<Drawn> {
  const passphrase = newPassphrase(ports, layout)
  try {
    const anchors = await anchorsOf(ports, certificate)
    const exported = await ports.authority.export(certificate.arn, passphrase)
    return { exported, passphrase, anchors, certificate }
  } catch (error) {
    passphrase.wipe()
    throw error
  }
}

interface Anchoring {
  readonly authority: Pick<Ports['authority'], 'issuer'>
  readonly vault: Pick<Ports['vault'], 'read'>
}

/** The configured anchors of a certificate: the root of the private CA that was configured for it, or the trust bundle that was. */
export async function anchorsOf(
  { authority, vault }: Anchoring,
  { arn, authority: ca, trust }: Certificate,
): Promise<string> {
  if (trust !== undefined) return published(vault, trust, arn)
  if (ca === undefined) {
    throw new RelayError(
      'CERTIFICATE_REFUSED',
      `certificate ${arn} has no private CA: give one that a private CA issued`,
    )
  }
  const { root, status } = await authority.issuer(ca)
  if (root === undefined)
    throw new RelayError(
      'AUTHORITY_REFUSED',
      `certificate authority ${ca} is ${status}: activate it first`,
    )
  return root
}

/** The anchors of a trust bundle. @throws AUTHORITY_MISSING when there is none, AUTHORITY_REFUSED when it is none */
async function published(
  vault: Anchoring['vault'],
  trust: string,
  source: string,
): Promise<string> {
  try {
    const { content } = await vault.read(trust)
    try {
      return openTrust(content).anchors
    } finally {
      content.wipe()
    }
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    const { code } = error
    // a role that may read managed secrets alone is refused what is not there
    if (code === 'SECRET_MISSING' || code === 'ACCESS_REFUSED')
      throw new RelayError(
        'AUTHORITY_MISSING',
        `the anchors of ${source} are not published: there is no secret ${trust} that may be read; name the trust bundle of that authority`,
        { cause: error },
      )
    if (code !== 'BUNDLE_INVALID') throw error
    throw new RelayError(
      'AUTHORITY_REFUSED',
      `secret ${trust} is no trust bundle; name that of ${source}`,
      {
        cause: error,
      },
    )
  }
}
