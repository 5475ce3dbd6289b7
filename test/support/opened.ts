import { createPrivateKey, type KeyObject } from 'node:crypto'
import { DecryptCommand } from '@aws-sdk/client-kms'
import { ORG, type Stage } from './stage.ts'

/** Which copy of a sealed passphrase is opened, and under what. */
export interface Way {
  /** Default: the current one. */
  readonly version?: string
  /** Region of the copy's key; default: the first. */
  readonly region?: string
  /** Changes the encryption context. */
  readonly context?: Readonly<Record<string, string>>
}

/** The passphrase of a secret's version, sealed or not, as an administrator gets at it. */
export async function passphraseOf(on: Stage, secret: string, way: Way = {}): Promise<Buffer> {
  const { arn, labels } = await on.kept(secret)
  const version = way.version ?? labels['AWSCURRENT'] ?? ''
  const { passphrase, sealedPassphrase } = await on.bundle(secret, version)
  if (passphrase !== undefined) return Buffer.from(passphrase.reveal())
  const copies = sealedPassphrase?.copies ?? []
  const copy = copies.find(({ key }) => way.region === undefined || regionOf(key) === way.region)
  if (copy === undefined) throw new TypeError(`${secret} has no copy for ${way.region}`)
  const command = new DecryptCommand({
    KeyId: copy.key,
    CiphertextBlob: Buffer.from(copy.blob, 'base64'),
    EncryptionContext: { org: ORG, purpose: 'passphrase', secret: arn, version, ...way.context },
  })
  const { Plaintext = new Uint8Array() } = await on.kms(regionOf(copy.key)).send(command)
  return Buffer.from(Plaintext)
}

/** The private key of a secret's version. */
export async function keyOf(on: Stage, secret: string, way: Way = {}): Promise<KeyObject> {
  const { privateKey } = await on.bundle(secret, way.version)
  return createPrivateKey({ key: privateKey, passphrase: await passphraseOf(on, secret, way) })
}

function regionOf(arn: string): string {
  return arn.split(':')[3] ?? ''
}
