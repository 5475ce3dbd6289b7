import { ECSClient, TagResourceCommand } from '@aws-sdk/client-ecs'
import { KMSClient } from '@aws-sdk/client-kms'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { keyRegion } from '../pki/sealed.ts'
import type { Keyhole } from '../ports/keys.ts'
import type { Vault } from '../ports/vault.ts'
import { ask } from './errors.ts'
import { keyhole } from './kms.ts'
import { vault } from './secrets.ts'

/** Quick to give up, because there is another region. Milliseconds. */
const haste = { connectionTimeout: 500, requestTimeout: 1_500, throwOnRequestTimeout: true }
/** KMS: trying elsewhere is the failover's decision. */
const hurry = { connectionTimeout: 500, requestTimeout: 1_000, throwOnRequestTimeout: true }

/** The sidecar's composition root: three of the clients, so that its bundle holds no others. Each tries once. */
export function shelves(regions: readonly string[]): { region: string; vault: Vault }[] {
  return regions.map((region) => {
    const settings = { region, maxAttempts: 1, requestHandler: haste }
    return { region, vault: vault(new SecretsManagerClient(settings)) }
  })
}

/** KMS keys by ARN, each with a client of its own region. */
export function locks(keys: readonly string[]): Keyhole[] {
  return keys.map((key) => {
    const region = keyRegion(key)
    const settings = { region, maxAttempts: 1, requestHandler: hurry }
    return keyhole(new KMSClient(settings), region, key)
  })
}

/** Writes tags onto a task of ECS, in its own region. */
export type Tagger = (task: string, tags: Readonly<Record<string, string>>) => Promise<void>

/** @throws ACCESS_REFUSED, SERVICE_UNAVAILABLE */
export function tagger(): Tagger {
  return async (task, tags) => {
    const [, , , region = ''] = task.split(':')
    const client = new ECSClient({ region, maxAttempts: 2, requestHandler: haste })
    const pairs = Object.entries(tags).map(([key, value]) => ({ key, value }))
    try {
      const command = new TagResourceCommand({ resourceArn: task, tags: pairs })
      await ask(`tag task ${task}`, () => client.send(command))
    } finally {
      client.destroy()
    }
  }
}
