import { createHash } from 'node:crypto'
import type { Terms } from '../aws/issuance.ts'
import type { Door } from '../aws/petition.ts'
import { isAddress } from '../pki/san.ts'
import type { OwnAlgorithm } from '../pki/tags.ts'

/** Whom a sidecar asks to certify the keys that it makes itself. */
export type Office =
  | {
      readonly label: string
      readonly doors: readonly Door[]
      readonly profile: string | undefined
    }
  | ({ readonly arn: string } & Terms)

/** What it asks for. */
export interface Order {
  readonly office: Office
  /** DNS names, addresses and URIs; empty: those that its role has. */
  readonly names: readonly string[]
  readonly keyAlgorithm: OwnAlgorithm
}

/** How messages and records call where certificates come from: `certrelay:LABEL`, or the ARN of a CA. */
export function sourceName({ office }: Order): string {
  return 'arn' in office ? office.arn : `certrelay:${office.label}`
}

/** A line's word for what material comes from, by its name: a secret, or an authority. */
export function titled(name: string): string {
  return isSource(name) ? `authority ${name.replace(/^certrelay:/, '')}` : `secret ${name}`
}

/** Whether a name is that of an authority, not of a secret. */
export function isSource(name: string): boolean {
  return name.startsWith('certrelay:') || CA.test(name)
}

/** Equal for orders that the same certificate fulfils. */
export function digest({ office, names, keyAlgorithm }: Order): string {
  const { doors: _, ...where } = 'arn' in office ? { ...office, doors: [] } : office
  const text = JSON.stringify([where, names.toSorted(), keyAlgorithm])
  return createHash('sha256').update(text).digest('hex')
}

const LABEL = /^\w{1,64}$/
const CA = /^arn:aws[a-z-]*:acm-pca:[a-z0-9-]+:\d{12}:certificate-authority\/[0-9a-f-]{36}$/
const DNS = /^(?=.{1,253}$)(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*$/
const URI = /^[a-z][a-z0-9+.-]*:\/\/[A-Za-z0-9._~:/@!$&'()*+,;=%-]{1,2000}$/
/** Signed requests go over the machine's own network in the clear, over others never. */
const DOOR = /^(?:([a-z]{2}[a-z0-9-]{1,30})=)?(https:\/\/[a-z0-9.-]+|http:\/\/127\.0\.0\.1:\d+)\/?$/
const ALGORITHMS: Readonly<Record<string, OwnAlgorithm | undefined>> = {
  'P-256': 'EC_prime256v1',
  'P-384': 'EC_secp384r1',
  'RSA-2048': 'RSA_2048',
}
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 }
const YEAR = 366 * 86_400_000
const MOST_NAMES = 100

/** A label, also as templates have it (`certrelay:LABEL`), or the ARN of a private CA. */
export function authorityName(text: string): string | undefined {
  const name = text.replace(/^certrelay:/, '')
  return LABEL.test(name) || CA.test(text) ? name : undefined
}

/** Whether an authority is an AWS Private CA. */
export function isPrivateCa(name: string): boolean {
  return CA.test(name)
}

/** `URL` or `REGION=URL`, the region to ask first first. */
export function doors(text: string): Door[] | undefined {
  const found = words(text).map((word): Door | undefined => {
    const [, region, url] = DOOR.exec(word) ?? []
    if (url === undefined || !URL.canParse(url)) return undefined
    return { url, ...(region !== undefined && { region }) }
  })
  const good = found.filter((one) => one !== undefined)
  return good.length > 0 && good.length === found.length ? good : undefined
}

export function certifiedNames(text: string): string[] | undefined {
  const names = words(text)
  const isName = (name: string) => DNS.test(name) || URI.test(name) || isAddress(name)
  const good = names.length > 0 && names.length <= MOST_NAMES && names.every(isName)
  return good ? names : undefined
}

export function keyAlgorithm(text: string): OwnAlgorithm | undefined {
  return Object.hasOwn(ALGORITHMS, text) ? ALGORITHMS[text] : undefined
}

/** `30m`, `24h` or `7d` in milliseconds; a year at most. */
export function duration(text: string): number | undefined {
  const [, digits = '', unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? []
  const value = Number(digits) * (UNITS[unit] ?? 0)
  return value > 0 && value <= YEAR ? value : undefined
}

/** Name of a profile, or of a template of AWS Private CA. */
export function profileName(text: string): string | undefined {
  return /^[\x21-\x7e]{1,128}$/.test(text) ? text : undefined
}

function words(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean)
}
