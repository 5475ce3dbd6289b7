import { createECDH, type KeyObject } from 'node:crypto'

/** A NIST curve: `name` as OpenSSL writes it, prime of the field, order of the group. */
interface Curve {
  readonly name: string
  readonly prime: bigint
  readonly order: bigint
}
type Point = { readonly x: bigint; readonly y: bigint } | undefined

/** FIPS 186-4, appendix D.1.2, by the names of JSON Web Keys. */
const CURVES: Readonly<Record<string, Curve>> = {
  'P-256': {
    name: 'prime256v1',
    prime: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  },
  'P-384': {
    name: 'secp384r1',
    prime: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    order:
      0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
  },
  'P-521': {
    name: 'secp521r1',
    prime: 2n ** 521n - 1n,
    order:
      0x1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
  },
}

/** ECDSA over a digest, in DER: FIPS 186-4, section 6.4. */
export function signPoint(key: KeyObject, digest: Buffer): Buffer {
  const { curve, d } = open(key)
  const once = createECDH(curve.name)
  const { x } = point(once.generateKeys())
  const k = number(once.getPrivateKey())
  const r = x % curve.order
  const s = (inverse(k, curve.order) * (scalar(digest, curve) + r * d)) % curve.order
  return r === 0n || s === 0n ? signPoint(key, digest) : encode(r, s)
}

/** Verifies a DER signature over a digest; any defect is `false`. */
export function verifyPoint(key: KeyObject, digest: Buffer, signature: Buffer): boolean {
  const { curve, q } = open(key)
  const pair = decode(signature)
  if (pair === undefined) return false
  const { r, s } = pair
  if (r <= 0n || r >= curve.order || s <= 0n || s >= curve.order) return false
  const w = inverse(s, curve.order)
  const g = point(base(curve))
  const sum = add(
    multiply(g, (scalar(digest, curve) * w) % curve.order, curve.prime),
    multiply(q, (r * w) % curve.order, curve.prime),
    curve.prime,
  )
  return sum !== undefined && sum.x % curve.order === r
}

function open(key: KeyObject) {
  const { crv = '', x = '', y = '', d = '' } = key.export({ format: 'jwk' })
  const curve = CURVES[crv]
  if (curve === undefined) throw new TypeError(`no curve ${crv}`)
  const part = (text: string) => number(Buffer.from(text, 'base64url'))
  return { curve, d: part(d), q: { x: part(x), y: part(y) } }
}

function base({ name }: Curve): Buffer {
  const one = createECDH(name)
  one.setPrivateKey(Buffer.from([1]))
  return one.getPublicKey()
}

function point(uncompressed: Buffer): { x: bigint; y: bigint } {
  const half = (uncompressed.length - 1) / 2
  return {
    x: number(uncompressed.subarray(1, 1 + half)),
    y: number(uncompressed.subarray(1 + half)),
  }
}

/** The leftmost bits of the digest, as many as the order has. */
function scalar(digest: Buffer, { order }: Curve): bigint {
  const excess = digest.length * 8 - order.toString(2).length
  return excess > 0 ? number(digest) >> BigInt(excess) : number(digest)
}

function add(a: Point, b: Point, p: bigint): Point {
  if (a === undefined) return b
  if (b === undefined) return a
  if (a.x === b.x && a.y !== b.y) return undefined
  const slope =
    a.x === b.x
      ? (3n * a.x * a.x - 3n) * inverse(2n * a.y, p)
      : (b.y - a.y) * inverse(modulo(b.x - a.x, p), p)
  const x = modulo(slope * slope - a.x - b.x, p)
  return { x, y: modulo(slope * (a.x - x) - a.y, p) }
}

function multiply(start: Point, times: bigint, p: bigint): Point {
  let sum: Point
  let double = start
  for (let left = times; left > 0n; left >>= 1n) {
    if (left & 1n) sum = add(sum, double, p)
    double = add(double, double, p)
  }
  return sum
}

function inverse(value: bigint, p: bigint): bigint {
  let [a, b, x, y] = [modulo(value, p), p, 1n, 0n]
  while (b > 0n) {
    const quotient = a / b
    ;[a, b, x, y] = [b, a - quotient * b, y, x - quotient * y]
  }
  return modulo(x, p)
}

const modulo = (value: bigint, p: bigint) => ((value % p) + p) % p
const number = (bytes: Buffer) => (bytes.length === 0 ? 0n : BigInt(`0x${bytes.toString('hex')}`))

/** SEQUENCE { r INTEGER, s INTEGER }; never longer than 139 bytes. */
function encode(r: bigint, s: bigint): Buffer {
  const body = Buffer.concat([integer(r), integer(s)])
  return Buffer.concat([
    Buffer.from(body.length < 128 ? [0x30] : [0x30, 0x81]),
    Buffer.from([body.length]),
    body,
  ])
}

function integer(value: bigint): Buffer {
  const hex = value.toString(16)
  const even = hex.length % 2 === 0 ? hex : `0${hex}`
  const bytes = Buffer.from(/^[89a-f]/.test(even) ? `00${even}` : even, 'hex')
  return Buffer.concat([Buffer.from([2, bytes.length]), bytes])
}

function decode(der: Buffer): { r: bigint; s: bigint } | undefined {
  const start = der[1] === 0x81 ? 3 : 2
  const middle = start + 2 + (der[start + 1] ?? 0)
  const r = number(der.subarray(start + 2, middle))
  const s = number(der.subarray(middle + 2))
  return encode(r, s).equals(der) ? { r, s } : undefined
}
