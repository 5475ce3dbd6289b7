import { DecryptCommand } from '@aws-sdk/client-kms'
import { GetSecretValueCommand } from '@aws-sdk/client-secrets-manager'
import type { Scene } from '../../cli/scene.ts'
import type { Identity } from '../../cli/traffic.ts'
import { parseBundle } from '../../pki/bundle.ts'
import { keyRegion } from '../../pki/sealed.ts'

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
