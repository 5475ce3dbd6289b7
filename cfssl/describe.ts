import { type Certificate, parseCertificate, valuesOf } from '../pki/certificate.ts'
import { attributes } from '../pki/csr.ts'
import { attempt, type Element, enter, isFault, items, whole, wrapped } from '../pki/der.ts'
import { type GeneralName, generalName } from '../pki/names.ts'
import { oid } from '../pki/values.ts'
import { pemBlock } from './block.ts'
import { Declined } from './envelope.ts'

/** An attribute of a name: its OID, and its value as text. */
export interface Attribute {
  readonly id: string
  readonly value: string
}

/** The attributes of issuer and subject, in their order. */
export function namesIn({ signed, version }: Certificate): {
  readonly issuer: readonly Attribute[]
  readonly subject: readonly Attribute[]
} {
  const found = attempt(() => {
    const fields = enter(whole(signed))
    if (version > 1) fields.next()
    fields.next() // serial
    fields.next() // algorithm
    const issuer = told(fields.next())
    fields.next() // validity
    return { issuer, subject: told(fields.next()) }
  })
  return isFault(found) ? { issuer: [], subject: [] } : found
}

function told(name: Element): readonly Attribute[] {
  return attributes(name).map(({ id, text = '' }) => ({ id, value: text }))
}

/** CFSSL's names of signature algorithms (helpers/helpers.go, SignatureString), by OID. */
const SIGNATURES: Readonly<Record<string, string>> = {
  '1.2.840.113549.1.1.4': 'MD5WithRSA',
  '1.2.840.113549.1.1.5': 'SHA1WithRSA',
  '1.2.840.113549.1.1.11': 'SHA256WithRSA',
  '1.2.840.113549.1.1.12': 'SHA384WithRSA',
  '1.2.840.113549.1.1.13': 'SHA512WithRSA',
  '1.2.840.10045.4.1': 'ECDSAWithSHA1',
  '1.2.840.10045.4.3.2': 'ECDSAWithSHA256',
  '1.2.840.10045.4.3.3': 'ECDSAWithSHA384',
  '1.2.840.10045.4.3.4': 'ECDSAWithSHA512',
  '1.3.101.112': 'Ed25519',
}

export function signatureName({ algorithm }: Certificate): string {
  return SIGNATURES[algorithm.id] ?? 'Unknown Signature'
}

/** DNS names of a certificate, then its addresses: what CFSSL calls its SANs. */
export function hostsOf(one: Certificate): {
  readonly dns: string[]
  readonly addresses: string[]
} {
  const { names = [] } = valuesOf(one)
  return {
    dns: names.flatMap((name) => (name.form === 'dns' ? [name.value] : [])),
    addresses: names.flatMap((name) => (name.form === 'ip' ? [addressOf(name)] : [])),
  }
}

function addressOf({ value }: Extract<GeneralName, { form: 'ip' }>): string {
  if (value.length === 4) return value.join('.')
  const groups =
    Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex').match(/.{4}/g) ?? []
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1) // in its short form, RFC 5952
}

const ACCESS = '1.3.6.1.5.5.7.1.1'
const OCSP = '1.3.6.1.5.5.7.48.1'

/** The URLs of OCSP responders (RFC 5280 4.2.2.1). */
export function respondersOf({ extensions }: Certificate): readonly string[] {
  const access = extensions.find(({ id }) => id === ACCESS)
  if (access === undefined) return []
  const found = attempt(() =>
    items(wrapped(access.value)).flatMap((one) => {
      const fields = enter(one)
      const method = oid(fields.next())
      const place = generalName(fields.next())
      return method === OCSP && place.form === 'uri' ? [place.value] : []
    }),
  )
  return isFault(found) ? [] : found
}

/** Go's form of a time: RFC 3339 without a fraction. */
export function goTime(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19)}Z`
}

/** The one certificate of a text, as CFSSL reads it. @throws Declined 1002, 1003 */
export function certificateIn(pem: string): Certificate {
  const block = pemBlock(pem.trim())
  if (block === undefined) throw new Declined(400, 'Failed to decode certificate', 1002)
  const found = parseCertificate(block.der)
  if (isFault(found)) throw new Declined(400, 'Failed to parse certificate', 1003)
  if (pem.trim().slice(block.end).trim() !== '')
    throw new Declined(400, 'the PEM file should contain only one object', 1003)
  return found
}
