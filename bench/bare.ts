import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { KEYS, settings } from './places.ts'

// A handler with two clients and nothing else: what bench/cold.ts measures the middleware against.

const clients = KEYS.map((_, index) => new KMSClient(settings(index)))

export async function handler(sealed: { readonly copies: readonly { readonly blob: string }[] }) {
  for (const [index, client] of clients.entries()) {
    const { blob = '' } = sealed.copies[index] ?? {}
    const command = new DecryptCommand({
      KeyId: KEYS[index],
      CiphertextBlob: Buffer.from(blob, 'base64'),
      EncryptionContext: {
        org: 'acme',
        purpose: 'passphrase',
        secret: 'arn:secret',
        version: 'v1',
      },
    })
    const { Plaintext } = await client.send(command)
    if (Plaintext !== undefined) return Plaintext.length
  }
  return 0
}
