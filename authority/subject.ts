import { type Attribute, attribute } from '../pki/csr.ts'
import { children, TAG, whole } from '../pki/der.ts'
import { ascii, directoryString, isOid, oid, sequence, setOf } from '../pki/write.ts'
import { Refused, type Subject } from './request.ts'

/** One attribute of a subject as it will stand in a certificate. */
export interface Part {
  readonly id: string
  /** `undefined`: its value is no text, and is taken over as it is. */
  readonly text: string | undefined
  /** AttributeTypeAndValue, DER. */
  readonly der: Uint8Array
}

/** A subject: the attributes of each relative name. */
export type Parts = readonly (readonly Part[])[]

const COMMON_NAME = '2.5.4.3'
const SERIAL_NUMBER = '2.5.4.5'
const EMAIL = '1.2.840.113549.1.9.1'

/** The attributes that Go's pkix.Name has fields for, in the order in which it writes them; one field is one relative name. */
const FIELDS = [
  '2.5.4.6', // country
  '2.5.4.8', // state or province
  '2.5.4.7', // locality
  '2.5.4.9', // street
  '2.5.4.17', // postal code
  '2.5.4.10', // organization
  '2.5.4.11', // organizational unit
  COMMON_NAME,
  SERIAL_NUMBER,
] as const
const SINGLE: ReadonlySet<string> = new Set([COMMON_NAME, SERIAL_NUMBER])
const IN_FIELDS: ReadonlySet<string> = new Set(FIELDS)

/** Texts by attribute. */
type Texts = Map<string, readonly string[]>

/**
 * The subject as CFSSL makes it (signer/local, PopulateSubjectFromCSR): what the request says, and the CSR's for each field
 * that it leaves empty; without one the CSR's, its further attributes behind the common ones.
 *
 * @throws Refused name-refused for control characters, and for attributes that are no OIDs
 */
export function subjectOf(attributes: readonly Attribute[], wanted: Subject | undefined): Parts {
  const own = textsOf(attributes)
  if (wanted === undefined) return [...parts(own), ...further(attributes).map((one) => [one])]
  const asked = asTexts(wanted)
  for (const id of FIELDS) {
    const texts = asked.get(id) ?? (IGNORED.has(id) ? undefined : own.get(id))
    if (texts !== undefined) asked.set(id, texts)
  }
  return parts(asked)
}

/** Street and postal code of a CSR do not survive a request's subject. */
const IGNORED: ReadonlySet<string> = new Set(['2.5.4.9', '2.5.4.17'])

/** What stands in the fields; of several common names the last counts. */
function textsOf(attributes: readonly Attribute[]): Texts {
  const texts: Texts = new Map()
  for (const { id, text } of attributes) {
    if (text === undefined || !IN_FIELDS.has(id)) continue
    texts.set(id, SINGLE.has(id) ? [text] : [...(texts.get(id) ?? []), text])
  }
  return texts
}

function further(attributes: readonly Attribute[]): Part[] {
  return attributes
    .filter(({ id }) => !IN_FIELDS.has(id))
    .map((one) => {
      if (one.text !== undefined) plain(one.text)
      return one
    })
}

function asTexts({ commonName = '', serialNumber = '', names }: Subject): Texts {
  const texts: Texts = new Map()
  const add = (id: string, text: string | undefined) => {
    if (text !== undefined && text !== '') texts.set(id, [...(texts.get(id) ?? []), text])
  }
  for (const one of names) {
    add('2.5.4.6', one.country)
    add('2.5.4.10', one.organization)
    add('2.5.4.11', one.unit)
    add('2.5.4.7', one.locality)
    add('2.5.4.8', one.state)
    add(EMAIL, one.email)
    for (const [id, text] of Object.entries(one.others ?? {})) add(id, text)
  }
  const serial = serialNumber || (names.find((one) => one.serialNumber)?.serialNumber ?? '')
  if (commonName !== '') texts.set(COMMON_NAME, [commonName])
  if (serial !== '') texts.set(SERIAL_NUMBER, [serial])
  return texts
}

/** Fields in Go's order, then the others in the order in which they were asked for. */
function parts(texts: Texts): Part[][] {
  const others = [...texts.keys()].filter((id) => !IN_FIELDS.has(id))
  const list: Part[][] = []
  for (const id of [...FIELDS, ...others]) {
    const values = texts.get(id)
    if (values !== undefined) list.push(values.map((text) => part(id, text)))
  }
  return list
}

function part(id: string, text: string): Part {
  plain(text)
  if (!isOid(id))
    throw new Refused('name-refused', 'an attribute of the subject has no OID: write it with dots')
  const value = id === EMAIL ? ascii(TAG.ia5, text) : directoryString(text)
  return { id, text, der: sequence(oid(id), value) }
}

/** A NUL, or a line end, makes a name look like another one where it is shown. */
const CONTROL = /[\p{Cc}\p{Cs}]/u

function plain(text: string): void {
  if (CONTROL.test(text))
    throw new Refused('name-refused', 'the subject has a control character: ask without it')
}

/** The Name, DER; a field of several values is one relative name, as Go writes it. */
export function written(subject: Parts): Buffer {
  return sequence(...subject.map((one) => setOf(one.map((each) => each.der))))
}

/** The common names of a subject. */
export function commonNames(subject: Parts): string[] {
  return textsBy(subject, COMMON_NAME)
}

/** The email addresses of a subject. */
export function emailsOf(subject: Parts): string[] {
  return textsBy(subject, EMAIL)
}

function textsBy(subject: Parts, wanted: string): string[] {
  const texts: string[] = []
  for (const relative of subject)
    for (const { id, text } of relative) if (id === wanted && text !== undefined) texts.push(text)
  return texts
}

/** The parts of a Name that was read before, DER. @throws Malformed */
export function partsOf(name: Uint8Array): Parts {
  return children(whole(name)).map((relative) => children(relative).map(attribute))
}
