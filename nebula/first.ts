import { hex } from '../pki/names.ts'
import { CURVE_NUMBER, type Curve } from './curve.ts'
import { type Details, moment, seconds } from './details.ts'
import { Flawed } from './flaw.ts'
import type { Network } from './network.ts'
import { type Field, fields, number, numeric, octets, present, unpacked } from './proto.ts'
import { utf8 } from './text.ts'

/** Numbers of the fields (cert/cert_v1.proto of slackhq/nebula). */
const FIELD = {
  name: 1,
  networks: 2,
  unsafeNetworks: 3,
  groups: 4,
  notBefore: 5,
  notAfter: 6,
  publicKey: 7,
  isCa: 8,
  issuer: 9,
  curve: 100,
} as const
const KNOWN: readonly number[] = Object.values(FIELD)

/** What a signature of version 1 covers: the details in canonical protobuf. */
export function detailsOctets(details: Details): Buffer {
  return Buffer.concat([
    present(FIELD.name, Buffer.from(details.name)),
    present(FIELD.networks, pairs(details.networks)),
    present(FIELD.unsafeNetworks, pairs(details.unsafeNetworks)),
    ...details.groups.map((group) => octets(FIELD.groups, Buffer.from(group))),
    numeric(FIELD.notBefore, seconds(details.notBefore)),
    numeric(FIELD.notAfter, seconds(details.notAfter)),
    present(FIELD.publicKey, details.publicKey),
    numeric(FIELD.isCa, details.isCa ? 1n : 0n),
    present(FIELD.issuer, Buffer.from(details.issuer, 'hex')),
    numeric(FIELD.curve, BigInt(CURVE_NUMBER[details.curve])),
  ])
}

function pairs(networks: readonly Network[]): Buffer {
  const list = networks.flatMap(({ address, bits }) => [word(address), mask(bits)])
  return Buffer.concat(list.map((value) => number(value)))
}

function word(address: Uint8Array): bigint {
  return BigInt(Buffer.from(address).readUInt32BE(0))
}

function mask(bits: number): bigint {
  return BigInt.asUintN(32, 0xffff_ffffn << BigInt(32 - bits))
}

/** A whole certificate of version 1. */
export function firstOctets(details: Details, signature: Uint8Array): Buffer {
  return Buffer.concat([octets(1, detailsOctets(details)), present(2, signature)])
}

/** Reads a certificate of version 1; whether it was canonical only writing it again can say. @throws Flawed */
export function readFirst(bytes: Buffer): { details: Details; signature: Buffer } {
  const outer = fields(bytes)
  const details = outer.find((one) => one.number === 1)
  if (details === undefined) throw new Flawed('encoding', 'no details')
  const signature = outer.find((one) => one.number === 2)
  return {
    details: readDetails(octetsOf(details)),
    signature: signature === undefined ? Buffer.alloc(0) : octetsOf(signature),
  }
}

function readDetails(bytes: Buffer): Details {
  const all = fields(bytes)
  const stray = all.find((one) => !KNOWN.includes(one.number))
  if (stray !== undefined) throw new Flawed('encoding', `field ${stray.number} is unknown`)
  const one = (wanted: number) => all.find((field) => field.number === wanted)
  const data = (wanted: number) =>
    octetsOf(one(wanted) ?? { number: wanted, value: Buffer.alloc(0) })
  const count = (wanted: number) => numberOf(one(wanted) ?? { number: wanted, value: 0n })
  return {
    version: 1,
    name: utf8(data(FIELD.name), 'name'),
    networks: networks(data(FIELD.networks)),
    unsafeNetworks: networks(data(FIELD.unsafeNetworks)),
    groups: all
      .filter((field) => field.number === FIELD.groups)
      .map((field) => utf8(octetsOf(field), 'group')),
    notBefore: time(count(FIELD.notBefore)),
    notAfter: time(count(FIELD.notAfter)),
    publicKey: data(FIELD.publicKey),
    isCa: count(FIELD.isCa) !== 0n,
    issuer: hex(data(FIELD.issuer)),
    curve: curve(count(FIELD.curve)),
  }
}

function octetsOf({ number: field, value }: Field): Buffer {
  if (typeof value === 'bigint') throw new Flawed('encoding', `field ${field} is a number`)
  return value
}

function numberOf({ number: field, value }: Field): bigint {
  if (typeof value !== 'bigint') throw new Flawed('encoding', `field ${field} is no number`)
  return value
}

function networks(packed: Buffer): Network[] {
  const words = unpacked(packed)
  if (words.length % 2 !== 0) throw new Flawed('encoding', 'an address without its mask')
  return words.flatMap((address, at) =>
    at % 2 === 0 ? [network(address, words[at + 1] ?? 0n)] : [],
  )
}

function network(address: bigint, wanted: bigint): Network {
  const bits = 32 - (0xffff_ffffn - wanted).toString(2).replace(/^0$/, '').length
  if (address > 0xffff_ffffn || wanted > 0xffff_ffffn || mask(bits) !== wanted)
    throw new Flawed('encoding', 'a mask with holes')
  const octets4 = Buffer.alloc(4)
  octets4.writeUInt32BE(Number(address))
  return { address: octets4, bits }
}

function time(value: bigint): number {
  const at = moment(BigInt.asIntN(64, value))
  if (at === undefined) throw new Flawed('time', 'a time outside of the years 1 to 9999')
  return at
}

function curve(value: bigint): Curve {
  if (value > 1n) throw new Flawed('key', `curve ${value} is unknown`)
  return value === 1n ? 'P256' : '25519'
}
