import type { SigningRequest, Subject, Wanted } from '../authority/request.ts'
import { pemBlock } from './block.ts'
import { date } from './duration.ts'
import { Declined } from './envelope.ts'
import { BadField, Fields, names } from './fields.ts'
import { namedFields, plainName } from './named.ts'

/** What `sign` and `authsign` are asked, before a profile says what of it counts. */
export interface Asked {
  readonly label: string
  readonly profile: string
  /** PEM; empty when it is missing. */
  readonly csr: string
  readonly bundle: boolean
  readonly precert: boolean
  readonly rest: Omit<SigningRequest, 'csr' | 'profile'>
}

const SIGN = names(
  'hostname',
  'hosts',
  'certificate_request',
  'subject',
  'profile',
  'label',
  'serial',
  'bundle',
  'crl_override',
  'extensions',
  'NotBefore',
  'NotAfter',
  'ReturnPrecert',
  'metadata',
)

/** The fields of a signing request: those of `cfssl serve`, and those that only multirootca reads. @throws BadField */
export function asked(value: unknown): Asked {
  const fields = new Fields(value, '', SIGN)
  const crlUrl = fields.text('crl_override')
  const serial = fields.integer('serial')
  const subject = fields.has('subject') ? subjectOf(fields.get('subject')) : undefined
  const hosts = hostsOf(fields)
  const extensions = fields.list('extensions').map(extension)
  const notBefore = dateOf(fields, 'NotBefore')
  const notAfter = dateOf(fields, 'NotAfter')
  return {
    label: fields.text('label'),
    profile: fields.text('profile'),
    csr: fields.text('certificate_request'),
    bundle: fields.flag('bundle'),
    precert: fields.flag('ReturnPrecert'),
    rest: {
      ...(crlUrl !== '' && { crlUrl }),
      ...(serial !== undefined && { serial }),
      ...(subject !== undefined && { subject }),
      ...(hosts !== undefined && { hosts }),
      ...(extensions.length > 0 && { extensions }),
      ...(notBefore !== undefined && { notBefore }),
      ...(notAfter !== undefined && { notAfter }),
    },
  }
}

/** The PKCS#10 request of PEM, DER. @throws Declined with CFSSL's codes */
export function csrOf(pem: string): Uint8Array {
  const block = pemBlock(pem)
  if (block === undefined) throw new Declined(400, 'CSR Decode failed', 9002)
  if (block.label !== 'CERTIFICATE REQUEST' && block.label !== 'NEW CERTIFICATE REQUEST')
    throw new Declined(400, 'not a csr', 9300)
  return block.der
}

/** `hostname` wins over `hosts`; an empty list is a list: it takes every name away. */
function hostsOf(fields: Fields): readonly string[] | undefined {
  const hosts = fields.has('hosts') ? fields.texts('hosts') : undefined
  const hostname = fields.text('hostname')
  return hostname === '' ? hosts : hostname.split(',')
}

const SUBJECT = names('CN', 'names', 'SerialNumber')

function subjectOf(value: unknown): Subject {
  const fields = new Fields(value, 'subject', SUBJECT)
  return {
    commonName: fields.text('CN'),
    serialNumber: fields.text('SerialNumber'),
    // email, serial number and OIDs count for nothing here, as with CFSSL
    names: fields
      .list('names')
      .map((name, at) => plainName(namedFields(name, `subject.names[${at}]`))),
  }
}

const EXTENSION = names('id', 'critical', 'value')
const HEX = /^(?:[0-9a-fA-F]{2})*$/

function extension(value: unknown, at: number): Wanted {
  const fields = new Fields(value, `extensions[${at}]`, EXTENSION)
  const hex = fields.text('value')
  if (!HEX.test(hex)) throw new BadField(fields.at('value'), 'has to be hex')
  return {
    oid: fields.text('id'),
    critical: fields.flag('critical'),
    value: Buffer.from(hex, 'hex'),
  }
}

function dateOf(fields: Fields, name: string): number | undefined {
  const text = fields.text(name)
  const found = text === '' ? 'none' : date(text)
  if (found === undefined) throw new BadField(name, 'has to be a date of RFC 3339')
  return found === 'none' ? undefined : found
}
