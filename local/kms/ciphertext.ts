import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'
import { AwsError } from '../service.ts'

/** Authenticated, not secret; equal when the pairs are equal, whatever their order. */
export type Context = Readonly<Record<string, string>>

/** What a ciphertext blob says before it is opened. */
export interface Header {
  /** Id of the key, without region: a multi-Region key opens its blobs in each of its regions. */
  readonly key: string
  readonly nonce: Buffer
  readonly tag: Buffer
  readonly body: Buffer
}

const MAGIC = Buffer.from([1, 2, 2, 0])

/** Encrypts under AES-256-GCM; key id and context are authenticated with it. */
export function encrypt(key: string, material: KeyObject, plaintext: Buffer, context: Context) {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', material, nonce)
  cipher.setAAD(associated(key, context))
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()])
  const id = Buffer.from(key)
  return Buffer.concat([MAGIC, Buffer.from([id.length]), id, nonce, cipher.getAuthTag(), body])
}

/** Reads a blob's header; `undefined` when it is not one of ours. */
export function header(blob: Buffer): Header | undefined {
  const start = MAGIC.length + 1
  const length = blob[MAGIC.length] ?? 0
  if (!blob.subarray(0, MAGIC.length).equals(MAGIC) || blob.length < start + length + 28) {
    return undefined
  }
  const nonce = start + length
  return {
    key: blob.toString('latin1', start, nonce),
    nonce: blob.subarray(nonce, nonce + 12),
    tag: blob.subarray(nonce + 12, nonce + 28),
    body: blob.subarray(nonce + 28),
  }
}

/** @throws AwsError InvalidCiphertextException, without a message, as AWS does: whatever is wrong. */
export function decrypt({ key, nonce, tag, body }: Header, material: KeyObject, context: Context) {
  const decipher = createDecipheriv('aes-256-gcm', material, nonce, { authTagLength: 16 })
  decipher.setAAD(associated(key, context))
  decipher.setAuthTag(tag)
  try {
    return Buffer.concat([decipher.update(body), decipher.final()])
  } catch {
    throw new AwsError('InvalidCiphertextException', '')
  }
}

/** Every text is preceded by its length, so that `{ab: 'c'}` and `{a: 'bc'}` differ. */
function associated(key: string, context: Context): Buffer {
  const pairs = Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))
  return Buffer.concat([key, ...pairs.flat()].flatMap(measured))
}

function measured(text: string): Buffer[] {
  const bytes = Buffer.from(text)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return [length, bytes]
}
