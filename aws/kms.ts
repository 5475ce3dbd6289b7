import {
  DecryptCommand,
  EncryptCommand,
  GetPublicKeyCommand,
  type KMSClient,
  ListResourceTagsCommand,
  SignCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-kms'
import { type Context, pairs } from '../pki/sealed.ts'
import type { Keyhole, Pen, Turned } from '../ports/keys.ts'
import type { Signing } from '../ports/signer.ts'
import { required } from './acm.ts'

/** Names of attempts, by the input of their command. */
const names = new WeakMap<object, string>()

/** One KMS key in one region. Errors pass as the SDK throws them: the failover reads their class. */
export function keyhole(client: KMSClient, region: string, key: string, former = false): Keyhole {
  mark(client)
  return {
    region,
    key,
    former,
    async encrypt(plain, context, { signal, id }) {
      const input = { KeyId: key, Plaintext: plain, EncryptionContext: bound(context) }
      names.set(input, id)
      const out = await client.send(new EncryptCommand(input), { abortSignal: signal })
      return turned(out.CiphertextBlob, out.KeyId, out.$metadata.requestId)
    },
    async decrypt(blob, context, { signal, id }) {
      const input = { KeyId: key, CiphertextBlob: blob, EncryptionContext: bound(context) }
      names.set(input, id)
      const out = await client.send(new DecryptCommand(input), { abortSignal: signal })
      return turned(out.Plaintext, out.KeyId, out.$metadata.requestId)
    },
  }
}

/** An asymmetric KMS key in one region, which signs. */
export function pen(client: KMSClient, region: string, key: string): Pen {
  mark(client)
  return {
    region,
    key,
    async sign({ signing, message }, { signal, id }) {
      const input = {
        KeyId: key,
        Message: message,
        MessageType: signing === 'Ed25519' ? ('RAW' as const) : ('DIGEST' as const),
        SigningAlgorithm: ALGORITHM[signing],
      }
      names.set(input, id)
      const out = await client.send(new SignCommand(input), { abortSignal: signal })
      return turned(out.Signature, out.KeyId, out.$metadata.requestId)
    },
    async publicKey({ signal, id }) {
      const input = { KeyId: key }
      names.set(input, id)
      const out = await client.send(new GetPublicKeyCommand(input), { abortSignal: signal })
      return turned(out.PublicKey, out.KeyId, out.$metadata.requestId)
    },
    async tag(name, { signal, id }) {
      const input = { KeyId: key } // a key has 50 tags at most, and a page as many
      names.set(input, id)
      const out = await client.send(new ListResourceTagsCommand(input), { abortSignal: signal })
      const value = out.Tags?.find(({ TagKey }) => TagKey === name)?.TagValue ?? ''
      return turned(Buffer.from(value, 'utf8'), key, out.$metadata.requestId)
    },
    async untag(name, { signal, id }) {
      const input = { KeyId: key, TagKeys: [name] } // one that it does not have is no error to KMS
      names.set(input, id)
      const out = await client.send(new UntagResourceCommand(input), { abortSignal: signal })
      return turned(new Uint8Array(), key, out.$metadata.requestId)
    },
  }
}

/** https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html; the hashes are those of pki/signing.ts. */
const ALGORITHM = {
  'P-256': 'ECDSA_SHA_256',
  'P-384': 'ECDSA_SHA_384',
  'P-521': 'ECDSA_SHA_512',
  'RSA-2048': 'RSASSA_PKCS1_V1_5_SHA_256',
  'RSA-3072': 'RSASSA_PKCS1_V1_5_SHA_384',
  'RSA-4096': 'RSASSA_PKCS1_V1_5_SHA_512',
  Ed25519: 'ED25519_SHA_512',
} as const satisfies Record<Signing, string>

/** CloudTrail records the user agent: an attempt whose answer was never read has no request id, and is found by its name there. */
function mark(client: KMSClient): void {
  client.middlewareStack.add(
    (next) => (args) => {
      const { input, request } = args
      const name = names.get(input)
      if (isRequest(request)) request.headers['user-agent'] += ` certrelay/${name}`
      return next(args)
    },
    { step: 'finalizeRequest', name: 'certrelayAttempt', override: true },
  )
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

/** Never without a context: it would be opened by whoever may use the key. */
function bound(context: Context): Record<string, string> {
  const whole = pairs(context)
  if (whole === undefined) throw new TypeError('an encryption context that is not whole')
  return { ...whole }
}
