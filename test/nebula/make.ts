import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import fc from 'fast-check'
import type { Certificate } from '../../nebula/certificate.ts'
import type { Curve } from '../../nebula/curve.ts'
import type { Details, Version } from '../../nebula/details.ts'
import { fileSigner, rawPair } from '../../nebula/file.ts'
import { compareNetworks, type Network, parseNetwork } from '../../nebula/network.ts'
import type { Use } from '../../nebula/pem.ts'
import { type NebulaCa, signHost, signRoot, type Wish } from '../../nebula/sign.ts'
import { Secret } from '../../pki/secret.ts'

export const NOW = Date.parse('2026-11-29T08:00:00Z')
export const HOUR = 3_600_000
export const VERSIONS: readonly Version[] = [1, 2]
export const CURVES: readonly Curve[] = ['25519', 'P256']
export const KINDS = VERSIONS.flatMap((version) => CURVES.map((curve) => ({ version, curve })))

export function pair(curve: Curve, use: Use) {
  if (curve === 'P256') return rawPair(generateKeyPairSync('ec', { namedCurve: 'P-256' }))
  return rawPair(use === 'sign' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519'))
}

export function net(text: string): Network {
  const one = parseNetwork(text)
  if (one === undefined) throw new Error(`${text} is no network`)
  return one
}

export interface Made extends NebulaCa {
  /** Raw, as a file of nebula-cert holds it. */
  readonly privateKey: Buffer
}

/** The certificate of a CA of now, by a private key on P-256: for the group web in 10.1.0.0/16. */
export function rootOf(privateKey: KeyObject): Promise<Certificate> {
  const raw = rawPair({ privateKey, publicKey: createPublicKey(privateKey) })
  const now = Date.now()
  return signRoot(fileSigner('P256', Secret.of(raw.privateKey)), {
    ...{
      version: 2,
      name: 'acme',
      groups: ['web'],
      networks: [net('10.1.0.0/16')],
      unsafeNetworks: [],
    },
    ...{ notBefore: now - HOUR, notAfter: now + 48 * HOUR },
  })
}

/** A CA with its key at hand. */
export async function makeCa(curve: Curve, wish: Partial<Wish> = {}): Promise<Made> {
  const { privateKey } = pair(curve, 'sign')
  const signer = fileSigner(curve, Secret.of(Buffer.from(privateKey)))
  const whole: Wish = {
    version: 2,
    name: 'ca',
    networks: [],
    unsafeNetworks: [],
    groups: [],
    notBefore: NOW - HOUR,
    notAfter: NOW + 24 * HOUR,
    ...wish,
  }
  return { certificate: await signRoot(signer, whole), signer, privateKey }
}

export interface MadeHost {
  readonly certificate: Certificate
  readonly privateKey: Buffer
}

/** A host of a CA. */
export async function makeHost(ca: NebulaCa, wish: Partial<Wish> = {}): Promise<MadeHost> {
  const { curve, version } = ca.certificate
  const { privateKey, publicKey } = pair(curve, 'agree')
  const whole: Wish = {
    version,
    name: 'host',
    networks: [net('10.1.0.2/16')],
    unsafeNetworks: [],
    groups: [],
    notBefore: NOW,
    notAfter: NOW + HOUR,
    ...wish,
  }
  return { certificate: await signHost(ca, whole, { curve, key: publicKey }), privateKey }
}

/** A copy with other members, as an attacker would write it. */
export function altered(details: Details, change: Partial<Details>): Details {
  return { ...details, ...change }
}

const octets = (size: number) => fc.uint8Array({ minLength: size, maxLength: size })
const four = fc.tuple(octets(4), fc.nat(32))
const six = fc.tuple(octets(16), fc.nat(128))

/** Networks of a version, in order and each once. */
export function networks(version: Version, least: number): fc.Arbitrary<Network[]> {
  return fc
    .array(version === 1 ? four : fc.oneof(four, six), { minLength: least, maxLength: 5 })
    .map((list) =>
      list.map(([address, bits]) => ({
        address: Uint8Array.from([(address[0] ?? 0) | 1, ...address.subarray(1)]),
        bits,
      })),
    )
    .map((list) => list.toSorted(compareNetworks))
    .map((list) =>
      list.filter((one, at) => at === 0 || compareNetworks(one, list[at - 1] ?? one) !== 0),
    )
}

const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
const time = fc.integer({ min: -62_135_596_800, max: 253_402_300_799 }).map((at) => at * 1_000)

/** Anything that a host's or CA's certificate may say. */
export const details: fc.Arbitrary<Details> = fc
  .record({
    version: fc.constantFrom(...VERSIONS),
    curve: fc.constantFrom(...CURVES),
    isCa: fc.boolean(),
  })
  .chain(({ version, curve, isCa }) =>
    fc.record({
      version: fc.constant(version),
      curve: fc.constant(curve),
      isCa: fc.constant(isCa),
      name: word,
      networks: networks(version, isCa ? 0 : 1),
      unsafeNetworks: isCa ? networks(version, 0) : fc.constant<Network[]>([]),
      groups: fc.array(word, { maxLength: 4 }),
      notBefore: time,
      notAfter: time,
      issuer: isCa ? fc.constant('') : octets(32).map((one) => Buffer.from(one).toString('hex')),
      publicKey:
        curve === 'P256'
          ? octets(64).map((one) => Buffer.from([4, ...one]))
          : octets(32).map((one) => Buffer.from(one)),
    }),
  )
