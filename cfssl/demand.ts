import type { Subject, SubjectName } from '../authority/request.ts'
import { Declined } from './envelope.ts'
import { BadField, Fields, names } from './fields.ts'
import { namedFields, plainName } from './named.ts'

/** CFSSL's CertificateRequest: what `newkey`, `newcert` and `init_ca` are asked (csr/csr.go). */
export interface Demand {
  readonly subject: Subject
  readonly hosts: readonly string[]
  readonly key: KeyDemand
  readonly ca?: CaDemand
  readonly crlUrl: string
}

export type KeyDemand =
  | { readonly algorithm: 'rsa' | 'ecdsa'; readonly size: number }
  | { readonly algorithm: 'ed25519' }

export interface CaDemand {
  readonly pathLength: number
  readonly pathLengthZero: boolean
  /** Durations of Go; empty: the default. */
  readonly expiry: string
  readonly backdate: string
}

const DEMAND = names(
  'CN',
  'names',
  'hosts',
  'key',
  'ca',
  'serialnumber',
  'delegation_enabled',
  'extensions',
  'crl_url',
)
const CA = names('pathlen', 'pathlenzero', 'expiry', 'backdate')

/** @throws BadField, Declined with CFSSL's codes for keys */
export function demand(value: unknown, path = ''): Demand {
  const fields = new Fields(value, path, DEMAND)
  if (fields.flag('delegation_enabled') || fields.list('extensions').length > 0)
    throw new BadField(
      fields.at('extensions'),
      'is not supported: make the CSR yourself and use sign',
    )
  return {
    subject: {
      commonName: fields.text('CN'),
      serialNumber: fields.text('serialnumber'),
      names: fields.list('names').map((one, at) => nameOf(one, `${fields.at('names')}[${at}]`)),
    },
    hosts: fields.texts('hosts'),
    key: keyOf(fields),
    crlUrl: fields.text('crl_url'),
    ...(fields.has('ca') && { ca: caOf(fields) }),
  }
}

function caOf(fields: Fields): CaDemand {
  const ca = new Fields(fields.get('ca'), fields.at('ca'), CA)
  return {
    pathLength: ca.count('pathlen'),
    pathLengthZero: ca.flag('pathlenzero'),
    expiry: ca.text('expiry'),
    backdate: ca.text('backdate'),
  }
}

function nameOf(value: unknown, path: string): SubjectName {
  const fields = namedFields(value, path)
  const others: Record<string, string> = {}
  for (const [oid, text] of fields.entries('OID')) {
    if (typeof text !== 'string') throw new BadField(fields.at('OID'), 'has to hold text')
    others[oid] = text
  }
  return { ...plainName(fields), email: fields.text('E'), others }
}

const KEY = names('algo', 'size')
const CURVES: ReadonlySet<number> = new Set([256, 384, 521])

/** @throws Declined 2400, as CFSSL when it cannot make the key */
function keyOf(fields: Fields): KeyDemand {
  if (!fields.has('key')) return { algorithm: 'ecdsa', size: 256 }
  const key = new Fields(fields.get('key'), fields.at('key'), KEY)
  const algorithm = key.has('algo') ? key.text('algo') : 'ecdsa'
  const size = key.has('size') ? key.count('size') : 256
  const refuse = (message: string) => new Declined(400, message, 2400)
  if (algorithm === 'ed25519') return { algorithm }
  if (algorithm === 'ecdsa') {
    if (!CURVES.has(size)) throw refuse('invalid curve')
    return { algorithm, size }
  }
  if (algorithm !== 'rsa') throw refuse('invalid algorithm')
  if (size < 2_048) throw refuse('RSA key is too weak')
  if (size > 8_192) throw refuse('RSA key size too large')
  return { algorithm, size }
}
