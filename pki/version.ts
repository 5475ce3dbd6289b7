import { createHash } from 'node:crypto'

/**
 * The version id of one certificate in one secret: a UUID made from the source's ARN and the certificate's serial (hex, any
 * separators and case), so that storing the same certificate twice is the same request to Secrets Manager.
 */
export function versionId(source: string, serial: string): string {
  const hash = createHash('sha256').update(`certrelay version 1\n${source}\n${plainSerial(serial)}`)
  return uuid(hash.digest('hex'))
}

/**
 * The version id for the same certificate stored once more, because it was sealed anew: the id of the certificate's first
 * version and a count, which Secrets Manager takes as well (32 to 64 characters).
 */
export function nextVersion(version: string): string {
  const { first, count } = parts(version)
  return `${first}-${count + 1}`
}

/** Whether two versions hold the same certificate. */
export function sameCertificate(a: string, b: string): boolean {
  return parts(a).first === parts(b).first
}

/** The newest version among `versions` of the certificate whose first version has the id `first`; itself when there is none. */
export function newestVersion(first: string, versions: Iterable<string>): string {
  const own = [...versions].filter((version) => sameCertificate(version, first))
  return own.reduce((a, b) => (parts(b).count > parts(a).count ? b : a), first)
}

/** Whether certrelay made this version id: those of people and of Secrets Manager's rotations are UUIDs of version 4. */
export function isOurs(version: string): boolean {
  return OURS.test(version)
}

const OURS = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}(-[1-9]\d{0,8})?$/
const LENGTH = 36 // of a UUID

function parts(version: string): { readonly first: string; readonly count: number } {
  const count = /^-([1-9]\d{0,8})$/.exec(version.slice(LENGTH))?.[1]
  return count === undefined
    ? { first: version, count: 0 }
    : { first: version.slice(0, LENGTH), count: Number(count) }
}

/** The version id of a trust bundle: a UUID made from what it holds. */
export function contentId(content: string): string {
  return uuid(createHash('sha256').update(`certrelay content 1\n${content}`).digest('hex'))
}

/** A serial as lower-case hex without separators or leading zeros: ACM, X.509 libraries and people write it differently. */
export function plainSerial(serial: string): string {
  return serial
    .toLowerCase()
    .replace(/[^0-9a-f]/g, '')
    .replace(/^0+(?=.)/, '')
}

function uuid(hex: string): string {
  const parts = [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `a${hex.slice(17, 20)}`,
  ]
  return [...parts, hex.slice(20, 32)].join('-')
}
