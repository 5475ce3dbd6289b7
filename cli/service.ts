import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CreateKeyCommand, DecryptCommand } from '@aws-sdk/client-kms'
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import { parseBundle } from '../pki/bundle.ts'
import { keyRegion } from '../pki/sealed.ts'
import { REGIONS, type Scene } from './scene.ts'
import type { Identity } from './traffic.ts'

/** A key of KMS in each region. */
export function newKeys({ kms }: Scene, what: string): Promise<readonly string[]> {
  return Promise.all(
    REGIONS.map(async (region) => {
      const { KeyMetadata } = await kms(region).send(new CreateKeyCommand({ Description: what }))
      return KeyMetadata?.Arn ?? ''
    }),
  )
}

/** Deploys the stack of the signing authority. Returns the ARN of the function that signs. */
export async function isolated(scene: Scene): Promise<string> {
  const keys = await newKeys(scene, 'seals CA keys')
  const template = join(scene.beside, 'cloudformation-template-update-stack.json')
  const outputs = await scene.aws.deploy({
    name: 'certrelay-authority',
    template: await readFile(template, 'utf8'),
    parameters: { Org: 'acme', Keys: keys.join(',') },
  })
  return outputs['SignFunction'] ?? ''
}

/** What a client of TLS needs from a secret, its passphrase opened as an administrator may. */
export async function identityIn(scene: Scene, secret: string): Promise<Identity> {
  const read = new GetSecretValueCommand({ SecretId: secret })
  const { ARN = '', VersionId = '', SecretString = '' } = await scene.secrets.send(read)
  const { certificate, chain, privateKey, sealedPassphrase } = parseBundle(SecretString)
  const [copy] = sealedPassphrase?.copies ?? []
  if (copy === undefined) throw new TypeError('the stack seals passphrases')
  const context = { org: 'acme', purpose: 'passphrase', secret: ARN, version: VersionId }
  const { Plaintext = new Uint8Array() } = await scene.kms(keyRegion(copy.key)).send(
    new DecryptCommand({
      KeyId: copy.key,
      CiphertextBlob: Buffer.from(copy.blob, 'base64'),
      EncryptionContext: context,
    }),
  )
  return {
    cert: `${certificate}${chain}`,
    key: privateKey,
    passphrase: Buffer.from(Plaintext).toString('utf8'),
  }
}
