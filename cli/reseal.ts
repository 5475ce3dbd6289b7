import { parseArgs } from 'node:util'
import { LambdaClient } from '@aws-sdk/client-lambda'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SQSClient } from '@aws-sdk/client-sqs'
import { keeper } from '../aws/secrets.ts'
import { queue } from '../aws/sqs.ts'
import { isSealed } from '../pki/fresh.ts'
import { holder } from '../pki/labels.ts'
import { keyRegion, keySet } from '../pki/sealed.ts'
import { readTags } from '../pki/tags.ts'
import { installed } from './installed.ts'

/**
 * `certrelay reseal [--plan]`: has every secret sealed under exactly the keys that the functions are configured with. It
 * opens nothing itself: it asks `certrelay-reconcile` for a look at each secret that is not known to be so.
 */
export async function reseal(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...words], options: { plan: { type: 'boolean' } } })
  const secrets = new SecretsManagerClient()
  const { keys, former, queue: work } = await installed(new LambdaClient())
  if (keys.length === 0)
    throw new Error(
      'the functions have no keys: deploy with CERTRELAY_KEYS (docs/kms.md), then seal what lies open',
    )
  const regions = (list: readonly string[]) => list.map(keyRegion).join(', ') || 'none'
  say(`keys in ${regions(keys)}; former keys in ${regions(former)}`)
  const looks = queue(new SQSClient(), { work, rollouts: work, dead: work })
  let count = 0
  for await (const page of keeper(secrets).managed()) {
    for (const { arn, tags, versions } of page) {
      const version = holder(versions, 'AWSCURRENT') ?? ''
      const sealed = readTags(tags)?.sealed
      const known = isSealed(sealed, version, keySet(keys))
      const found = sealed === undefined ? 'not on record' : 'under other keys, or another version'
      if (!known) {
        if (values.plan !== true) await looks.look(arn, count % 60)
        count++
      }
      process.stdout.write(`${known ? 'as it should be' : `to look at: ${found}`}  ${arn}\n`)
    }
  }
  say(
    values.plan === true
      ? `${count} to look at; run it without --plan to have that done`
      : `${count} looks asked for; certrelay-reconcile seals anew what needs it, within minutes; see --plan`,
  )
  return 0
}

function say(line: string): void {
  process.stderr.write(`certrelay: ${line}\n`)
}
