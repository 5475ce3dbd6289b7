import '../../local/x509/reflect.ts'
import * as x509 from '@peculiar/x509'
import { algorithmOf, signer, usual } from '../../local/x509/algorithms.ts'
import { type Authority, pem } from '../../local/x509/x509.ts'

const DAY = 86_400_000

/** A revocation list of a CA, PEM, valid from yesterday until tomorrow unless wished otherwise; serials are hex. */
export async function revoke(
  ca: Authority,
  serials: readonly string[],
  { from = Date.now() - DAY, until = Date.now() + DAY } = {},
): Promise<string> {
  const signing = usual(algorithmOf(ca.key) ?? 'EC_prime256v1')
  const { privateKey, parameters } = signer(ca.key, signing)
  const issuer = new x509.X509Certificate(ca.certificate).subject
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
    signingAlgorithm: parameters,
    signingKey: privateKey,
  })
  return `${pem(crl.rawData, 'X509 CRL')}\n`
}
