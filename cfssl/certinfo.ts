import { type Certificate, valuesOf } from '../pki/certificate.ts'
import { pem } from '../pki/pem.ts'
import {
  type Attribute,
  certificateIn,
  goTime,
  hostsOf,
  namesIn,
  signatureName,
} from './describe.ts'
import type { Desk, Request } from './desk.ts'
import { type Answer, Declined, success } from './envelope.ts'
import { blob } from './reading.ts'

/** `certinfo`: what a certificate says. Only one that is sent along: nothing is fetched, and none is remembered here. */
export async function certinfo(request: Request, desk: Desk): Promise<Answer> {
  const given = blob(request, desk)
  const certificate = given.get('certificate')
  if (certificate !== undefined) return success(described(certificateIn(certificate)))
  if (given.has('domain'))
    throw new Declined(400, 'certificates are not fetched from domains here: send the certificate')
  if (given.has('serial') && given.has('authority_key_id'))
    throw new Declined(500, 'cannot lookup certificate from serial without db access', 0)
  throw new Declined(400, 'no valid parameter sets found')
}

/** As certinfo/certinfo.go writes it. */
function described(one: Certificate): unknown {
  const { issuer, subject } = namesIn(one)
  const { dns, addresses } = hostsOf(one)
  const { authorityKey, subjectKey } = valuesOf(one)
  const sans = [...dns, ...addresses]
  return {
    subject: name(subject),
    issuer: name(issuer),
    serial_number: decimal(one.serial),
    ...(sans.length > 0 && { sans }),
    not_before: goTime(one.notBefore.at),
    not_after: goTime(one.notAfter.at),
    sigalg: signatureName(one),
    authority_key_id: colons(authorityKey?.key ?? ''),
    subject_key_id: colons(subjectKey ?? ''),
    pem: pem('CERTIFICATE', one.der),
  }
}

function decimal(serial: Uint8Array): string {
  const value = BigInt(`0x${Buffer.from(serial).toString('hex') || '0'}`)
  return BigInt.asIntN(serial.length * 8, value).toString()
}

/** `AA:BB:CC`. */
function colons(hex: string): string {
  return (hex.toUpperCase().match(/../g) ?? []).join(':')
}

const MEMBERS: Readonly<Record<string, string>> = {
  common_name: '2.5.4.3',
  serial_number: '2.5.4.5',
  country: '2.5.4.6',
  organization: '2.5.4.10',
  organizational_unit: '2.5.4.11',
  locality: '2.5.4.7',
  province: '2.5.4.8',
  street_address: '2.5.4.9',
  postal_code: '2.5.4.17',
}
/** Of several, Go keeps the last one only. */
const SINGLE: ReadonlySet<string> = new Set(['2.5.4.3', '2.5.4.5'])

function name(attributes: readonly Attribute[]): unknown {
  const found: Record<string, unknown> = {}
  for (const [member, id] of Object.entries(MEMBERS)) {
    const values = attributes.filter((one) => one.id === id).map((one) => one.value)
    const text = SINGLE.has(id) ? (values.at(-1) ?? '') : values.join(',')
    if (text !== '') found[member] = text
  }
  if (attributes.length > 0) found['names'] = attributes.map(({ value }) => value)
  return found
}
