import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { RelayError } from '../../pki/error.ts'
import type { Context } from '../../pki/sealed.ts'
import { Secret } from '../../pki/secret.ts'
import type { Keys } from '../../ports/keys.ts'

const ARN = 'arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555'

/** Keys in one region, bound to their context as KMS binds them. */
export function keys(): Keys {
  const key = randomBytes(32)
  const aad = (context: Context) => Buffer.from(JSON.stringify(context))
  return {
    keys: [ARN],
    async seal(bytes, context) {
      const iv = randomBytes(12)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad(context))
      const body = Buffer.concat([cipher.update(bytes.reveal()), cipher.final()])
      const blob = Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64')
      return { v: 1, copies: [{ key: ARN, blob }] }
    },
    async open({ copies }, context) {
      const blob = Buffer.from(copies[0]?.blob ?? '', 'base64')
      const decipher = createDecipheriv('aes-256-gcm', key, blob.subarray(0, 12))
      decipher.setAAD(aad(context)).setAuthTag(blob.subarray(12, 28))
      try {
        return Secret.of(Buffer.concat([decipher.update(blob.subarray(28)), decipher.final()]))
      } catch {
        throw new RelayError('CONTEXT_MISMATCH', 'not what was sealed') // GCM says no more
      }
    },
  }
}
