import type { CertificatePolicy, Profile, Whitelist } from '../authority/policy.ts'
import { BadField, Fields, names } from './fields.ts'
import type { Given } from './given.ts'

const CA = names('is_ca', 'max_path_len', 'max_path_len_zero')

/** A path length of 0 counts only with `max_path_len_zero`. */
export function constraint(fields: Fields, { unknown }: Given): Profile['ca'] {
  const ca = new Fields(fields.get('ca_constraint') ?? {}, fields.at('ca_constraint'), CA, unknown)
  const length = ca.count('max_path_len')
  const zero = ca.flag('max_path_len_zero')
  if (!ca.flag('is_ca')) return undefined
  if (length < 0) throw new BadField(ca.at('max_path_len'), 'has to be 0 or more')
  return length > 0 || zero ? { pathLength: length } : {}
}

const CSR = names(
  'Subject',
  'PublicKeyAlgorithm',
  'PublicKey',
  'SignatureAlgorithm',
  'DNSNames',
  'IPAddresses',
  'EmailAddresses',
  'URIs',
)

export function whitelist(fields: Fields, { unknown }: Given): Whitelist | undefined {
  if (!fields.has('CSRWhitelist')) return undefined
  const csr = new Fields(fields.get('CSRWhitelist'), fields.at('CSRWhitelist'), CSR, unknown)
  return {
    subject: csr.flag('Subject'),
    publicKeyAlgorithm: csr.flag('PublicKeyAlgorithm'),
    publicKey: csr.flag('PublicKey'),
    signatureAlgorithm: csr.flag('SignatureAlgorithm'),
    dnsNames: csr.flag('DNSNames'),
    ipAddresses: csr.flag('IPAddresses'),
    emailAddresses: csr.flag('EmailAddresses'),
    uris: csr.flag('URIs'),
  }
}

const POLICY = names('ID', 'Qualifiers')
const QUALIFIER = names('Type', 'Value')
const TYPES: ReadonlyMap<string, 'cps' | 'notice'> = new Map([
  ['id-qt-cps', 'cps'],
  ['id-qt-unotice', 'notice'],
])

export function policies(fields: Fields, { unknown }: Given): readonly CertificatePolicy[] {
  return fields.list('Policies').map((value, index) => {
    const one = new Fields(value, `${fields.at('Policies')}[${index}]`, POLICY, unknown)
    const qualifiers = one.list('Qualifiers').map((each, at) => {
      const qualifier = new Fields(each, `${one.at('Qualifiers')}[${at}]`, QUALIFIER, unknown)
      const type = TYPES.get(qualifier.text('Type'))
      if (type === undefined)
        throw new BadField(qualifier.at('Type'), 'invalid policy qualifier type')
      return { type, value: qualifier.text('Value') }
    })
    return { oid: oidAt(one.text('ID'), one.at('ID')), qualifiers }
  })
}

const OID = /^(?:[01]\.(?:[0-9]|[1-3][0-9])|2\.(?:0|[1-9]\d{0,9}))(?:\.(?:0|[1-9]\d{0,9}))*$/

/** @throws BadField when the text is no object identifier (X.660) */
export function oidAt(text: string, path: string): string {
  if (!OID.test(text)) throw new BadField(path, 'has to be an OID, like 1.3.6.1.4.1.99999.1')
  return text
}
