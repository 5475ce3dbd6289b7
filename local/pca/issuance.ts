import '../x509/reflect.ts'
import { createPublicKey } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { AwsError } from '../service.ts'
import { algorithmOf, family, type SigningAlgorithm } from '../x509/algorithms.ts'
import { certify, keyIdentifier, newSerial } from '../x509/x509.ts'
import { type Ca, type Issued, status } from './authorities.ts'
import { distinguishedName } from './names.ts'
import { type ApiPassthrough, requested } from './passthrough.ts'
import { extensions, type Template } from './templates.ts'
import { span, type Validity } from './validity.ts'

/** What IssueCertificate was asked. */
export interface Asked {
  /** PEM. */
  readonly csr: string
  readonly signing: SigningAlgorithm
  readonly validity: Validity
  readonly notBefore: Validity | undefined
  readonly template: Template
  readonly passthrough: ApiPassthrough | undefined
}

/**
 * Signs what a CSR asks for, as the template decides.
 * https://docs.aws.amazon.com/privateca/latest/APIReference/API_IssueCertificate.html
 * @throws AwsError InvalidStateException, InvalidArgsException, MalformedCSRException, ValidationException
 */
export async function issue(ca: Ca, asked: Asked, now: number, delay: number): Promise<Issued> {
  const { template, signing } = asked
  const self = template.kind === 'root'
  checkState(ca, template, now)
  if (family(signing) !== family(ca.keyAlgorithm)) {
    throw new AwsError(
      'InvalidArgsException',
      `The signing algorithm ${signing} does not fit the certificate authority's key ${ca.keyAlgorithm}.`,
    )
  }
  const csr = await readCsr(asked.csr)
  if (self && csr.subjectKey !== ca.keyIdentifier) {
    throw new AwsError(
      'InvalidArgsException',
      'A root certificate can only be issued for the CSR of the certificate authority itself.',
    )
  }
  const { notBefore, notAfter } = span(asked.validity, asked.notBefore, now)
  checkSpan(ca, self, notAfter, now)
  const asksName = template.api ? asked.passthrough?.Subject : undefined
  const subject = asksName === undefined ? csr.subject : distinguishedName(asksName)
  const wanted = extensions(template, {
    api: requested(asked.passthrough),
    csr: csr.extensions,
    subjectKey: csr.subjectKey,
    authorityKey: ca.keyIdentifier,
  })
  const named = wanted.some(({ type }) => type === '2.5.29.17')
  if (subject.toString() === '' && !named) {
    throw malformed('it has neither a subject nor a subject alternative name')
  }
  const serial = newSerial()
  return {
    arn: `${ca.arn}/certificate/${serial}`,
    certificate: await certify({
      subject,
      issuer: self ? subject : (ca.installed?.subject ?? subject),
      publicKey: csr.publicKey,
      signingKey: ca.key,
      signing,
      serial,
      notBefore,
      notAfter,
      extensions: wanted,
    }),
    chain:
      self || ca.installed === undefined ? [] : [ca.installed.certificate, ...ca.installed.chain],
    serial,
    selfSigned: self,
    readyAt: now + delay,
    revokedAt: undefined,
  }
}

/** A root that waits for its certificate may sign itself; every other signature needs an active CA. */
function checkState(ca: Ca, template: Template, now: number) {
  const state = status(ca, now)
  const ceremony = template.kind === 'root' && state === 'PENDING_CERTIFICATE'
  if (state !== 'ACTIVE' && !ceremony) {
    throw new AwsError(
      'InvalidStateException',
      'The certificate authority is not in a valid state for issuing certificates',
    )
  }
  if (template.kind === 'root' && ca.type !== 'ROOT') {
    throw new AwsError(
      'InvalidArgsException',
      'Only a root certificate authority can use a root certificate template.',
    )
  }
  const limit = ca.installed?.pathLength
  if (template.kind !== 'subordinate' || limit === undefined) return
  if (template.pathLength === undefined || template.pathLength >= limit) {
    throw new AwsError(
      'InvalidArgsException',
      `The template does not fit below a certificate authority whose path length is ${limit}.`,
    )
  }
}

const SHORT_LIVED = 7 * 86_400_000

function checkSpan(ca: Ca, self: boolean, notAfter: number, now: number) {
  if (!self && ca.installed !== undefined && notAfter > ca.installed.notAfter) {
    throw new AwsError(
      'ValidationException',
      'The certificate validity specified exceeds the certificate authority validity.',
    )
  }
  if (!self && ca.usageMode === 'SHORT_LIVED_CERTIFICATE' && notAfter - now > SHORT_LIVED) {
    throw new AwsError(
      'ValidationException',
      'The certificate validity specified exceeds the 7 days of a short-lived certificate authority.',
    )
  }
}

async function readCsr(pem: string) {
  try {
    const csr = new x509.Pkcs10CertificateRequest(pem)
    const publicKey = Buffer.from(csr.publicKey.rawData)
    const key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' })
    if (algorithmOf(key) === undefined)
      throw malformed('its key is of a kind that is not supported')
    if (!(await csr.verify())) throw malformed('its signature does not verify')
    return {
      publicKey,
      subject: csr.subjectName,
      extensions: csr.extensions,
      subjectKey: await keyIdentifier(publicKey),
    }
  } catch (error) {
    if (error instanceof AwsError) throw error
    throw malformed('it cannot be parsed')
  }
}

function malformed(why: string): AwsError {
  return new AwsError(
    'MalformedCSRException',
    `The certificate signing request is invalid: ${why}.`,
  )
}
