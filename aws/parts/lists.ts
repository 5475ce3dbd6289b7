import { S3Client } from '@aws-sdk/client-s3'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import type { Directory, Lister } from '../../ports/lister.ts'
import type { Publisher } from '../../ports/publisher.ts'
import { directory } from '../directory.ts'
import { lister } from '../lister.ts'
import type { Part } from '../part.ts'
import { publisher } from '../s3.ts'

/** Milliseconds: the function has ten seconds. */
const PATIENCE = { connect: 2_000, whole: 15_000 }

/** A function URL, Secrets Manager and S3: who signs revocation lists, who needs them, and where others find them. */
export const publication: Part<{
  readonly lister: Lister | undefined
  readonly directory: Directory
  readonly publisher: Publisher | undefined
}> = ({ paced, settings, config }) => {
  const { bucket, account: owner } = config
  const secrets = new SecretsManagerClient(settings)
  const line = {
    ...PATIENCE,
    environment: { AWS_REGION: config.region },
    identity: () => secrets.config.credentials(),
  }
  return {
    lister: config.signUrl === undefined ? undefined : lister(config.signUrl, line),
    directory: directory(paced(secrets)),
    publisher:
      bucket === undefined || owner === undefined
        ? undefined
        : publisher(paced(new S3Client(settings)), { bucket, owner }),
  }
}
