import { DecryptCommand, EncryptCommand, type KMSClient } from '@aws-sdk/client-kms'
import type { Context } from '../pki/sealed.ts'
import type { Keyhole, Turned } from '../ports/keys.ts'
import { required } from './acm.ts'

/** Names of attempts, by the input of their command. */
const names = new WeakMap<object, string>()

/** One KMS key in one region. Errors pass as the SDK throws them: the failover reads their class. */
export function keyhole(client: KMSClient, region: string, key: string, former = false): Keyhole {
  client.middlewareStack.add(
    (next) => (args) => {
      const { input, request } = args
      const name = names.get(input)
      // CloudTrail records the user agent: an attempt whose answer was never read has no request id, and is found by this
      if (isRequest(request)) request.headers['user-agent'] += ` certrelay/${name}`
      return next(args)
    },
    { step: 'finalizeRequest', name: 'certrelayAttempt', override: true },
  )
  return {
    region,
    key,
    former,
    async encrypt(plain, context, { signal, id }) {
      const input = { KeyId: key, Plaintext: plain, EncryptionContext: pairs(context) }
      names.set(input, id)
      const out = await client.send(new EncryptCommand(input), { abortSignal: signal })
      return turned(out.CiphertextBlob, out.KeyId, out.$metadata.requestId)
    },
    async decrypt(blob, context, { signal, id }) {
      const input = { KeyId: key, CiphertextBlob: blob, EncryptionContext: pairs(context) }
      names.set(input, id)
      const out = await client.send(new DecryptCommand(input), { abortSignal: signal })
      return turned(out.Plaintext, out.KeyId, out.$metadata.requestId)
    },
  }
}

function isRequest(value: unknown): value is { headers: Record<string, string> } {
  return typeof value === 'object' && value !== null && 'headers' in value
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
