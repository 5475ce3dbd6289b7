import {
  constants,
  createHash,
  createPublicKey,
  type KeyObject,
  privateEncrypt,
  publicDecrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import { signPoint, verifyPoint } from './ecdsa.ts'

/** How a digest becomes a signature: `hash` as node:crypto names it. */
export interface Method {
  readonly scheme: 'pss' | 'pkcs1' | 'ecdsa' | 'ed25519'
  readonly hash: 'sha256' | 'sha384' | 'sha512'
}

/** Signs a digest that the caller computed (Ed25519: the message); node:crypto itself only signs what it has hashed. */
export function signDigest({ scheme, hash }: Method, key: KeyObject, digest: Buffer): Buffer {
  if (scheme === 'ed25519') return sign(null, digest, key)
  if (scheme === 'ecdsa') return signPoint(key, digest)
  if (scheme === 'pkcs1') return privateEncrypt(key, Buffer.concat([PREFIXES[hash], digest]))
  const raw = pad(hash, digest, randomBytes(digest.length), bits(key) - 1)
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, raw)
}

/** Verifies a signature over a digest; any defect is `false`. */
export function verifyDigest(
  { scheme, hash }: Method,
  key: KeyObject,
  digest: Buffer,
  signature: Buffer,
): boolean {
  if (scheme === 'ed25519') return verify(null, digest, key, signature)
  if (scheme === 'ecdsa') return verifyPoint(key, digest, signature)
  try {
    if (scheme === 'pkcs1') {
      return publicDecrypt(key, signature).equals(Buffer.concat([PREFIXES[hash], digest]))
    }
    const raw = publicDecrypt({ key, padding: constants.RSA_NO_PADDING }, signature)
    return raw.equals(pad(hash, digest, salt(hash, raw, bits(key) - 1), bits(key) - 1))
  } catch {
    return false // a signature of the wrong size or padding
  }
}

/** DigestInfo before the digest: RFC 8017, section 9.2, note 1. */
const PREFIXES = {
  sha256: Buffer.from('3031300d060960864801650304020105000420', 'hex'),
  sha384: Buffer.from('3041300d060960864801650304020205000430', 'hex'),
  sha512: Buffer.from('3051300d060960864801650304020305000440', 'hex'),
}

/** EMSA-PSS encoding with MGF1 of the same hash: RFC 8017, section 9.1.1. */
function pad(hash: string, digest: Buffer, salt: Buffer, size: number): Buffer {
  const check = createHash(hash).update(Buffer.alloc(8)).update(digest).update(salt).digest()
  const length = Math.ceil(size / 8) - check.length - 1
  const block = Buffer.alloc(length)
  block[length - salt.length - 1] = 1
  salt.copy(block, length - salt.length)
  const masked = xor(block, mask(hash, check, length))
  masked[0] = (masked[0] ?? 0) & (0xff >> (8 * Math.ceil(size / 8) - size))
  return Buffer.concat([masked, check, Buffer.from([0xbc])])
}

/** The salt that a PSS block holds when it is a good one: the last bytes of the unmasked block. */
function salt(hash: string, raw: Buffer, size: number): Buffer {
  const length = createHash(hash).digest().length
  const end = Math.ceil(size / 8) - length - 1
  const check = raw.subarray(end, end + length)
  return xor(raw.subarray(0, end), mask(hash, check, end)).subarray(end - length)
}

/** MGF1: RFC 8017, appendix B.2.1. */
function mask(hash: string, seed: Buffer, length: number): Buffer {
  const blocks: Buffer[] = []
  for (let counter = 0; Buffer.concat(blocks).length < length; counter++) {
    const number = Buffer.alloc(4)
    number.writeUInt32BE(counter)
    blocks.push(createHash(hash).update(seed).update(number).digest())
  }
  return Buffer.concat(blocks).subarray(0, length)
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)))
}

function bits(key: KeyObject): number {
  const details = (key.type === 'private' ? createPublicKey(key) : key).asymmetricKeyDetails
  return details?.modulusLength ?? 0
}
