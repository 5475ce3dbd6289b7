import { type IAMClient, ListRoleTagsCommand } from '@aws-sdk/client-iam'
import { told } from '../pki/fault.ts'
import type { Clock } from '../ports/clock.ts'
import type { Roles } from '../ports/roles.ts'
import { ask } from './errors.ts'

type Tags = Readonly<Record<string, string>>

/** So long a role's tags are believed. Milliseconds. */
const MINUTE = 60_000
/** So many roles are remembered. */
const MOST = 1_000

/**
 * Tags of the roles of one account. A role of another account may bear the same name: it is never looked up. Who asks meanwhile
 * waits for the same answer; a failure is not kept.
 */
export function roles(client: IAMClient, account: string, { now }: Pick<Clock, 'now'>): Roles {
  const kept = new Map<string, { readonly until: number; readonly tags: Promise<Tags> }>()
  return {
    async tagsOf(principal) {
      const { role } = principal
      if (principal.account !== account) return {}
      const known = kept.get(role)
      if (known !== undefined && now() < known.until) return known.tags
      if (kept.size >= MOST) kept.clear()
      const tags = tagsOfRole(client, role)
      kept.set(role, { until: now() + MINUTE, tags })
      tags.catch(() => kept.delete(role))
      return tags
    },
  }
}

/** A role has 50 tags at most: more than one page is AWS's choice. */
async function tagsOfRole(client: IAMClient, role: string): Promise<Tags> {
  const found: [string, string][] = []
  let Marker: string | undefined
  try {
    do {
      const command = new ListRoleTagsCommand({ RoleName: role, ...(Marker && { Marker }) })
      const page = await ask(`list the tags of role ${role}`, () => client.send(command))
      for (const { Key = '', Value = '' } of page.Tags ?? []) found.push([Key, Value])
      Marker = page.IsTruncated === true ? page.Marker : undefined
    } while (Marker !== undefined)
  } catch (error) {
    if (error instanceof Error && isGone(error.cause)) return {}
    throw error
  }
  return Object.fromEntries(found)
}

/** Its sessions outlive it. */
function isGone(cause: unknown): boolean {
  return /^NoSuchEntity/.test(told(cause).name)
}
