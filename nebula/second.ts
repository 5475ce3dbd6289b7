import { content, context, type Element, enter, items, Malformed, TAG, whole } from '../pki/der.ts'
import { encode, type Tree } from '../pki/encode.ts'
import { hex } from '../pki/names.ts'
import { integer } from '../pki/values.ts'
import { CURVE_NUMBER, type Curve } from './curve.ts'
import { type Details, moment, seconds } from './details.ts'
import { Flawed } from './flaw.ts'
import type { Network } from './network.ts'
import { utf8 } from './text.ts'

/** Tags of the fields (cert/cert_v2.asn1 of slackhq/nebula: AUTOMATIC TAGS). */
const PART = {
  details: context(0, true),
  curve: context(1),
  publicKey: context(2),
  signature: context(3),
} as const
const FIELD = {
  name: context(0),
  networks: context(1, true),
  unsafeNetworks: context(2, true),
  groups: context(3, true),
  isCa: context(4),
  notBefore: context(5),
  notAfter: context(6),
  issuer: context(7),
} as const

/** The details alone, with tag and length. */
export function detailsElement(details: Details): Buffer {
  const { name, networks, unsafeNetworks, groups, isCa, issuer } = details
  return Buffer.from(
    encode({
      tag: PART.details,
      parts: [
        leaf(FIELD.name, Buffer.from(name)),
        ...list(
          FIELD.networks,
          networks.map((one) => leaf(TAG.octets, networkOctets(one))),
        ),
        ...list(
          FIELD.unsafeNetworks,
          unsafeNetworks.map((one) => leaf(TAG.octets, networkOctets(one))),
        ),
        ...list(
          FIELD.groups,
          groups.map((group) => leaf(TAG.utf8, Buffer.from(group))),
        ),
        ...(isCa ? [leaf(FIELD.isCa, Uint8Array.of(0xff))] : []),
        leaf(FIELD.notBefore, integerOctets(seconds(details.notBefore))),
        leaf(FIELD.notAfter, integerOctets(seconds(details.notAfter))),
        ...(issuer === '' ? [] : [leaf(FIELD.issuer, Buffer.from(issuer, 'hex'))]),
      ],
    }),
  )
}

function leaf(tag: number, octets: Uint8Array): Tree {
  return { tag, content: octets }
}

function list(tag: number, parts: readonly Tree[]): Tree[] {
  return parts.length === 0 ? [] : [{ tag, parts }]
}

function networkOctets({ address, bits }: Network): Buffer {
  return Buffer.concat([address, Uint8Array.of(bits)])
}

/** The shortest two's complement (X.690 8.3). */
function integerOctets(value: bigint): Buffer {
  const octets = Buffer.alloc(8)
  octets.writeBigInt64BE(value)
  let start = 0
  while (start < 7 && redundant(octets[start] ?? 0, octets[start + 1] ?? 0)) start++
  return octets.subarray(start)
}

function redundant(first: number, next: number): boolean {
  return (first === 0 && next < 0x80) || (first === 0xff && next >= 0x80)
}

/** What a signature of version 2 covers: details, the curve even when it is the usual one, public key. */
export function signedSecond(details: Details): Buffer {
  const { curve, publicKey } = details
  return Buffer.concat([detailsElement(details), Uint8Array.of(CURVE_NUMBER[curve]), publicKey])
}

/** A whole certificate of version 2. */
export function secondOctets(details: Details, signature: Uint8Array): Buffer {
  const { curve, publicKey } = details
  const rest = Buffer.concat([
    ...(curve === '25519' ? [] : [encode(leaf(PART.curve, Uint8Array.of(CURVE_NUMBER[curve])))]),
    encode(leaf(PART.publicKey, publicKey)),
    encode(leaf(PART.signature, signature)),
  ])
  const body = Buffer.concat([detailsElement(details), rest])
  return Buffer.from(encode(leaf(TAG.sequence, body)))
}

/** Reads a certificate of version 2. @throws Flawed */
export function readSecond(bytes: Buffer): { details: Details; signature: Buffer } {
  try {
    return read(bytes)
  } catch (error) {
    if (error instanceof Malformed) throw new Flawed('encoding', `not DER at octet ${error.at}`)
    throw error
  }
}

function read(bytes: Buffer): { details: Details; signature: Buffer } {
  const parts = enter(whole(bytes))
  const inside = parts.next(PART.details)
  const curve = curveOf(parts.optional(PART.curve))
  const publicKey = content(parts.next(PART.publicKey))
  const signature = content(parts.next(PART.signature))
  parts.close()
  return { details: readDetails(inside, curve, publicKey), signature }
}

function readDetails(one: Element, curve: Curve, publicKey: Buffer): Details {
  const all = enter(one, PART.details)
  const details: Details = {
    version: 2,
    name: utf8(content(all.next(FIELD.name)), 'name'),
    networks: networks(all.optional(FIELD.networks)),
    unsafeNetworks: networks(all.optional(FIELD.unsafeNetworks)),
    groups: parts(all.optional(FIELD.groups), TAG.utf8).map((group) => utf8(group, 'group')),
    isCa: flag(all.optional(FIELD.isCa)),
    notBefore: time(all.next(FIELD.notBefore)),
    notAfter: time(all.next(FIELD.notAfter)),
    issuer: hex(issuerOf(all.optional(FIELD.issuer))),
    curve,
    publicKey,
  }
  all.close()
  return details
}

function parts(one: Element | undefined, tag: number): Buffer[] {
  if (one === undefined) return []
  return items(one, one.tag).map((part) => {
    if (part.tag !== tag) throw new Malformed(part.start)
    return content(part)
  })
}

function networks(one: Element | undefined): Network[] {
  return parts(one, TAG.octets).map((octets) => {
    const bits = octets.at(-1) ?? 0
    const address = octets.subarray(0, -1)
    const known = address.length === 4 || address.length === 16
    if (!known || bits > address.length * 8) throw new Flawed('encoding', 'a network that is none')
    return { address, bits }
  })
}

function curveOf(one: Element | undefined): Curve {
  if (one === undefined) return '25519'
  const [number, ...more] = content(one)
  if (number !== CURVE_NUMBER.P256 || more.length > 0)
    throw new Flawed('key', 'a curve that is unknown')
  return 'P256'
}

function flag(one: Element | undefined): boolean {
  if (one === undefined) return false
  const octets = content(one)
  if (octets.length !== 1 || octets[0] !== 0xff) throw new Malformed(one.body)
  return true
}

function time(one: Element): number {
  const octets = integer(one, one.tag)
  if (octets.length > 8) throw new Malformed(one.body)
  const at = moment(BigInt.asIntN(octets.length * 8, BigInt(`0x${hex(octets)}`)))
  if (at === undefined) throw new Flawed('time', 'a time outside of the years 1 to 9999')
  return at
}

function issuerOf(one: Element | undefined): Buffer {
  if (one === undefined) return Buffer.alloc(0)
  const octets = content(one)
  if (octets.length === 0) throw new Malformed(one.body)
  return octets
}
