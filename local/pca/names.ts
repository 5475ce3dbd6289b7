import '../x509/reflect.ts'
import * as x509 from '@peculiar/x509'
import * as v from 'valibot'
import { AwsError } from '../service.ts'

/** Members of ASN1Subject in the order in which Private CA writes them, with their OID (RFC 4519, RFC 5280 A.1). */
const ATTRIBUTES = {
  Country: { oid: '2.5.4.6', printable: true, longest: 2 },
  Organization: { oid: '2.5.4.10', longest: 64 },
  OrganizationalUnit: { oid: '2.5.4.11', longest: 64 },
  DistinguishedNameQualifier: { oid: '2.5.4.46', printable: true, longest: 64 },
  State: { oid: '2.5.4.8', longest: 128 },
  CommonName: { oid: '2.5.4.3', longest: 64 },
  SerialNumber: { oid: '2.5.4.5', printable: true, longest: 64 },
  Locality: { oid: '2.5.4.7', longest: 128 },
  Title: { oid: '2.5.4.12', longest: 64 },
  Surname: { oid: '2.5.4.4', longest: 40 },
  GivenName: { oid: '2.5.4.42', longest: 16 },
  Initials: { oid: '2.5.4.43', longest: 5 },
  Pseudonym: { oid: '2.5.4.65', longest: 128 },
  GenerationQualifier: { oid: '2.5.4.44', longest: 3 },
} as const

const text = (longest: number) => v.optional(v.pipe(v.string(), v.maxLength(longest)))
const oid = v.pipe(v.string(), v.maxLength(64), v.regex(/^[0-2](\.\d+)+$/))

/** ASN1Subject: https://docs.aws.amazon.com/privateca/latest/APIReference/API_ASN1Subject.html */
export const asn1Subject = v.object({
  Country: v.optional(v.pipe(v.string(), v.regex(/^[A-Za-z]{2}$/))),
  Organization: text(ATTRIBUTES.Organization.longest),
  OrganizationalUnit: text(ATTRIBUTES.OrganizationalUnit.longest),
  DistinguishedNameQualifier: text(ATTRIBUTES.DistinguishedNameQualifier.longest),
  State: text(ATTRIBUTES.State.longest),
  CommonName: text(ATTRIBUTES.CommonName.longest),
  SerialNumber: text(ATTRIBUTES.SerialNumber.longest),
  Locality: text(ATTRIBUTES.Locality.longest),
  Title: text(ATTRIBUTES.Title.longest),
  Surname: text(ATTRIBUTES.Surname.longest),
  GivenName: text(ATTRIBUTES.GivenName.longest),
  Initials: text(ATTRIBUTES.Initials.longest),
  Pseudonym: text(ATTRIBUTES.Pseudonym.longest),
  GenerationQualifier: text(ATTRIBUTES.GenerationQualifier.longest),
  CustomAttributes: v.optional(
    v.pipe(
      v.array(v.object({ ObjectIdentifier: oid, Value: v.pipe(v.string(), v.maxLength(256)) })),
      v.minLength(1),
      v.maxLength(150),
    ),
  ),
})
export type Asn1Subject = v.InferOutput<typeof asn1Subject>

/** @throws AwsError InvalidArgsException when custom attributes are mixed with the standard ones. */
export function distinguishedName(subject: Asn1Subject): x509.Name {
  const { CustomAttributes: custom, ...standard } = subject
  const rdns = entries(standard).map(([name, value]) => {
    const attribute = ATTRIBUTES[name]
    const printable = 'printable' in attribute
    return { [attribute.oid]: [printable ? { printableString: value } : { utf8String: value }] }
  })
  if (custom === undefined) return new x509.Name(rdns)
  if (rdns.length > 0) {
    throw new AwsError(
      'InvalidArgsException',
      'CustomAttributes cannot be used together with standard attributes.',
    )
  }
  return new x509.Name(
    custom.map(({ ObjectIdentifier, Value }) => ({ [ObjectIdentifier]: [{ utf8String: Value }] })),
  )
}

type Standard = Omit<Asn1Subject, 'CustomAttributes'>

function entries(subject: Standard): [keyof typeof ATTRIBUTES, string][] {
  return keys().flatMap((name) => {
    const value = subject[name]
    return value === undefined ? [] : [[name, value]]
  })
}

function keys(): (keyof typeof ATTRIBUTES)[] {
  const known = (name: string): name is keyof typeof ATTRIBUTES => name in ATTRIBUTES
  return Object.keys(ATTRIBUTES).filter(known)
}

/** GeneralName: exactly one member; OtherName and EdiPartyName are not imitated. */
export const generalName = v.pipe(
  v.object({
    DnsName: text(253),
    UniformResourceIdentifier: text(253),
    IpAddress: text(39),
    Rfc822Name: text(256),
    RegisteredId: v.optional(oid),
    DirectoryName: v.optional(asn1Subject),
  }),
  v.check(
    (name) => Object.values(name).filter((value) => value !== undefined).length === 1,
    'Member must have exactly one of DnsName, UniformResourceIdentifier, IpAddress, Rfc822Name, RegisteredId, DirectoryName',
  ),
)

/** One general name as the X.509 library wants it. */
export function jsonName(name: v.InferOutput<typeof generalName>): x509.JsonGeneralName {
  if (name.DnsName !== undefined) return { type: 'dns', value: name.DnsName }
  if (name.UniformResourceIdentifier !== undefined)
    return { type: 'url', value: name.UniformResourceIdentifier }
  if (name.IpAddress !== undefined) return { type: 'ip', value: name.IpAddress }
  if (name.Rfc822Name !== undefined) return { type: 'email', value: name.Rfc822Name }
  if (name.RegisteredId !== undefined) return { type: 'id', value: name.RegisteredId }
  return { type: 'dn', value: distinguishedName(name.DirectoryName ?? {}).toString() }
}
