import { hash } from 'node:crypto'
import { type Algorithm, algorithm } from './algorithm.ts'
import {
  attempt,
  buffer,
  context,
  type Element,
  expect,
  type Fault,
  inner,
  isFault,
  items,
  Malformed,
  raw,
  TAG,
  whole,
} from './der.ts'
import { type Extension, type Known, known, tagged } from './extensions.ts'
import { type KeyKind, keyKind } from './key.ts'
import { distinguished, type Name } from './names.ts'
import { type Moment, moment } from './time.ts'
import { bits, count, integer, octetBits } from './values.ts'

/** No certificate of more octets is read. */
export const LARGEST = 65_536

/** A certificate, RFC 5280 4.1: its structure was read strictly; `known()` reads the values of its extensions when asked. */
export interface Certificate {
  readonly der: Uint8Array
  /** SHA-256 of the DER, lower-case hex. */
  readonly fingerprint: () => string
  /** 1, 2 or 3. */
  readonly version: number
  /** Content octets of the INTEGER, two's complement. */
  readonly serial: Uint8Array
  readonly issuer: Name
  readonly subject: Name
  readonly notBefore: Moment
  readonly notAfter: Moment
  /** SubjectPublicKeyInfo, DER. */
  readonly key: Uint8Array
  readonly kind: () => KeyKind
  readonly extensions: readonly Extension[]
  /** What is signed, DER. */
  readonly signed: Uint8Array
  readonly algorithm: Algorithm
  /** Whether the algorithm inside what is signed is the one outside (RFC 5280 4.1.1.2). */
  readonly consistent: boolean
  readonly signature: Uint8Array
  /** The values of the extensions, read once. */
  readonly known: () => Known | Fault
}

/** Reads one DER certificate. Hostile bytes give a fault; nothing throws. */
export function parseCertificate(der: Uint8Array): Certificate | Fault {
  if (der.length > LARGEST) return { code: 'TOO_LARGE', at: LARGEST }
  return attempt(() => certificate(der))
}

function certificate(der: Uint8Array): Certificate {
  const [tbs, outer, value, ...more] = items(whole(der))
  if (tbs === undefined || outer === undefined || more.length > 0) throw new Malformed(0)
  const fields = items(tbs)
  const version = versionOf(fields)
  const [serial, signing, issuer, validity, subject, key, ...rest] = fields
  const [notBefore, notAfter, ...other] = items(validity)
  if (other.length > 0 || signing === undefined) throw new Malformed(tbs.start)
  const { extensions } = optional(rest, version, tbs)
  const spki = raw(expect(key, TAG.sequence))
  return {
    der,
    fingerprint: once(() => hash('sha256', buffer(der), 'hex')),
    version,
    serial: integer(serial),
    issuer: distinguished(issuer),
    subject: distinguished(subject),
    notBefore: moment(notBefore),
    notAfter: moment(notAfter),
    key: spki,
    kind: once(() => keyKind(spki)),
    extensions,
    signed: raw(tbs),
    algorithm: algorithm(outer),
    consistent: Buffer.compare(raw(signing), raw(outer)) === 0,
    signature: octetBits(value),
    known: once(() => attempt(() => known(extensions), 'EXTENSION_INVALID')),
  }
}

/** A value that is made when it is asked for first. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => {
    made ??= { value: make() }
    return made.value
  }
}

/** Takes the version off the front; version 1 is a default, which DER leaves out. */
function versionOf(fields: Element[]): number {
  const [first] = fields
  if (first === undefined || first.tag !== context(0, true)) return 1
  fields.shift()
  const version = count(inner(first)) + 1
  if (version !== 2 && version !== 3) throw new Malformed(first.start)
  return version
}

/** What may follow the key: unique identifiers (version 2 on), extensions (version 3), in this order. */
function optional(rest: readonly Element[], version: number, tbs: Element) {
  let left = rest
  for (const number of [1, 2]) {
    const [next] = left
    if (next === undefined || next.tag !== context(number)) continue
    if (version < 2) throw new Malformed(next.start)
    bits(next, next.tag)
    left = left.slice(1)
  }
  const [last, ...more] = left
  if (more.length > 0) throw new Malformed(tbs.start)
  if (last !== undefined && (version !== 3 || last.tag !== context(3, true)))
    throw new Malformed(last.start)
  return { extensions: tagged(last) }
}

/** The values of the extensions; empty ones when they cannot be read, which `rules` reports. */
export function valuesOf(one: Certificate): Known {
  const values = one.known()
  return isFault(values) ? {} : values
}

/** Whether subject and issuer are the same name (RFC 5280 3.2: self-issued). */
export function selfIssued({ subject, issuer }: Certificate): boolean {
  return (
    subject.keys.length === issuer.keys.length &&
    subject.keys.every((key, index) => key === issuer.keys[index])
  )
}

/** The serial as lower-case hex without leading zeros, with a minus sign when it is negative. */
export function serialText({ serial }: Pick<Certificate, 'serial'>): string {
  const text = Buffer.from(serial).toString('hex')
  const plain = text.replace(/^0+(?=.)/, '')
  return (serial[0] ?? 0) >= 0x80 ? `-${plain}` : plain
}
