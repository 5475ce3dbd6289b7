import { parseArgs } from 'node:util'
import { LambdaClient } from '@aws-sdk/client-lambda'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { keeper, vault } from '../aws/secrets.ts'
import { queue } from '../aws/sqs.ts'
import { retry as again } from '../workflows/retry.ts'
import { installed } from './installed.ts'

/** `certrelay retry SECRET`: has a certificate whose rollout failed tried again at once. */
export async function retry(words: readonly string[]): Promise<number> {
  const { positionals } = parseArgs({ args: [...words], options: {}, allowPositionals: true })
  const [secret, ...more] = positionals
  if (secret === undefined || more.length > 0)
    throw new Error('name one secret, by its ARN or name: certrelay retry SECRET')
  const { queue: work } = await installed(new LambdaClient())
  const client = new SecretsManagerClient()
  const { secret: arn, version } = await again(
    {
      vault: vault(client),
      keeper: keeper(client),
      queue: queue(new SQSClient(), { work, rollouts: work, dead: work }),
    },
    { secret },
  )
  process.stderr.write(
    version === undefined
      ? `certrelay: no certificate of ${arn} was rolled back; it is looked at now\n`
      : `certrelay: version ${version} of ${arn} is checked and promoted again now\n`,
  )
  return 0
}
