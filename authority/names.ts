import { buffer, context, TAG } from '../pki/der.ts'
import type { GeneralName } from '../pki/names.ts'
import { address, isMailbox, isPattern, isUri } from '../pki/syntax.ts'
import { isAscii } from '../pki/values.ts'
import { around, ascii, der } from '../pki/write.ts'
import type { Allowances, Profile } from './policy.ts'
import { Refused } from './request.ts'

/** A subject alternative name that an authority certifies. */
export type San = Extract<GeneralName, { form: 'dns' | 'email' | 'uri' | 'ip' }>

/** An addr-spec of RFC 5322 3.4.1 without quoting, as Go's mail.ParseAddress takes it. */
const MAILBOX = /^[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@[^\s@]+$/
const URI = /^[a-z][a-z0-9+.-]*:.|^\//i

/** What a host of a request is: an IP address, an email address, a URI or a DNS name, tried in this order (CFSSL's OverrideHosts). */
export function classified(host: string): San {
  const octets = address(host)
  if (octets !== undefined) return { form: 'ip', value: unmapped(octets) }
  if (MAILBOX.test(host)) return { form: 'email', value: host }
  return { form: URI.test(host) ? 'uri' : 'dns', value: host }
}

/** Go writes `::ffff:10.0.0.1` as the four octets that it stands for. */
function unmapped(octets: Uint8Array): Uint8Array {
  const mapped =
    octets.length === 16 && octets.every((one, at) => at > 11 || one === (at < 10 ? 0 : 0xff))
  return mapped ? octets.subarray(12) : octets
}

/** The names of a CSR that CFSSL knows; other forms do not pass. */
export function sansOf(names: readonly GeneralName[] | undefined, profile: Profile): San[] {
  const { csr } = profile
  const takes = {
    dns: csr?.dnsNames ?? true,
    ip: csr?.ipAddresses ?? true,
    email: csr?.emailAddresses ?? true,
    uri: csr?.uris ?? true,
  }
  const list: San[] = []
  for (const name of names ?? [])
    if (name.form !== 'directory' && name.form !== 'other' && takes[name.form]) list.push(name)
  return list
}

const ORDER = { dns: 0, email: 1, ip: 2, uri: 3 } as const

/** Kind by kind, as Go writes them. */
export function grouped(names: readonly San[]): San[] {
  return names.toSorted((one, other) => ORDER[one.form] - ORDER[other.form])
}

/** @throws Refused name-refused for names that the profile does not allow */
export function checkNames(names: readonly San[], profile: Profile, allowed: Allowances): void {
  if (names.length > allowed.mostNames)
    throw refused(`${names.length} names were asked for and ${allowed.mostNames} are allowed`)
  for (const name of names) checkName(name, profile, allowed)
}

function checkName(name: San, { allows }: Profile, allowed: Allowances): void {
  const text = textOf(name)
  const kind = KINDS[name.form]
  if (kind !== undefined && !allowed[kind.allowance])
    throw refused(`${text}: the profile certifies no ${kind.plural}`)
  if (name.form !== 'ip' && !isAscii(name.value))
    throw refused(`${text}: names are ASCII, others go as their A-labels`)
  if (!allowed.malformedNames && !sound(name))
    throw refused(`${text} is no name that a client can match`)
  if (name.form === 'dns' && !allowed.wildcards && name.value.includes('*'))
    throw refused(`${text}: the profile certifies no wildcards`)
  if (name.form === 'ip' && allowed.unlistedAddresses) return
  if (allows?.(text) === false) throw refused(`${text} does not match the profile's name whitelist`)
}

const KINDS = {
  dns: undefined,
  ip: { allowance: 'addresses', plural: 'IP addresses' },
  email: { allowance: 'emails', plural: 'email addresses' },
  uri: { allowance: 'uris', plural: 'URIs' },
} as const

/** A host that ends in a number would be read as an address (WHATWG URL, host parsing). */
function sound(name: San): boolean {
  switch (name.form) {
    case 'dns':
      return isPattern(name.value) && !/(?:^|\.)[0-9]+$/.test(name.value)
    case 'email':
      return isMailbox(name.value)
    case 'uri':
      return isUri(name.value) && (!SPIFFE.test(name.value) || isSpiffeId(name.value))
    case 'ip':
      return name.value.length === 4 || name.value.length === 16
  }
}

const SPIFFE = /^spiffe:/i
const SPIFFE_ID = /^spiffe:\/\/[a-z0-9._-]{1,255}(?:\/(?!\.{1,2}(?:\/|$))[A-Za-z0-9._-]+)*$/

/** Without what peers might read in two ways: dots for segments, escapes, ports, queries (SPIFFE-ID 2.1 to 2.3). */
function isSpiffeId(uri: string): boolean {
  return uri.length <= 2_048 && SPIFFE_ID.test(uri)
}

/** Names of a request are quoted in messages: cut to a line's length, and nothing that could end it. */
function refused(why: string): Refused {
  return new Refused('name-refused', why.replace(/[^ -~]/g, '?').slice(0, 300))
}

/** A name as text, addresses as RFC 5952 writes them. */
export function textOf(name: San): string {
  if (name.form !== 'ip') return name.value
  return name.value.length === 4 ? name.value.join('.') : six(name.value)
}

function six(octets: Uint8Array): string {
  if (octets.length !== 16) return `#${buffer(octets).toString('hex')}`
  const words = Array.from({ length: 8 }, (_, at) =>
    ((octets[2 * at] ?? 0) * 256 + (octets[2 * at + 1] ?? 0)).toString(16),
  )
  const runs = words.join(':').match(/(?:^|:)0(?::0)+(?=:|$)/g) ?? []
  const [longest] = runs.toSorted((one, other) => other.length - one.length)
  if (longest === undefined) return words.join(':')
  const text = words.join(':')
  const at = text.indexOf(longest)
  const [before, behind] = [text.slice(0, at), text.slice(at + longest.length)]
  return `${before}::${behind.replace(/^:/, '')}`
}

const TAGS = { email: context(1), dns: context(2), uri: context(6) } as const

/** GeneralNames, DER. */
export function namesOctets(names: readonly San[]): Buffer {
  return around(
    TAG.sequence,
    names.map((name) =>
      name.form === 'ip' ? der(context(7), name.value) : ascii(TAGS[name.form], name.value),
    ),
  )
}
