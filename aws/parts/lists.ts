import { LambdaClient } from '@aws-sdk/client-lambda'
import { S3Client } from '@aws-sdk/client-s3'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { Directory, Lister } from '../../ports/lister.ts'
import type { Publisher } from '../../ports/publisher.ts'
import { directory } from '../directory.ts'
import { lister } from '../notary.ts'
import type { Part } from '../part.ts'
import { publisher } from '../s3.ts'

/** Lambda, Secrets Manager and S3: who signs revocation lists, who needs them, and where others find them. */
export const publication: Part<{
  readonly lister: Lister | undefined
  readonly directory: Directory
  readonly publisher: Publisher | undefined
}> = ({ paced, settings, config }) => ({
  lister:
    config.sign === undefined ? undefined : lister(paced(new LambdaClient(settings)), config.sign),
  directory: directory(paced(new SecretsManagerClient(settings))),
  publisher:
    config.bucket === undefined
      ? undefined
      : publisher(paced(new S3Client(settings)), config.bucket),
})
