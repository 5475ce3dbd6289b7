import '../x509/reflect.ts'
import { createPublicKey, X509Certificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { AwsError } from '../service.ts'
import type { Ca, Installed } from './authorities.ts'

/**
 * Checks a CA certificate against the CA it is for, and its chain up to a root.
 * https://docs.aws.amazon.com/privateca/latest/APIReference/API_ImportCertificateAuthorityCertificate.html
 * @throws AwsError MalformedCertificateException, CertificateMismatchException, ValidationException
 */
export function inspect(
  ca: Pick<Ca, 'type' | 'key'>,
  certificatePem: string,
  chainPem: string | undefined,
  now: number,
): Installed {
  if ((ca.type === 'ROOT') !== (chainPem === undefined)) {
    throw new AwsError(
      'ValidationException',
      ca.type === 'ROOT'
        ? 'A certificate chain must not be provided for a root certificate authority.'
        : 'A certificate chain must be provided for a subordinate certificate authority.',
    )
  }
  const [own, ...surplus] = readAuthorities(certificatePem)
  const chain = chainPem === undefined ? [] : readAuthorities(chainPem)
  if (own === undefined || surplus.length > 0) throw malformed('exactly one certificate is needed')
  if (!own.node.publicKey.equals(createPublicKey(ca.key))) {
    throw mismatch('The public key of the certificate does not match the certificate authority.')
  }
  if (now >= own.notAfter) throw malformed('the certificate has expired')
  const path = [own, ...chain]
  path.forEach((link, depth) => {
    const issuer = path[depth + 1] ?? link
    if (!link.node.checkIssued(issuer.node) || !link.node.verify(issuer.node.publicKey)) {
      throw mismatch('The certificate chain does not lead from the certificate to a root.')
    }
    if (link.pathLength !== undefined && link.pathLength < depth) {
      throw mismatch('A path length constraint in the certificate chain is violated.')
    }
  })
  return {
    certificate: own.pem,
    chain: chain.map(({ pem }) => pem),
    serial: own.node.serialNumber.toLowerCase(),
    subject: own.subject,
    pathLength: own.pathLength,
    notBefore: own.notBefore,
    notAfter: own.notAfter,
  }
}

interface Link {
  readonly node: X509Certificate
  readonly pem: string
  readonly subject: x509.Name
  readonly pathLength: number | undefined
  readonly notBefore: number
  readonly notAfter: number
}

/** Extensions that an imported CA certificate may carry as critical ones: constraints, usages, identifiers, names. */
const UNDERSTOOD = ['2.5.29.19', '2.5.29.15', '2.5.29.37', '2.5.29.14', '2.5.29.35', '2.5.29.17']

function readAuthorities(text: string): Link[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw malformed('no certificate in PEM was found')
  return blocks.map((pem) => {
    const parsed = parse(pem)
    const constraints = parsed.getExtension(x509.BasicConstraintsExtension)
    if (constraints?.ca !== true || !constraints.critical) {
      throw malformed('basic constraints must be critical and say CA:TRUE')
    }
    const strange = parsed.extensions.find(
      ({ critical, type }) => critical && !UNDERSTOOD.includes(type),
    )
    if (strange !== undefined) throw malformed(`extension ${strange.type} must not be critical`)
    return {
      node: new X509Certificate(pem),
      pem,
      subject: parsed.subjectName,
      pathLength: constraints.pathLength,
      notBefore: parsed.notBefore.getTime(),
      notAfter: parsed.notAfter.getTime(),
    }
  })
}

function parse(pem: string): x509.X509Certificate {
  try {
    return new x509.X509Certificate(pem)
  } catch {
    throw malformed('a certificate cannot be parsed') // whatever the parser says, AWS says this
  }
}

function malformed(why: string): AwsError {
  return new AwsError(
    'MalformedCertificateException',
    `One or more fields in the certificate are invalid: ${why}.`,
  )
}

function mismatch(message: string): AwsError {
  return new AwsError('CertificateMismatchException', message)
}
