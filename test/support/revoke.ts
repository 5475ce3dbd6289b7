import '../../local/x509/reflect.ts'
import * as x509 from '@peculiar/x509'
import { algorithmOf, signer, usual } from '../../local/x509/algorithms.ts'
import { type Authority, pem } from '../../local/x509/x509.ts'

const DAY = 86_400_000

/** A revocation list of a CA, PEM, valid from yesterday until tomorrow and without a number unless wished otherwise; serials are hex. */
export async function revoke(
  ca: Authority,
  serials: readonly string[],
  {
    from = Date.now() - DAY,
    until = Date.now() + DAY,
    number,
    key,
  }: {
    readonly from?: number
    readonly until?: number
    readonly number?: number
    /** For the authority key identifier, hex. */
    readonly key?: string
  } = {},
): Promise<string> {
  const signing = usual(algorithmOf(ca.key) ?? 'EC_prime256v1')
  const { privateKey, parameters } = signer(ca.key, signing)
  const issuer = new x509.X509Certificate(ca.certificate).subject
  const extensions = [
    ...(number === undefined ? [] : [numbered(number)]),
    ...(key === undefined ? [] : [new x509.AuthorityKeyIdentifierExtension(key)]),
  ]
  const crl = await x509.X509CrlGenerator.create({
    issuer,
    thisUpdate: new Date(from),
    nextUpdate: new Date(until),
    // without a reason the generator writes an empty list of extensions, which RFC 5280 5.1 does not allow
    entries: serials.map((serialNumber) => ({
      serialNumber,
      revocationDate: new Date(from),
      reason: x509.X509CrlReason.keyCompromise,
    })),
    ...(extensions.length > 0 && { extensions }),
    signingAlgorithm: parameters,
    signingKey: privateKey,
  })
  return `${pem(crl.rawData, 'X509 CRL')}\n`
}

/** The CRL number, RFC 5280 5.2.3. */
function numbered(number: number): x509.Extension {
  const digits = number.toString(16)
  const even = digits.length % 2 === 0 ? digits : `0${digits}`
  const octets = Buffer.from(
    Number.parseInt(even.slice(0, 2), 16) >= 0x80 ? `00${even}` : even,
    'hex',
  )
  return new x509.Extension('2.5.29.20', false, Buffer.from([2, octets.length, ...octets]))
}
