import * as v from 'valibot'
import { bytes } from '../fields.ts'
import { AwsError, type Operation, operation, type World } from '../service.ts'
import { tokens } from '../tokens.ts'
import { SIGNING_ALGORITHMS } from '../x509/algorithms.ts'
import { type Ca, type Issued, permit, type Roster } from './authorities.ts'
import { issue } from './issuance.ts'
import { apiPassthrough } from './passthrough.ts'
import { DEFAULT_TEMPLATE, template } from './templates.ts'
import { validity } from './validity.ts'

const arn = v.pipe(v.string(), v.minLength(5), v.maxLength(200))

const issuance = v.object({
  CertificateAuthorityArn: arn,
  Csr: bytes(32_768),
  SigningAlgorithm: v.picklist(SIGNING_ALGORITHMS),
  Validity: validity,
  ValidityNotBefore: v.optional(validity),
  TemplateArn: v.optional(v.string(), DEFAULT_TEMPLATE),
  ApiPassthrough: v.optional(apiPassthrough),
  IdempotencyToken: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(36))),
})

const revocation = v.object({
  CertificateAuthorityArn: arn,
  CertificateSerial: v.pipe(v.string(), v.maxLength(128), v.regex(/^[0-9A-Fa-f:]+$/)),
  RevocationReason: v.picklist([
    'UNSPECIFIED',
    'KEY_COMPROMISE',
    'CERTIFICATE_AUTHORITY_COMPROMISE',
    'AFFILIATION_CHANGED',
    'SUPERSEDED',
    'CESSATION_OF_OPERATION',
    'PRIVILEGE_WITHDRAWN',
    'A_A_COMPROMISE',
  ]),
})

/** The operations on the certificates that a CA issues. */
export function certificateOperations(
  { clock, has, call: reach }: Pick<World, 'call' | 'clock' | 'has'>,
  roster: Roster,
  /** Milliseconds until GetCertificate has it. */
  delay: number,
): Readonly<Record<string, Operation>> {
  const requested = tokens<string>(clock, 5 * 60_000)
  return {
    IssueCertificate: operation(issuance, async (input, call) => {
      const ca = roster.find(input.CertificateAuthorityArn, call)
      permit(ca, call)
      const asked = {
        csr: input.Csr.toString('utf8'),
        signing: input.SigningAlgorithm,
        validity: input.Validity,
        notBefore: input.ValidityNotBefore,
        template: template(input.TemplateArn),
        passthrough: input.ApiPassthrough,
      }
      const token = input.IdempotencyToken && `${ca.arn} ${input.IdempotencyToken}`
      const made = await requested.once(token, async () => {
        const issued = await issue(ca, asked, clock.now(), delay)
        ca.issued.set(issued.arn, issued)
        return issued.arn
      })
      return { CertificateArn: made }
    }),

    GetCertificate: operation(
      v.object({ CertificateAuthorityArn: arn, CertificateArn: arn }),
      (input, call) => {
        const ca = roster.find(input.CertificateAuthorityArn, call)
        permit(ca, call)
        roster.expect(ca, 'PENDING_CERTIFICATE', 'ACTIVE', 'DISABLED', 'EXPIRED')
        const issued = ca.issued.get(input.CertificateArn)
        if (issued === undefined) {
          throw new AwsError(
            'ResourceNotFoundException',
            `Could not find certificate ${input.CertificateArn}`,
          )
        }
        if (clock.now() < issued.readyAt) {
          throw new AwsError(
            'RequestInProgressException',
            'The request to issue the certificate is still in progress. Try again later.',
          )
        }
        return {
          Certificate: issued.certificate,
          ...(issued.chain.length > 0 && { CertificateChain: issued.chain.join('\n') }),
        }
      },
    ),

    RevokeCertificate: operation(revocation, async (input, call) => {
      const ca = roster.find(input.CertificateAuthorityArn, call)
      roster.expect(ca, 'ACTIVE', 'DISABLED', 'EXPIRED')
      const issued = bySerial(ca, input.CertificateSerial)
      issued.revokedAt = clock.now()
      if (!has('acm')) return {}
      const Serial = issued.serial.replaceAll(':', '')
      const told = { CertificateAuthorityArn: ca.arn, Serial, Reason: input.RevocationReason }
      await reach('acm', 'NoteRevocation', told, { region: call.region, unrecorded: true })
      return {}
    }),
  }
}

/** @throws AwsError ResourceNotFoundException, InvalidRequestException, RequestAlreadyProcessedException */
function bySerial(ca: Ca, serial: string): Issued {
  const digits = (text: string) => text.replaceAll(':', '').replace(/^0+/, '').toLowerCase()
  const issued = [...ca.issued.values()].find((one) => digits(one.serial) === digits(serial))
  if (issued === undefined) {
    throw new AwsError(
      'ResourceNotFoundException',
      `Could not find a certificate with serial ${serial}`,
    )
  }
  if (issued.selfSigned) {
    throw new AwsError('InvalidRequestException', 'A self-signed certificate cannot be revoked.')
  }
  if (issued.revokedAt !== undefined) {
    throw new AwsError(
      'RequestAlreadyProcessedException',
      'The certificate has already been revoked.',
    )
  }
  return issued
}
