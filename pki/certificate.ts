import { hash, type KeyObject } from 'node:crypto'
import { type Algorithm, algorithm } from './algorithm.ts'
import {
  attempt,
  buffer,
  type Cursor,
  content,
  context,
  type Element,
  enter,
  type Fault,
  identical,
  inner,
  isFault,
  Malformed,
  raw,
  TAG,
  whole,
} from './der.ts'
import { type Extension, type Known, known, nothing, tagged } from './extensions.ts'
import { type KeyKind, keyKind, openKey, signedBy, signedOfOld } from './key.ts'
import { distinguished, type Name, sameName } from './names.ts'
import { type Moment, moment } from './time.ts'
import { count, octetsOf, shortest, unusedBits, wholeOctets } from './values.ts'

/** No certificate of more octets is read. */
export const LARGEST = 65_536

/** A certificate, RFC 5280 4.1: its structure was read strictly; `known()` reads the values of its extensions when asked. */
export interface Certificate {
  readonly der: Uint8Array
  /** SHA-256 of the DER, lower-case hex. */
  fingerprint(): string
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
  kind(): KeyKind
  /** The key for node:crypto; `undefined` when it takes it for none. */
  opened(): KeyObject | undefined
  /** Whether it is signed by its own key, whatever the names say; with RSA and SHA-1 too. */
  ownSignature(): boolean
  readonly extensions: readonly Extension[]
  /** What is signed, DER. */
  readonly signed: Uint8Array
  readonly algorithm: Algorithm
  /** Whether the algorithm inside what is signed is the one outside (RFC 5280 4.1.1.2). */
  readonly consistent: boolean
  readonly signature: Uint8Array
  /** The values of the extensions, read once. */
  known(): Known | Fault
}

/** Reads one DER certificate. Hostile bytes give a fault; nothing throws. */
export function parseCertificate(der: Uint8Array): Certificate | Fault {
  if (der.length > LARGEST) return { code: 'TOO_LARGE', at: LARGEST }
  return attempt(() => new Parsed(der))
}

/** The fields of RFC 5280 4.1 in their order. */
class Parsed implements Certificate {
  readonly der: Uint8Array
  readonly version: number
  readonly issuer: Name
  readonly subject: Name
  readonly notBefore: Moment
  readonly notAfter: Moment
  readonly extensions: readonly Extension[]
  readonly algorithm: Algorithm
  readonly consistent: boolean
  readonly #tbs: Element
  readonly #serial: Element
  readonly #key: Element
  readonly #signature: Element
  #fingerprint: string | undefined
  #kind: KeyKind | undefined
  #opened: { readonly key: KeyObject | undefined } | undefined
  #own: boolean | undefined
  #known: Known | Fault | undefined

  /** @throws Malformed */
  constructor(der: Uint8Array) {
    const outside = enter(whole(der))
    const tbs = outside.next()
    const outer = outside.next()
    this.der = der
    this.#tbs = tbs
    this.algorithm = algorithm(outer)
    this.#signature = wholeOctets(outside.next())
    outside.close()

    const fields = enter(tbs)
    this.version = version(fields.optional(context(0, true)))
    this.#serial = shortest(fields.next())
    this.consistent = identical(fields.next(), outer)
    const issuer = fields.next()
    this.issuer = distinguished(issuer)
    const validity = enter(fields.next())
    this.notBefore = moment(validity.next())
    this.notAfter = moment(validity.next())
    validity.close()
    const subject = fields.next()
    this.subject = identical(subject, issuer) ? this.issuer : distinguished(subject)
    this.#key = fields.next(TAG.sequence)
    uniqueIdentifiers(fields, this.version)
    this.extensions = tagged(fields.optional(context(3, true)))
    fields.close()
  }

  get serial(): Uint8Array {
    return content(this.#serial)
  }

  get key(): Uint8Array {
    return raw(this.#key)
  }

  get signed(): Uint8Array {
    return raw(this.#tbs)
  }

  get signature(): Uint8Array {
    return octetsOf(this.#signature)
  }

  fingerprint(): string {
    this.#fingerprint ??= hash('sha256', buffer(this.der), 'hex')
    return this.#fingerprint
  }

  kind(): KeyKind {
    this.#kind ??= keyKind(this.key)
    return this.#kind
  }

  opened(): KeyObject | undefined {
    this.#opened ??= { key: openKey(this.key) }
    return this.#opened.key
  }

  ownSignature(): boolean {
    const key = this.opened()
    this.#own ??= signedBy(key, this.kind(), this) || signedOfOld(key, this)
    return this.#own
  }

  known(): Known | Fault {
    this.#known ??= attempt(() => known(this.extensions), 'EXTENSION_INVALID')
    return this.#known
  }
}

/** Version 1 is a default, which DER leaves out. */
function version(one: Element | undefined): number {
  if (one === undefined) return 1
  const number = count(inner(one)) + 1
  if (number !== 2 && number !== 3) throw new Malformed(one.start)
  return number
}

/** What nobody uses may stand behind the key, from version 2 on (RFC 5280 4.1.2.8). */
function uniqueIdentifiers(fields: Cursor, version: number): void {
  if (version < 2) return
  const issuer = fields.optional(context(1))
  if (issuer !== undefined) unusedBits(issuer, issuer.tag)
  const subject = fields.optional(context(2))
  if (subject !== undefined) unusedBits(subject, subject.tag)
}

/** The values of the extensions; empty ones when they cannot be read, which `rules` reports. */
export function valuesOf(one: Certificate): Known {
  const values = one.known()
  return isFault(values) ? NOTHING : values
}

const NOTHING: Known = Object.freeze(nothing())

/** Whether subject and issuer are the same name (RFC 5280 3.2: self-issued). */
export function selfIssued({ subject, issuer }: Certificate): boolean {
  return sameName(subject, issuer)
}

/** The serial as lower-case hex without leading zeros, with a minus sign when it is negative. */
export function serialText({ serial }: Pick<Certificate, 'serial'>): string {
  const text = Buffer.from(serial).toString('hex')
  const plain = text.replace(/^0+(?=.)/, '')
  return (serial[0] ?? 0) >= 0x80 ? `-${plain}` : plain
}
