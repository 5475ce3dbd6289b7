import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { CreateKeyCommand, type KeySpec, KMSClient, ReplicateKeyCommand } from '@aws-sdk/client-kms'
import type { Local } from '../../local/index.ts'
import type { Signing } from '../../ports/signer.ts'
import { client } from './client.ts'
import { openssl } from './openssl.ts'

export const SIGNINGS: readonly Signing[] = [
  ...(['P-256', 'P-384', 'P-521', 'RSA-2048', 'RSA-3072', 'RSA-4096', 'Ed25519'] as const),
]

const SPECS: Readonly<Record<Signing, KeySpec>> = {
  'P-256': 'ECC_NIST_P256',
  'P-384': 'ECC_NIST_P384',
  'P-521': 'ECC_NIST_P521',
  'RSA-2048': 'RSA_2048',
  'RSA-3072': 'RSA_3072',
  'RSA-4096': 'RSA_4096',
  Ed25519: 'ECC_NIST_EDWARDS25519',
}

/** A fresh private key, and a self-signed certificate of it (by OpenSSL), PEM. */
export async function selfSigned(
  algorithm: Signing,
  given?: KeyObject,
): Promise<{ readonly key: KeyObject; readonly certificate: string }> {
  const key = given ?? fresh(algorithm)
  const pem = key.export({ format: 'pem', type: 'pkcs8' }).toString()
  const certificate = await openssl(
    { key: pem },
    ...['req', '-x509', '-new', '-key', '@key', '-subj', '/CN=test CA', '-days', '30'],
  )
  return { key, certificate }
}

export function fresh(algorithm: Signing): KeyObject {
  if (algorithm === 'Ed25519') return generateKeyPairSync('ed25519').privateKey
  if (algorithm.startsWith('RSA'))
    return generateKeyPairSync('rsa', { modulusLength: Number(algorithm.slice(4)) }).privateKey
  return generateKeyPairSync('ec', { namedCurve: algorithm }).privateKey
}

/** A multi-Region key that signs, in both regions of a local AWS; ARNs, the first region's first. */
export async function signingKeys(
  aws: Local,
  algorithm: Signing,
  tags: Readonly<Record<string, string>> = {},
): Promise<readonly [string, string]> {
  const Tags = Object.entries(tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue }))
  const kms = new KMSClient(client(aws))
  const { KeyMetadata } = await kms.send(
    new CreateKeyCommand({
      ...{ KeySpec: SPECS[algorithm], KeyUsage: 'SIGN_VERIFY', MultiRegion: true, Tags },
    }),
  )
  const KeyId = KeyMetadata?.Arn ?? ''
  const { ReplicaKeyMetadata } = await kms.send(
    new ReplicateKeyCommand({ KeyId, ReplicaRegion: 'us-west-2', Tags }),
  )
  kms.destroy()
  await aws.clock.advance(5_000)
  return [KeyId, ReplicaKeyMetadata?.Arn ?? '']
}

/** A PKCS#10 request of a fresh P-256 key, DER. */
export async function csr(name: string, names: readonly string[]): Promise<Uint8Array> {
  const key = fresh('P-256').export({ format: 'pem', type: 'pkcs8' }).toString()
  const san = names.map((one) => `${/^[0-9.]+$/.test(one) ? 'IP' : 'DNS'}:${one}`).join(',')
  const text = await openssl(
    { key },
    ...['req', '-new', '-key', '@key', '-subj', `/CN=${name}`],
    ...['-addext', `subjectAltName=${san}`],
  )
  return Buffer.from(text.replace(/-----[^-]+-----|\s/g, ''), 'base64')
}
