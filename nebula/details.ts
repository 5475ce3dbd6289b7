import type { Curve } from './curve.ts'
import type { Network } from './network.ts'

/** The format of a certificate: 1 is protobuf and IPv4 only, 2 is DER. */
export type Version = 1 | 2

/** What a certificate says, and its signature covers. */
export interface Details {
  readonly version: Version
  /** 1 to 253 octets of UTF-8; version 1 knows no upper limit. */
  readonly name: string
  /** The host's own; of a CA: those that its hosts may have, any when empty. */
  readonly networks: readonly Network[]
  /** Networks beyond the overlay that the host routes to; of a CA: as above. */
  readonly unsafeNetworks: readonly Network[]
  readonly groups: readonly string[]
  readonly isCa: boolean
  /** Epoch milliseconds, whole seconds. */
  readonly notBefore: number
  readonly notAfter: number
  /** Fingerprint of the CA; empty on a CA. */
  readonly issuer: string
  readonly curve: Curve
  /** Raw: of a CA its signing key, of a host its key for key agreement. */
  readonly publicKey: Uint8Array
}

/** Octets of a certificate at most (`MaxCertificateSize` of slackhq/nebula). */
export const LARGEST = 65_536
/** Octets of a name at most (`MaxNameLength`). */
export const LONGEST_NAME = 253

/** The years 1 to 9999, which is what a time of RFC 3339 can say. Seconds. */
const EARLIEST = -62_135_596_800
const LATEST = 253_402_300_799

/** Seconds of a certificate as epoch milliseconds; `undefined` for a time that no calendar has. */
export function moment(seconds: bigint): number | undefined {
  if (seconds < BigInt(EARLIEST) || seconds > BigInt(LATEST)) return undefined
  return Number(seconds) * 1_000
}

/** Epoch milliseconds as seconds of a certificate, downwards. */
export function seconds(at: number): bigint {
  return BigInt(Math.floor(at / 1_000))
}
