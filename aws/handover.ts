import { RelayError } from '../pki/error.ts'
import { parsedObject } from '../pki/json.ts'
import { parseReply } from '../pki/reply.ts'
import type { Held, Vault } from '../ports/vault.ts'
import type { Line } from './direct.ts'
import { knock, regionOf } from './knock.ts'

/**
 * Secrets behind the URL of the function `bootstrap`, which reads and opens them for the role that signs (docs/handover.md). One
 * attempt a call. The function is in one region; its own name for that is in its URL, or it is ours.
 */
export function desk(
  address: string,
  line: Line,
): { region: string; vault: Pick<Vault, 'find' | 'read'> } {
  const url = new URL(address)
  const region = regionOf(url, line)

  function fetched(secret: string, want: 'version' | 'material'): Promise<string> {
    return knock(line, { what: `have secret ${secret} handed over`, url, region }, { secret, want })
  }

  return {
    region,
    vault: {
      async find(secret) {
        const { version } = parsedObject(await fetched(secret, 'version')) ?? {}
        if (typeof version !== 'string')
          throw new RelayError('BUNDLE_INVALID', 'the hand-over has no version')
        return held(secret, version)
      },
      read: async (secret) => parseReply(await fetched(secret, 'material')),
    },
  }
}

function held(secret: string, version: string): Held {
  const versions = new Map([[version, ['AWSCURRENT']]])
  return { arn: secret, name: secret, tags: {}, versions, deleted: false, replicas: [] }
}
