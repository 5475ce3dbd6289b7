import type { KeyObject } from 'node:crypto'
import { type Algorithm, algorithm } from './algorithm.ts'
import {
  attempt,
  context,
  type Element,
  enter,
  type Fault,
  inner,
  isFault,
  Malformed,
  raw,
  TAG,
  whole,
} from './der.ts'
import { type Extension, extensionList, type Known, known } from './extensions.ts'
import { type KeyKind, keyKind, keyText, openKey, signedBy } from './key.ts'
import { distinguished, type Name } from './names.ts'
import { count, isString, octetBits, oid, text } from './values.ts'

/** No request of more octets is read. */
export const LARGEST_REQUEST = 65_536

/** One attribute of a subject, in the order in which it stands there. */
export interface Attribute {
  readonly id: string
  /** `undefined` when the value is no character string that we read. */
  readonly text: string | undefined
  /** AttributeTypeAndValue, DER. */
  readonly der: Uint8Array
}

/** A certificate signing request (PKCS#10, RFC 2986). What it says is not believed before `signed()` was asked. */
export interface Csr {
  readonly der: Uint8Array
  readonly subject: Name
  readonly attributes: readonly Attribute[]
  /** SubjectPublicKeyInfo, DER. */
  readonly key: Uint8Array
  readonly kind: KeyKind
  /** The extensions that it asks for (RFC 2985 5.4.2). */
  readonly extensions: readonly Extension[]
  /** Their values, as far as RFC 5280 knows them. */
  readonly known: Known
  readonly algorithm: Algorithm
  /** The key for node:crypto; `undefined` when it is none: a point that is not on its curve. */
  opened(): KeyObject | undefined
  /** Whether its own key signed it, also false when that is none: the sender holds the private key (RFC 2986 section 3). */
  signed(): boolean
}

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14'

/** Reads one DER request. Hostile bytes give a fault; nothing throws. */
export function parseCsr(der: Uint8Array): Csr | Fault {
  if (der.length > LARGEST_REQUEST) return { code: 'TOO_LARGE', at: LARGEST_REQUEST }
  const fields = attempt(() => read(der))
  if (isFault(fields)) return fields
  const values = attempt(() => known(fields.extensions), 'EXTENSION_INVALID')
  return isFault(values) ? values : new Parsed(der, fields, values)
}

/** The fields of RFC 2986 4.1 and 4.2. @throws Malformed */
function read(der: Uint8Array) {
  const outside = enter(whole(der))
  const info = outside.next(TAG.sequence)
  const how = algorithm(outside.next())
  const signature = octetBits(outside.next())
  outside.close()
  const fields = enter(info)
  const version = fields.next()
  if (count(version) !== 0) throw new Malformed(version.start)
  const subject = fields.next()
  const key = fields.next(TAG.sequence)
  const extensions = requested(fields.next(context(0, true)))
  fields.close()
  return {
    info: raw(info),
    algorithm: how,
    signature,
    subject,
    attributes: attributes(subject),
    key: raw(key),
    extensions,
  }
}

/** The attributes of a request are a SET of a type and a SET of values each; one of them may ask for extensions, once. */
function requested(one: Element): Extension[] {
  let found: Extension[] | undefined
  for (const all = enter(one, one.tag); all.more(); ) {
    const fields = enter(all.next())
    const type = oid(fields.next())
    const values = fields.next(TAG.set)
    fields.close()
    if (type !== EXTENSION_REQUEST) continue
    if (found !== undefined) throw new Malformed(values.start)
    found = extensionList(inner(values, TAG.sequence))
  }
  return found ?? []
}

/** The attributes of a name in their order. @throws Malformed */
export function attributes(subject: Element): Attribute[] {
  const list: Attribute[] = []
  for (const all = enter(subject); all.more(); ) {
    const parts = enter(all.next(), TAG.set)
    list.push(attribute(parts.next()))
    while (parts.more()) list.push(attribute(parts.next()))
  }
  return list
}

/** Reads an AttributeTypeAndValue. @throws Malformed */
export function attribute(one: Element): Attribute {
  const fields = enter(one)
  const id = oid(fields.next())
  const value = fields.next()
  fields.close()
  return { id, text: isString(value) ? text(value) : undefined, der: raw(one) }
}

type Fields = ReturnType<typeof read>

class Parsed implements Csr {
  readonly der: Uint8Array
  readonly attributes: readonly Attribute[]
  readonly key: Uint8Array
  readonly kind: KeyKind
  readonly extensions: readonly Extension[]
  readonly known: Known
  readonly algorithm: Algorithm
  readonly #subject: Element
  readonly #info: Uint8Array
  readonly #signature: Uint8Array
  #opened: { readonly key: KeyObject | undefined } | undefined
  #signed: boolean | undefined

  constructor(der: Uint8Array, fields: Fields, values: Known) {
    this.der = der
    this.#subject = fields.subject
    this.attributes = fields.attributes
    this.key = fields.key
    this.kind = keyKind(fields.key)
    this.extensions = fields.extensions
    this.known = values
    this.algorithm = fields.algorithm
    this.#info = fields.info
    this.#signature = fields.signature
  }

  /** Its attributes were read: it can be read as a name too. */
  get subject(): Name {
    return distinguished(this.#subject)
  }

  opened(): KeyObject | undefined {
    this.#opened ??= { key: openKey(this.key) }
    return this.#opened.key
  }

  signed(): boolean {
    this.#signed ??= this.#verified()
    return this.#signed
  }

  #verified(): boolean {
    const signature = this.#signature
    return signedBy(keyText(this.key), this.kind, {
      algorithm: this.algorithm,
      signed: this.#info,
      signature,
    })
  }
}
