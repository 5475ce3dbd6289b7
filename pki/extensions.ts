import {
  content,
  context,
  type Element,
  expect,
  inner,
  items,
  Malformed,
  TAG,
  wrapped,
} from './der.ts'
import { type GeneralName, generalName, generalNames, hex } from './names.ts'
import { EXTENSION } from './oids.ts'
import { boolean, count, flags, integer, oid } from './values.ts'

/** One extension as it stands in a certificate, CRL or request; its value is not read yet. */
export interface Extension {
  readonly id: string
  readonly critical: boolean
  readonly value: Element
}

/** A name-constraint subtree; `plain` when minimum is 0 and maximum absent, as RFC 5280 4.2.1.10 demands. */
export interface Subtree {
  readonly base: GeneralName
  readonly plain: boolean
}

/** What the extensions of RFC 5280 4.2 say; absent ones are absent. */
export interface Known {
  basic?: { readonly ca: boolean; readonly pathLength?: number }
  keyUsage?: ReadonlySet<number>
  purposes?: readonly string[]
  names?: readonly GeneralName[]
  constraints?: { readonly permitted: readonly Subtree[]; readonly excluded: readonly Subtree[] }
  /** `key`: hex; `foreign`: it names the issuer's issuer or its serial. */
  authorityKey?: { readonly key?: string; readonly foreign: boolean }
  /** Hex. */
  subjectKey?: string
  policies?: readonly string[]
  policyConstraints?: { readonly explicit?: number; readonly mapping?: number }
  inhibitAny?: number
}

/** Reads the list of extensions without their values. @throws Malformed also when one comes twice (RFC 5280 4.2). */
export function extensionList(one: Element): Extension[] {
  const list = items(one).map(extension)
  if (list.length === 0) throw new Malformed(one.start)
  const seen = new Set<string>()
  for (const { id, value } of list) {
    if (seen.has(id)) throw new Malformed(value.start)
    seen.add(id)
  }
  return list
}

function extension(one: Element): Extension {
  const [id, second, third, ...more] = items(one)
  if (more.length > 0) throw new Malformed(one.start)
  if (third === undefined)
    return { id: oid(id), critical: false, value: expect(second, TAG.octets) }
  if (second === undefined || !boolean(second)) throw new Malformed(one.start) // DER leaves a default out
  return { id: oid(id), critical: true, value: expect(third, TAG.octets) }
}

/** Reads the values of every extension that RFC 5280 knows, strictly. @throws Malformed */
export function known(list: readonly Extension[]): Known {
  const found: Known = {}
  for (const { id, value } of list) {
    const read = READERS.get(id)
    if (read !== undefined) read(wrapped(value), found)
  }
  return found
}

type Read = (value: Element, found: Known) => void

const READERS: ReadonlyMap<string, Read> = new Map<string, Read>([
  [EXTENSION.basic, basic],
  [
    EXTENSION.keyUsage,
    (value, found) => {
      found.keyUsage = flags(value)
      if (found.keyUsage.size === 0) throw new Malformed(value.start)
    },
  ],
  [
    EXTENSION.purposes,
    (value, found) => {
      found.purposes = many(value).map((one) => oid(one))
    },
  ],
  [
    EXTENSION.names,
    (value, found) => {
      found.names = generalNames(value)
    },
  ],
  [EXTENSION.issuerNames, (value) => void generalNames(value)],
  [EXTENSION.constraints, constraints],
  [EXTENSION.authorityKey, authorityKey],
  [
    EXTENSION.subjectKey,
    (value, found) => {
      found.subjectKey = hex(content(expect(value, TAG.octets)))
    },
  ],
  [EXTENSION.policies, policies],
  [EXTENSION.policyConstraints, policyConstraints],
  [
    EXTENSION.inhibitAny,
    (value, found) => {
      found.inhibitAny = count(value)
    },
  ],
  [EXTENSION.access, access],
  [EXTENSION.subjectAccess, access],
  [EXTENSION.mappings, (value) => many(value).forEach(pairOfPolicies)],
  [EXTENSION.distribution, (value) => many(value).forEach((one) => void items(one))],
  [EXTENSION.freshest, (value) => many(value).forEach((one) => void items(one))],
])

/** A SEQUENCE of one or more. */
function many(value: Element): Element[] {
  const list = items(value)
  if (list.length === 0) throw new Malformed(value.start)
  return list
}

function basic(value: Element, found: Known): void {
  const list = items(value)
  const ca = list[0]?.tag === TAG.boolean ? boolean(list[0]) : false
  if (list[0]?.tag === TAG.boolean && !ca) throw new Malformed(value.start) // DER leaves a default out
  const [length, ...more] = ca ? list.slice(1) : list
  if (more.length > 0) throw new Malformed(value.start)
  found.basic = { ca, ...(length !== undefined && { pathLength: count(length) }) }
}

function constraints(value: Element, found: Known): void {
  const lists = new Map(items(value).map((one) => [one.tag, one]))
  if (lists.size !== items(value).length) throw new Malformed(value.start)
  const read = (number: number) => {
    const one = lists.get(context(number, true))
    lists.delete(context(number, true))
    return one === undefined ? [] : items(one, one.tag).map(subtree)
  }
  found.constraints = { permitted: read(0), excluded: read(1) }
  if (lists.size > 0) throw new Malformed(value.start)
}

function subtree(one: Element): Subtree {
  const [base, ...bounds] = items(one)
  if (base === undefined) throw new Malformed(one.start)
  return { base: generalName(base), plain: bounds.length === 0 }
}

function authorityKey(value: Element, found: Known): void {
  const list = items(value)
  const key = list.find(({ tag }) => tag === context(0))
  const issuer = list.find(({ tag }) => tag === context(1, true))
  const serial = list.find(({ tag }) => tag === context(2))
  if (issuer !== undefined) generalNames(issuer, issuer.tag)
  if (serial !== undefined) integer(serial, serial.tag)
  const present = [key, issuer, serial].filter((one) => one !== undefined)
  if (present.length !== list.length) throw new Malformed(value.start)
  const foreign = issuer !== undefined || serial !== undefined
  found.authorityKey = { foreign, ...(key !== undefined && { key: hex(content(key)) }) }
}

function policies(value: Element, found: Known): void {
  found.policies = many(value).map((one) => oid(items(one)[0]))
  if (new Set(found.policies).size !== found.policies.length) throw new Malformed(value.start)
}

function policyConstraints(value: Element, found: Known): void {
  const list = many(value)
  const explicit = list.find(({ tag }) => tag === context(0))
  const mapping = list.find(({ tag }) => tag === context(1))
  if (list.length !== Number(explicit !== undefined) + Number(mapping !== undefined))
    throw new Malformed(value.start)
  found.policyConstraints = {
    ...(explicit !== undefined && { explicit: count(explicit, explicit.tag) }),
    ...(mapping !== undefined && { mapping: count(mapping, mapping.tag) }),
  }
}

function access(value: Element): void {
  for (const one of many(value)) {
    const [method, location, ...more] = items(one)
    if (location === undefined || more.length > 0) throw new Malformed(one.start)
    oid(method)
    generalName(location)
  }
}

function pairOfPolicies(one: Element): void {
  const [issuer, subject, ...more] = items(one)
  if (more.length > 0) throw new Malformed(one.start)
  oid(issuer)
  oid(subject)
}

/** The extensions under an explicit tag, where one is. @throws Malformed */
export function tagged(one: Element | undefined): Extension[] {
  return one === undefined ? [] : extensionList(inner(one, TAG.sequence))
}
