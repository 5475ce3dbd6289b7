import { enter, Malformed, TAG, whole } from '../pki/der.ts'
import { encode } from '../pki/encode.ts'
import { hex } from '../pki/names.ts'
import { integer } from '../pki/values.ts'

/** The order of P-256's group (FIPS 186-5, SP 800-186 3.2.1.3). */
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
const HALF = N >> 1n

interface Pair {
  readonly r: bigint
  readonly s: bigint
}

/**
 * An ECDSA signature with its low S, DER in the shortest form: of (r, s) and (r, n−s), which are both valid, the one that
 * Nebula makes since 1.10.3, so that nobody turns a certificate into another with its own fingerprint (GHSA-69x3-g4r3-p962).
 * @returns `undefined` when it is no signature of P-256
 */
export function lowered(signature: Uint8Array): Buffer | undefined {
  const pair = read(signature)
  return pair && write(pair.s > HALF ? { r: pair.r, s: N - pair.s } : pair)
}

/** The other of the two signatures; `undefined` when it is none. */
export function swapped(signature: Uint8Array): Buffer | undefined {
  const pair = read(signature)
  return pair && write({ r: pair.r, s: N - pair.s })
}

/** Whether a signature is one of P-256, in DER, and has its low S. */
export function isLow(signature: Uint8Array): boolean {
  const pair = read(signature)
  return pair !== undefined && pair.s <= HALF
}

/** ECDSA-Sig-Value (RFC 3279 2.2.3), both from 1 to n−1. */
function read(signature: Uint8Array): Pair | undefined {
  try {
    const parts = enter(whole(signature))
    const [r, s] = [parts.next(TAG.integer), parts.next(TAG.integer)].map((one) =>
      positive(integer(one)),
    )
    parts.close()
    return r === undefined || s === undefined ? undefined : { r, s }
  } catch (error) {
    if (error instanceof Malformed) return undefined
    throw error
  }
}

/** @throws Malformed */
function positive(octets: Uint8Array): bigint {
  const value = BigInt(`0x${hex(octets)}`)
  if ((octets[0] ?? 0) >= 0x80 || value === 0n || value >= N) throw new Malformed(0)
  return value
}

function write({ r, s }: Pair): Buffer {
  const parts = [r, s].map((value) => ({ tag: TAG.integer, content: unsigned(value) }))
  return Buffer.from(encode({ tag: TAG.sequence, parts }))
}

function unsigned(value: bigint): Buffer {
  const digits = value.toString(16)
  const octets = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex')
  return (octets[0] ?? 0) < 0x80 ? octets : Buffer.concat([Uint8Array.of(0), octets])
}
