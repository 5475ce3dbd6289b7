import type { GeneralName } from './names.ts'
import { isAscii } from './values.ts'

/** A DNS name of letters, digits, hyphens and underscores; no dot at either end (RFC 5280 4.2.1.6, RFC 1034 3.5). */
export function isHost(value: string): boolean {
  return value.length <= 253 && HOST.test(value)
}

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?'
const HOST = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`, 'i')
const URI = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?#]*))?(.*)$/i

/** A host, or a wildcard: `*` as the whole first label and a host behind it (RFC 9525 6.3). */
export function isPattern(value: string): boolean {
  return isHost(value.startsWith('*.') ? value.slice(2) : value)
}

/** A mailbox: one `@`, something before it, a host behind it (RFC 5280 4.2.1.6). */
export function isMailbox(value: string): boolean {
  const [local = '', host = '', ...more] = value.split('@')
  return more.length === 0 && local !== '' && !/[\s<>]/.test(local) && isHost(host)
}

/** An absolute URI with something behind its scheme. */
export function isUri(value: string): boolean {
  const parts = isAscii(value) ? URI.exec(value) : null
  return parts !== null && (parts[2] ?? parts[3] ?? '') !== '' && !/\s/.test(value)
}

/** The host of a URI without user and port; `undefined` when it has none or an address in its place (RFC 5280 4.2.1.10). */
export function hostOf(uri: string): string | undefined {
  const authority = URI.exec(uri)?.[2]?.replace(/^[^@]*@/, '')
  const host = authority?.replace(/:[0-9]*$/, '')
  return host === undefined || !isHost(host) || address(host) !== undefined ? undefined : host
}

/** Whether a subject alternative name is well formed; forms that we do not compare are let be. */
export function wellFormed(name: GeneralName): boolean {
  switch (name.form) {
    case 'dns':
      return isPattern(name.value)
    case 'email':
      return isMailbox(name.value)
    case 'uri':
      return isUri(name.value)
    case 'ip':
      return name.value.length === 4 || name.value.length === 16
    default:
      return true
  }
}

/** The octets of an IPv4 or IPv6 address in text; `undefined` when it is none. */
export function address(value: string): Uint8Array | undefined {
  return value.includes(':') ? six(value) : four(value)
}

function four(value: string): Uint8Array | undefined {
  return QUAD.test(value) ? Uint8Array.from(value.split('.'), Number) : undefined
}

const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])'
const QUAD = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`)

function six(value: string): Uint8Array | undefined {
  const dotted = /^(.*:)([0-9.]+)$/.exec(value)
  const low = dotted?.[2]?.includes('.') ? four(dotted[2]) : undefined
  if (dotted?.[2]?.includes('.') && low === undefined) return undefined
  const plain = low === undefined ? value : `${dotted?.[1]}${word(low, 0)}:${word(low, 2)}`
  const halves = plain.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const missing = 8 - (head?.length ?? 0) - (tail?.length ?? 0)
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const words = [...(head ?? []), ...Array<string>(missing).fill('0'), ...(tail ?? [])]
  if (!words.every((one) => /^[0-9a-f]{1,4}$/i.test(one))) return undefined
  return Uint8Array.from(
    words.flatMap((one) => [Number.parseInt(one, 16) >> 8, Number.parseInt(one, 16) & 0xff]),
  )
}

function word(octets: Uint8Array, at: number): string {
  return ((octets[at] ?? 0) * 256 + (octets[at + 1] ?? 0)).toString(16)
}
