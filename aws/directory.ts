import {
  ListSecretsCommand,
  type SecretListEntry,
  type SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import { LISTENS, labelsOf } from '../pki/listens.ts'
import type { Directory } from '../ports/lister.ts'
import { ask } from './errors.ts'

/** Of the record of an authority (authority/record.ts). */
const RECORD = { tag: 'certrelay:authority', prefix: 'certrelay/authority/' }
const FOUNDING = 'certrelay:founding'

/** Secrets Manager as the list of who needs revocation lists. */
export function directory(client: SecretsManagerClient): Directory {
  async function* tagged(tag: string): AsyncIterable<readonly Entry[]> {
    let NextToken: string | undefined
    do {
      const command = new ListSecretsCommand({
        MaxResults: 100,
        Filters: [{ Key: 'tag-key', Values: [tag] }],
        ...(NextToken !== undefined && { NextToken }),
      })
      const page = await ask(`list secrets with tag ${tag}`, () => client.send(command))
      yield (page.SecretList ?? []).flatMap(entryOf)
      NextToken = page.NextToken
    } while (NextToken !== undefined)
  }
  return {
    async *listening() {
      for await (const page of tagged(LISTENS))
        yield page.flatMap(({ arn, tags }) => {
          const labels = labelsOf(tags.get(LISTENS) ?? '')
          return labels.length === 0 ? [] : [{ secret: arn, labels }]
        })
    },
    async labels() {
      const found: string[] = []
      for await (const page of tagged(RECORD.tag))
        found.push(...page.flatMap(labelOf).map(({ label }) => label))
      return found.sort()
    },
    async *founding() {
      for await (const page of tagged(FOUNDING)) yield page.flatMap(labelOf)
    },
  }
}

interface Entry {
  readonly arn: string
  readonly name: string
  readonly tags: ReadonlyMap<string, string>
}

/** Of a secret that is the record of an authority. */
function labelOf({ arn, name, tags }: Entry) {
  const label = tags.get(RECORD.tag)
  return label !== undefined && name === `${RECORD.prefix}${label}` ? [{ secret: arn, label }] : []
}

/** A replica is looked after where its primary is. */
function entryOf({ ARN, Name, Tags = [], PrimaryRegion }: SecretListEntry): readonly Entry[] {
  if (ARN === undefined || Name === undefined) return []
  if (PrimaryRegion !== undefined && ARN.split(':')[3] !== PrimaryRegion) return []
  const tags = new Map(Tags.map(({ Key = '', Value = '' }) => [Key, Value]))
  return [{ arn: ARN, name: Name, tags }]
}
