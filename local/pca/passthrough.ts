import '../x509/reflect.ts'
import * as x509 from '@peculiar/x509'
import * as v from 'valibot'
import { PURPOSES } from '../x509/x509.ts'
import { asn1Subject, generalName, jsonName } from './names.ts'

const oid = v.pipe(v.string(), v.maxLength(64), v.regex(/^[0-2](\.\d+)+$/))

const PURPOSE_TYPES = {
  SERVER_AUTH: PURPOSES.serverAuth,
  CLIENT_AUTH: PURPOSES.clientAuth,
  CODE_SIGNING: PURPOSES.codeSigning,
  EMAIL_PROTECTION: PURPOSES.emailProtection,
  TIME_STAMPING: PURPOSES.timeStamping,
  OCSP_SIGNING: PURPOSES.ocspSigning,
  SMART_CARD_LOGIN: '1.3.6.1.4.1.311.20.2.2',
  DOCUMENT_SIGNING: '1.3.6.1.4.1.311.10.3.12',
  CERTIFICATE_TRANSPARENCY: '1.3.6.1.4.1.11129.2.4.4',
} as const

const flag = v.optional(v.boolean(), false)
const keyUsage = v.object({
  DigitalSignature: flag,
  NonRepudiation: flag,
  KeyEncipherment: flag,
  DataEncipherment: flag,
  KeyAgreement: flag,
  KeyCertSign: flag,
  CRLSign: flag,
  EncipherOnly: flag,
  DecipherOnly: flag,
})

/** ApiPassthrough: https://docs.aws.amazon.com/privateca/latest/APIReference/API_ApiPassthrough.html */
export const apiPassthrough = v.object({
  Subject: v.optional(asn1Subject),
  Extensions: v.optional(
    v.object({
      CertificatePolicies: v.optional(v.array(v.object({ CertPolicyId: oid }))),
      ExtendedKeyUsage: v.optional(
        v.array(
          v.union([
            v.object({
              ExtendedKeyUsageType: v.picklist([
                'SERVER_AUTH',
                'CLIENT_AUTH',
                'CODE_SIGNING',
                'EMAIL_PROTECTION',
                'TIME_STAMPING',
                'OCSP_SIGNING',
                'SMART_CARD_LOGIN',
                'DOCUMENT_SIGNING',
                'CERTIFICATE_TRANSPARENCY',
              ]),
            }),
            v.object({ ExtendedKeyUsageObjectIdentifier: oid }),
          ]),
        ),
      ),
      KeyUsage: v.optional(keyUsage),
      SubjectAlternativeNames: v.optional(v.pipe(v.array(generalName), v.maxLength(150))),
      CustomExtensions: v.optional(
        v.array(
          v.object({
            ObjectIdentifier: oid,
            Value: v.pipe(v.string(), v.base64()),
            Critical: flag,
          }),
        ),
      ),
    }),
  ),
})
export type ApiPassthrough = v.InferOutput<typeof apiPassthrough>

/** The extensions that a request asks for besides its CSR. */
export function requested(passthrough: ApiPassthrough | undefined): x509.Extension[] {
  const asked = passthrough?.Extensions
  if (asked === undefined) return []
  const { CertificatePolicies, ExtendedKeyUsage, KeyUsage, SubjectAlternativeNames } = asked
  const made: x509.Extension[] = []
  if (KeyUsage !== undefined) made.push(new x509.KeyUsagesExtension(flags(KeyUsage), true))
  if (ExtendedKeyUsage !== undefined) {
    const oids = ExtendedKeyUsage.map((usage) =>
      'ExtendedKeyUsageType' in usage
        ? PURPOSE_TYPES[usage.ExtendedKeyUsageType]
        : usage.ExtendedKeyUsageObjectIdentifier,
    )
    made.push(new x509.ExtendedKeyUsageExtension(oids))
  }
  if (SubjectAlternativeNames !== undefined) {
    made.push(new x509.SubjectAlternativeNameExtension(SubjectAlternativeNames.map(jsonName)))
  }
  if (CertificatePolicies !== undefined) {
    const policies = CertificatePolicies.map(({ CertPolicyId }) => CertPolicyId)
    made.push(new x509.CertificatePolicyExtension(policies))
  }
  for (const { ObjectIdentifier, Critical, Value } of asked.CustomExtensions ?? []) {
    made.push(new x509.Extension(ObjectIdentifier, Critical, Buffer.from(Value, 'base64')))
  }
  return made
}

function flags(usage: v.InferOutput<typeof keyUsage>): number {
  const bits = x509.KeyUsageFlags
  const pairs: readonly [boolean, number][] = [
    [usage.DigitalSignature, bits.digitalSignature],
    [usage.NonRepudiation, bits.nonRepudiation],
    [usage.KeyEncipherment, bits.keyEncipherment],
    [usage.DataEncipherment, bits.dataEncipherment],
    [usage.KeyAgreement, bits.keyAgreement],
    [usage.KeyCertSign, bits.keyCertSign],
    [usage.CRLSign, bits.cRLSign],
    [usage.EncipherOnly, bits.encipherOnly],
    [usage.DecipherOnly, bits.decipherOnly],
  ]
  return pairs.reduce((sum, [set, bit]) => (set ? sum | bit : sum), 0)
}
