import { certificates, facts } from '../pki/bundle.ts'
import { isRecord } from '../pki/json.ts'
import { plainSerial } from '../pki/version.ts'
import { lists } from './revocation.ts'
import type { Identity, Material, Versions } from './source.ts'

/** A certificate as health checks and people want to know it. */
export interface Leaf {
  /** Version id of the secret. */
  readonly version: string
  /** Lower-case hex without leading zeros. */
  readonly serial: string
  /** ISO 8601, UTC. */
  readonly notBefore: string
  readonly notAfter: string
  /** SHA-256 of the leaf's DER, lower-case hex. */
  readonly fingerprint256: string
  readonly names: readonly string[]
}

/** What is laid out: `meta.json`. Public. */
export interface Meta extends Leaf {
  /** Version id of the trust bundle. */
  readonly trust: string
  /** Serials of the anchors: lower-case hex without leading zeros, sorted. */
  readonly anchors?: readonly string[]
  /** When the revocation lists end and everybody is refused, ISO 8601, UTC. */
  readonly listsUntil?: string
  readonly second?: Leaf
}

/** Describes material that was verified. */
export function describe({ trust, second, ...first }: Material, now: number): Meta {
  const anchors = certificates(trust.anchors, 'anchors')
  const until = trust.crl === undefined ? undefined : lists(trust, now).until
  return {
    ...leaf(first),
    trust: trust.version,
    anchors: [...new Set(anchors.map((one) => plainSerial(one.serialNumber)))].sort(),
    ...(until !== undefined && { listsUntil: new Date(until).toISOString() }),
    ...(second && { second: leaf(second) }),
  }
}

function leaf({ version, bundle }: Identity): Leaf {
  const { serial, notBefore, notAfter, fingerprint256, names } = facts('', bundle.certificate)
  return { version, serial, notBefore, notAfter, fingerprint256, names }
}

/** The serials that Envoy must show. */
export function serials({ serial, second }: Meta): string[] {
  return second === undefined ? [serial] : [serial, second.serial]
}

/** Whether the versions are those that are laid out. */
export function isSame(meta: Meta, { version, trust, second }: Versions): boolean {
  return meta.version === version && meta.trust === trust && meta.second?.version === second
}

const TEXTS = ['version', 'serial', 'notBefore', 'notAfter', 'fingerprint256']

/** Reads `meta.json`, also of an earlier certrelay, which wrote fewer members. */
export function isMeta(value: unknown): value is Meta {
  if (!isRecord(value)) return false
  const { trust, anchors = [], listsUntil, second } = value
  return (
    isLeaf(value) &&
    typeof trust === 'string' &&
    isTexts(anchors) &&
    (listsUntil === undefined || typeof listsUntil === 'string') &&
    (second === undefined || (isRecord(second) && isLeaf(second)))
  )
}

function isLeaf(value: Readonly<Record<string, unknown>>): boolean {
  return TEXTS.every((name) => typeof value[name] === 'string') && isTexts(value['names'])
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => typeof one === 'string')
}
