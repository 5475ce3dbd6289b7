import { numbered, packed } from './tags.ts'

/** A session of a role, as AWS has verified it: what a request says of itself is never asked. */
export interface Caller {
  /** `aws`, `aws-cn` … */
  readonly partition: string
  readonly account: string
  /** Name without its path. */
  readonly role: string
}

const KEY = 'certrelay:roles'
/** Tags of one secret that may hold roles. */
const TAGS = 4
const NAME = /^[A-Za-z0-9_+=.@-]{1,64}$/

/** The tags that hold the roles which a secret is handed over to: names or ARNs, separated by spaces (docs/tags.md). */
export function writeRoles(roles: readonly string[]): Record<string, string> {
  return Object.fromEntries(packed(roles).map((value, index) => [numbered(KEY, index), value]))
}

/** True when so many roles fit into the tags of one secret. */
export function rolesFit(roles: readonly string[]): boolean {
  return Object.keys(writeRoles(roles)).length <= TAGS
}

/**
 * Whether the tags of a secret (its ARN) name the role of this caller, letter for letter. Roles are those of the secret's own
 * account: an ARN of another one entitles nobody, nor does a role of the same name elsewhere.
 */
export function isEntitled(
  tags: Readonly<Record<string, string>>,
  secret: string,
  caller: Caller,
): boolean {
  const [, partition, , , account] = secret.split(':')
  if (caller.partition !== partition || caller.account !== account) return false
  const own = `arn:${partition}:iam::${account}:role/`
  return Array.from({ length: TAGS }, (_, index) => tags[numbered(KEY, index)]?.split(' ') ?? [])
    .flat()
    .some((role) => nameOf(role, own) === caller.role)
}

/** A session's ARN has no path, and an account has no two roles of one name in different paths. */
function nameOf(role: string, own: string): string | undefined {
  const name = role.startsWith(own) ? role.slice(role.lastIndexOf('/') + 1) : role
  return NAME.test(name) ? name : undefined
}
