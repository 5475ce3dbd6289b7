import {
  type Cursor,
  children,
  context,
  type Element,
  enter,
  expect,
  inner,
  items,
  Malformed,
  TAG,
  wrapped,
} from './der.ts'
import { type GeneralName, generalName, generalNames, hexOf } from './names.ts'
import { EXTENSION } from './oids.ts'
import { boolean, count, flags, oid, shortest } from './values.ts'

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

/** What the extensions of RFC 5280 4.2 say; absent ones are undefined. */
export interface Known {
  basic: { readonly ca: boolean; readonly pathLength: number | undefined } | undefined
  keyUsage: ReadonlySet<number> | undefined
  purposes: readonly string[] | undefined
  names: readonly GeneralName[] | undefined
  constraints:
    | { readonly permitted: readonly Subtree[]; readonly excluded: readonly Subtree[] }
    | undefined
  /** `key`: hex; `foreign`: it names the issuer's issuer or its serial. */
  authorityKey: { readonly key: string | undefined; readonly foreign: boolean } | undefined
  /** Hex. */
  subjectKey: string | undefined
  policies: readonly string[] | undefined
  policyConstraints:
    | { readonly explicit: number | undefined; readonly mapping: number | undefined }
    | undefined
  inhibitAny: number | undefined
}

/** Nothing said yet. Every certificate's values have the same fields, absent ones too: V8 reads such objects faster. */
export function nothing(): Known {
  return {
    basic: undefined,
    keyUsage: undefined,
    purposes: undefined,
    names: undefined,
    constraints: undefined,
    authorityKey: undefined,
    subjectKey: undefined,
    policies: undefined,
    policyConstraints: undefined,
    inhibitAny: undefined,
  }
}

/** Reads the list of extensions without their values. @throws Malformed also when one comes twice (RFC 5280 4.2). */
export function extensionList(one: Element): Extension[] {
  const list: Extension[] = []
  const seen = new Set<string>()
  for (const all = enter(one); all.more(); ) {
    const each = extension(all.next())
    if (seen.has(each.id)) throw new Malformed(each.value.start)
    seen.add(each.id)
    list.push(each)
  }
  if (list.length === 0) throw new Malformed(one.start)
  return list
}

function extension(one: Element): Extension {
  const fields = enter(one)
  const id = oid(fields.next())
  const critical = defaultFalse(fields)
  const value = fields.next(TAG.octets)
  fields.close()
  return { id, critical, value }
}

/** BOOLEAN DEFAULT FALSE: DER leaves a default out (X.690 11.5). @throws Malformed */
function defaultFalse(fields: Cursor): boolean {
  const one = fields.optional(TAG.boolean)
  if (one !== undefined && !boolean(one)) throw new Malformed(one.start)
  return one !== undefined
}

/** Reads the values of every extension that RFC 5280 knows, strictly. @throws Malformed */
export function known(list: readonly Extension[]): Known {
  const found = nothing()
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
      found.subjectKey = hexOf(expect(value, TAG.octets))
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
  const fields = enter(value)
  const ca = defaultFalse(fields)
  const pathLength = fields.more() ? count(fields.next()) : undefined
  fields.close()
  found.basic = { ca, pathLength }
}

function constraints(value: Element, found: Known): void {
  const fields = enter(value)
  const permitted = fields.optional(context(0, true))
  const excluded = fields.optional(context(1, true))
  fields.close()
  found.constraints = { permitted: subtrees(permitted), excluded: subtrees(excluded) }
}

function subtrees(one: Element | undefined): Subtree[] {
  return one === undefined ? [] : children(one).map(subtree)
}

function subtree(one: Element): Subtree {
  const fields = enter(one)
  const base = generalName(fields.next())
  const plain = !fields.more()
  while (fields.more()) fields.next()
  return { base, plain }
}

function authorityKey(value: Element, found: Known): void {
  const fields = enter(value)
  const key = fields.optional(context(0))
  const issuer = fields.optional(context(1, true))
  const serial = fields.optional(context(2))
  fields.close()
  if (issuer !== undefined) generalNames(issuer, issuer.tag)
  if (serial !== undefined) shortest(serial, serial.tag)
  const foreign = issuer !== undefined || serial !== undefined
  found.authorityKey = { foreign, key: key && hexOf(key) }
}

function policies(value: Element, found: Known): void {
  found.policies = many(value).map((one) => oid(items(one)[0]))
  if (new Set(found.policies).size !== found.policies.length) throw new Malformed(value.start)
}

function policyConstraints(value: Element, found: Known): void {
  const fields = enter(value)
  const explicit = fields.optional(context(0))
  const mapping = fields.optional(context(1))
  fields.close()
  if (explicit === undefined && mapping === undefined) throw new Malformed(value.start)
  found.policyConstraints = {
    explicit: explicit && count(explicit, explicit.tag),
    mapping: mapping && count(mapping, mapping.tag),
  }
}

function access(value: Element): void {
  for (const one of many(value)) {
    const fields = enter(one)
    oid(fields.next())
    generalName(fields.next())
    fields.close()
  }
}

function pairOfPolicies(one: Element): void {
  const fields = enter(one)
  oid(fields.next())
  oid(fields.next())
  fields.close()
}

/** The extensions under an explicit tag, where one is. @throws Malformed */
export function tagged(one: Element | undefined): Extension[] {
  return one === undefined ? [] : extensionList(inner(one, TAG.sequence))
}
