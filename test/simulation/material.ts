import { createPrivateKey, type KeyObject, sign, X509Certificate } from 'node:crypto'
import { encryptKey } from '../../local/x509/pkcs8.ts'
import { authority, leaf, pem, type Authority as Root, spki } from '../../local/x509/x509.ts'
import { plainSerial } from '../../pki/version.ts'
import { DAY, required, START } from '../support/fakes.ts'

/** Names that every certificate of ACM has here. */
export const NAMES = ['color.mesh.internal'] as const
/** Stands out wherever it turns up; several, because each export has another. */
export const PHRASES = Array.from({ length: 4 }, (_, n) => `${'canary-passphrase-'.repeat(2)}${n}`)
export const LIFE = 395 * DAY

/** A certificate and what goes with it. Times in epoch milliseconds. */
export interface Material {
  readonly certificate: string
  /** Lower-case hex without leading zeros. */
  readonly serial: string
  readonly notBefore: number
  readonly notAfter: number
  readonly name: string
  /** What it is to be trusted by, PEM. */
  readonly root: string
  /** Encrypted PKCS#8 by passphrase. */
  readonly keys: ReadonlyMap<string, string>
}

/** A real certificate and key to make others from, and who signs them. */
interface Mold {
  readonly certificate: Buffer
  readonly name: string
  readonly key: Buffer
  readonly keys: ReadonlyMap<string, string>
  readonly signer: KeyObject
  readonly root: string
}

/** What of a mold is replaced by something of the same length. Times in epoch milliseconds. */
interface Shape {
  readonly nth: number
  readonly notBefore: number
  readonly life: number
  readonly name?: string
  /** SPKI, DER. */
  readonly key?: Uint8Array
  readonly keys?: Material['keys']
}

/** Everything that is made once in a process. */
export interface Mint {
  readonly root: string
  /** What is exported beside a leaf: issuer, then root. */
  readonly chain: string
  /** A chain of somebody else's. */
  readonly stranger: string
  make(nth: number, now: number): Material
  /** One with other names. */
  other(nth: number, now: number): Material
  /** An authority of certrelay's own: its root, its issuing certificate, and what it signs for a P-256 key and a name like `own-00000`. */
  readonly own: {
    readonly root: string
    readonly chain: string
    sign(shape: Required<Shape>): Material
  }
}

const MOLDS = 8
/** Of PBKDF2: fewer than ACM's, for keys are opened all the time. */
const ITERATIONS = 128
const life = { notBefore: START - 400 * DAY, notAfter: START + 36_500 * DAY }
let made: Promise<Mint> | undefined

/**
 * Real X.509 that costs little: eight certificates with their keys are made once, and each further one is such a certificate
 * with another serial and validity, signed anew by the same CA. Validity begins on whole days.
 */
export function mint(): Promise<Mint> {
  made ??= establish()
  return made
}

async function establish(): Promise<Mint> {
  const [own, foreign, ours] = [
    await hierarchy('Example'),
    await hierarchy('Stranger'),
    await hierarchy('Own'),
  ]
  const molds = await Promise.all(Array.from({ length: MOLDS }, () => mold(own, NAMES)))
  const stray = await mold(own, ['stranger.mesh.internal'])
  const blank = await mold(ours, ['own-00000.mesh.internal'])
  const yearly = (nth: number, now: number) => {
    return { nth, notBefore: Math.floor(now / DAY) * DAY, life: LIFE }
  }
  return {
    root: own.root,
    chain: `${own.ca.certificate}\n${own.root}`,
    stranger: `${foreign.ca.certificate}\n${foreign.root}`,
    make: (nth, now) => cast(required(molds[nth % MOLDS]), yearly(nth, now)),
    other: (nth, now) => cast(stray, yearly(nth, now)),
    own: {
      root: ours.root,
      chain: ours.ca.certificate,
      sign: (shape) => cast(blank, shape),
    },
  }
}

async function hierarchy(name: string): Promise<{ root: string; ca: Root }> {
  const root = await authority({ name: `${name} Root`, ...life })
  const ca = await authority({ name: `${name} Issuing`, parent: root, pathLength: 0, ...life })
  return { root: root.certificate, ca }
}

async function mold(
  { root, ca }: Awaited<ReturnType<typeof hierarchy>>,
  names: readonly [string],
): Promise<Mold> {
  const serial = `7f${'00'.repeat(15)}`
  const one = await leaf({ parent: ca, names, serial, notBefore: START, notAfter: START + LIFE })
  const plain = one.key.export({ type: 'pkcs8', format: 'pem' }).toString()
  const keys = await Promise.all(
    PHRASES.map(async (phrase) => {
      const key = await encryptKey(plain, Buffer.from(phrase), ITERATIONS)
      return [phrase, key] as const
    }),
  )
  const certificate = new X509Certificate(one.certificate).raw
  const about = { name: names[0], key: spki(one.key), keys: new Map(keys) }
  return { certificate, ...about, signer: ca.key, root }
}

/** RFC 5280 4.1: `SEQUENCE { tbsCertificate, signatureAlgorithm, signature }`; what is replaced keeps its length. */
function cast(mold: Mold, shape: Shape): Material {
  const { certificate, signer, root } = mold
  const { nth, notBefore, name = mold.name, key = mold.key, keys = mold.keys } = shape
  const notAfter = notBefore + shape.life
  const inner = skip(certificate, 0)
  const tbs = Buffer.from(certificate.subarray(inner.body, ends(certificate, inner.body)))
  const serial = find(tbs, '02107f')
  tbs.writeUInt32BE(nth, serial + 14)
  const dates = find(tbs, '170d', serial)
  tbs.write(utc(notBefore), dates + 2, 'ascii')
  tbs.write(utc(notAfter), dates + 17, 'ascii')
  if (key !== mold.key) tbs.set(key, tbs.indexOf(mold.key))
  if (name !== mold.name) rename(tbs, mold.name, name)
  const algorithm = inner.body + tbs.length
  const signature = sign('sha256', tbs, signer)
  const bits = tlv(0x03, Buffer.concat([Buffer.from([0]), signature]))
  const identifier = certificate.subarray(algorithm, ends(certificate, algorithm))
  const der = tlv(0x30, Buffer.concat([tbs, identifier, bits]))
  const hex = plainSerial(tbs.subarray(serial + 2, serial + 18).toString('hex'))
  const about = { name, root, keys }
  return { certificate: pem(der, 'CERTIFICATE'), serial: hex, notBefore, notAfter, ...about }
}

/** In the subject and in the alternative names. */
function rename(bytes: Buffer, from: string, to: string): void {
  for (let at = bytes.indexOf(from); at >= 0; at = bytes.indexOf(from, at + 1))
    bytes.write(to, at, 'ascii')
}

function find(bytes: Buffer, hex: string, from = 0): number {
  return bytes.indexOf(Buffer.from(hex, 'hex'), from)
}

/** Where the content of the element at `at` begins, and how long it is (X.690 8.1.3). */
function skip(der: Buffer, at: number): { readonly body: number; readonly length: number } {
  const first = der[at + 1] ?? 0
  if (first < 0x80) return { body: at + 2, length: first }
  const count = first & 0x7f
  return { body: at + 2 + count, length: der.readUIntBE(at + 2, count) }
}

function ends(der: Buffer, at: number): number {
  const { body, length } = skip(der, at)
  return body + length
}

function tlv(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

/** UTCTime, RFC 5280 4.1.2.5.1. */
function utc(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(2, 19).replace(/[-T:]/g, '')}Z`
}

/** Whether certificate, key and passphrase belong together, by real cryptography. */
export function fits(certificate: string, privateKey: string, passphrase: string): boolean {
  const one = new X509Certificate(certificate)
  return one.checkPrivateKey(createPrivateKey({ key: privateKey, passphrase }))
}
