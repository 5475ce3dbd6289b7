import { DecryptCommand, EncryptCommand, type KMSClient } from '@aws-sdk/client-kms'
import type { Context } from '../pki/sealed.ts'
import type { Keyhole, Turned } from '../ports/keys.ts'
import { required } from './acm.ts'

/** One KMS key in one region. Errors pass as the SDK throws them: the failover reads their class. */
export function keyhole(client: KMSClient, region: string, key: string): Keyhole {
  return {
    region,
    key,
    async encrypt(plain, context) {
      const out = await client.send(
        new EncryptCommand({ KeyId: key, Plaintext: plain, EncryptionContext: pairs(context) }),
      )
      return turned(out.CiphertextBlob, out.KeyId, out.$metadata.requestId)
    },
    async decrypt(blob, context) {
      const out = await client.send(
        new DecryptCommand({ KeyId: key, CiphertextBlob: blob, EncryptionContext: pairs(context) }),
      )
      return turned(out.Plaintext, out.KeyId, out.$metadata.requestId)
    },
  }
}

function turned(bytes: Uint8Array | undefined, key: string | undefined, requestId = ''): Turned {
  return {
    bytes: required(bytes, 'KMS answered no bytes'),
    key: required(key, 'KMS answered no key id'),
    requestId,
  }
}

function pairs({ org, purpose, secret, version }: Context): Record<string, string> {
  return { org, purpose, secret, version }
}
