import {
  buffer,
  type Cursor,
  children,
  content,
  context,
  type Element,
  enter,
  identical,
  inner,
  items,
  Malformed,
  raw,
  TAG,
  whole,
} from './der.ts'
import { ascii, isAscii, isString, oid, text } from './values.ts'

/** A distinguished name; `keys` has one canonical string a relative name (RFC 5280 7.1): equal strings, equal names. No line feed comes from a name. */
export interface Name {
  readonly keys: readonly string[]
  /** emailAddress attributes, which constraints also bind (RFC 5280 4.2.1.10). */
  readonly emails: readonly string[]
  /** commonName attributes. */
  readonly common: readonly string[]
}

/** A GeneralName (RFC 5280 4.2.1.6). Forms without a reader of their own are `other`, with their tag number. */
export type GeneralName =
  | { readonly form: 'dns' | 'email' | 'uri'; readonly value: string }
  | { readonly form: 'ip'; readonly value: Uint8Array }
  | { readonly form: 'directory'; readonly value: Name }
  | { readonly form: 'other'; readonly number: number }

const COMMON_NAME = '2.5.4.3'
const EMAIL = '1.2.840.113549.1.9.1'

/** The names that were asked for last, the latest first: the issuer of one certificate is mostly the subject of the next. */
const RECENT: { readonly one: Element; readonly name: Name }[] = []
const MANY = 6

/** Reads a Name. @throws Malformed */
export function distinguished(one: Element): Name {
  const at = RECENT.findIndex((known) => identical(known.one, one))
  const [known = fresh(one)] = at < 0 ? [] : RECENT.splice(at, 1)
  if (RECENT.unshift(known) > MANY) RECENT.pop()
  return known.name
}

/** Of a copy: whatever becomes of the bytes that it is read from. */
function fresh(one: Element) {
  const own = whole(Buffer.from(raw(one)))
  return { one: own, name: read(own) }
}

function read(one: Element): Name {
  const keys: string[] = []
  const emails: string[] = []
  const common: string[] = []
  for (const all = enter(one); all.more(); ) {
    const parts = enter(all.next(), TAG.set)
    const first = attribute(parts.next(), emails, common)
    keys.push(parts.more() ? several(first, parts, emails, common) : first)
  }
  return { keys, emails, common }
}

/** A relative name of more than one attribute: a set, so their order does not count. */
function several(first: string, parts: Cursor, emails: string[], common: string[]): string {
  const all = [first]
  while (parts.more()) all.push(attribute(parts.next(), emails, common))
  return all.sort().join('\n')
}

function attribute(part: Element, emails: string[], common: string[]): string {
  const fields = enter(part)
  const id = oid(fields.next())
  const value = fields.next()
  fields.close()
  if (!isString(value)) return `${id}=#${hex(raw(value))}`
  const plain = text(value)
  if (id === EMAIL) emails.push(plain)
  if (id === COMMON_NAME) common.push(plain)
  return keyOf(id, plain)
}

/** The canonical string of an attribute of text, as the keys of a `Name` are made of. */
export function keyOf(id: string, plain: string): string {
  return `${id}=${folded(plain)}`
}

/** Single words of ASCII between single spaces: nothing to fold but case. */
const PLAIN = /^[!-~]+(?: [!-~]+)*$/

/** Case, width and white space do not count (RFC 4518 sections 2.2 to 2.6, as far as certificates need it). */
function folded(value: string): string {
  if (PLAIN.test(value)) return value.toLowerCase()
  const plain = isAscii(value) ? value : value.normalize('NFKC')
  return plain.trim().replace(/\s+/g, ' ').toLowerCase()
}

/** Whether two names are the same (RFC 5280 7.1). */
export function sameName(one: Name, other: Name): boolean {
  return one === other || (one.keys.length === other.keys.length && startsWith(one, other))
}

/** Whether a name lies below another: the other's relative names are its first ones. */
export function startsWith({ keys }: Name, base: Name): boolean {
  for (let index = 0; index < base.keys.length; index++)
    if (keys[index] !== base.keys[index]) return false
  return true
}

/** Reads GeneralNames; an empty list is refused. @throws Malformed */
export function generalNames(one: Element, tag: number = TAG.sequence): GeneralName[] {
  const list = items(one, tag)
  if (list.length === 0) throw new Malformed(one.start)
  return list.map(generalName)
}

/** Reads one GeneralName. @throws Malformed */
export function generalName(one: Element): GeneralName {
  switch (one.tag) {
    case context(1):
      return { form: 'email', value: ascii(one) }
    case context(2):
      return { form: 'dns', value: ascii(one) }
    case context(4, true):
      return { form: 'directory', value: distinguished(inner(one)) }
    case context(6):
      return { form: 'uri', value: ascii(one) }
    case context(7):
      return { form: 'ip', value: content(one) }
    default:
      return rest(one)
  }
}

function rest(one: Element): GeneralName {
  const number = one.tag & 0x1f
  const tag = context(number, number !== 8)
  if (![0, 3, 5, 8].includes(number) || one.tag !== tag) throw new Malformed(one.start)
  if (number === 8) oid(one, tag)
  else if (number === 0) oid(children(one)[0])
  return { form: 'other', number }
}

/** Lower-case hex. */
export function hex(value: Uint8Array): string {
  return buffer(value).toString('hex')
}

/** The content of an element as lower-case hex. */
export function hexOf({ bytes, body, end }: Element): string {
  return bytes.toString('hex', body, end)
}
