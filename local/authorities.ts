import './reflect.ts'
import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { type KeyAlgorithm, makeKey, type SigningAlgorithm } from './algorithms.ts'
import { AwsError, type Call, type World } from './service.ts'
import { keyIdentifier, request, spki } from './x509.ts'

/** One certificate authority of the local Private CA. */
export interface Ca {
  readonly arn: string
  readonly region: string
  readonly type: 'ROOT' | 'SUBORDINATE'
  readonly keyAlgorithm: KeyAlgorithm
  readonly signing: SigningAlgorithm
  readonly usageMode: 'GENERAL_PURPOSE' | 'SHORT_LIVED_CERTIFICATE'
  /** As the request wrote it, for Describe. */
  readonly configuration: Readonly<Record<string, unknown>>
  readonly revocation: Readonly<Record<string, unknown>>
  readonly key: KeyObject
  /** PEM. */
  readonly csr: string
  /** Hex. */
  readonly keyIdentifier: string
  readonly createdAt: number
  /** CREATING until then. */
  readonly readyAt: number
  readonly tags: Map<string, string>
  /** By service principal. */
  readonly permissions: Map<string, Permission>
  /** By ARN. */
  readonly issued: Map<string, Issued>
  installed: Installed | undefined
  disabled: boolean
  /** Deleted for good from then on. */
  restorableUntil: number | undefined
  changedAt: number
}

/** What an AWS service may do with a CA. */
export interface Permission {
  readonly actions: readonly string[]
  readonly createdAt: number
}

/** A certificate that a CA signed; it can be fetched from `readyAt` on. */
export interface Issued {
  readonly arn: string
  readonly certificate: string
  /** Up to the root, without the certificate itself. */
  readonly chain: readonly string[]
  /** Lower-case hex digits. */
  readonly serial: string
  readonly selfSigned: boolean
  readonly readyAt: number
  revokedAt: number | undefined
}

/** The certificate of an active CA. */
export interface Installed {
  readonly certificate: string
  readonly chain: readonly string[]
  readonly serial: string
  readonly subject: x509.Name
  readonly pathLength: number | undefined
  readonly notBefore: number
  readonly notAfter: number
}

export type Status =
  | 'CREATING'
  | 'PENDING_CERTIFICATE'
  | 'ACTIVE'
  | 'DISABLED'
  | 'EXPIRED'
  | 'DELETED'

/** Where a CA is in its life: a function of what was done to it and of the time. */
export function status(ca: Ca, now: number): Status {
  if (ca.restorableUntil !== undefined) return 'DELETED'
  if (now < ca.readyAt) return 'CREATING'
  if (ca.installed === undefined) return 'PENDING_CERTIFICATE'
  if (now >= ca.installed.notAfter) return 'EXPIRED'
  return ca.disabled ? 'DISABLED' : 'ACTIVE'
}

/** Makes a CA with a key and a CSR of its own; its certificate comes later. */
export async function createCa(
  world: World,
  order: Pick<
    Ca,
    | 'region'
    | 'type'
    | 'keyAlgorithm'
    | 'signing'
    | 'usageMode'
    | 'configuration'
    | 'revocation'
    | 'tags'
  > & { readonly arn: string; readonly subject: x509.Name; readonly delay: number },
): Promise<Ca> {
  const { subject, delay, ...rest } = order
  const createdAt = world.clock.now()
  const key = await makeKey(order.keyAlgorithm)
  return {
    ...rest,
    key,
    csr: await request({ subject, key, signing: order.signing }),
    keyIdentifier: await keyIdentifier(spki(key)),
    createdAt,
    readyAt: createdAt + delay,
    permissions: new Map(),
    issued: new Map(),
    installed: undefined,
    disabled: false,
    restorableUntil: undefined,
    changedAt: createdAt,
  }
}

/**
 * Permissions bind AWS services only; people and roles are judged by their policies.
 * @throws AwsError AccessDeniedException
 */
export function permit(ca: Ca, call: Call): void {
  const { arn, internal } = call.caller
  if (!internal || arn !== 'acm.amazonaws.com') return
  if (ca.permissions.get(arn)?.actions.includes(call.operation) === true) return
  throw new AwsError(
    'AccessDeniedException',
    `User: ${arn} is not authorized to perform: acm-pca:${call.operation} on resource: ${ca.arn}`,
  )
}

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
