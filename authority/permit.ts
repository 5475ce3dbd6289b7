import { parseCsr } from '../pki/csr.ts'
import { isFault } from '../pki/der.ts'
import {
  type Entitlement,
  entitlement,
  needTags,
  type Principal,
  type Rule,
  readRules,
} from './entitle.ts'
import type { Asked } from './issue.ts'
import type { CaRecord } from './record.ts'
import { Refused, type SigningRequest } from './request.ts'
import type { Caller, Entitle, Entitled } from './sign.ts'

/** The tags of a role of IAM. @throws ACCESS_REFUSED, SERVICE_UNAVAILABLE */
export type TagsOf = (principal: Principal) => Promise<Readonly<Record<string, string>>>

/** Who asks for what. */
export interface Plea {
  readonly request: SigningRequest
  /** Absent: who may come through this door at all may have what the profile allows. */
  readonly principal?: Principal | undefined
  readonly tagsOf?: TagsOf | undefined
}

/** What whoever came through a door that knows roles may have: by the rules of the record, with the tags that `tagsOf` finds. */
export function permitting(tagsOf?: TagsOf): Entitle {
  return (record, caller, request) =>
    permit(record, { request, principal: principalOf(caller), tagsOf })
}

/**
 * The role whose rules hold for a caller; `undefined` behind doors that know no roles.
 *
 * @throws Refused `caller-refused` for who signed, and not as a role: a user of IAM, or the account itself, has no rules
 */
export function principalOf({ door, principal, who }: Caller): Principal | undefined {
  if (door === 'iam' && principal === undefined)
    throw new Refused(
      'caller-refused',
      `${who} is no session of a role of its own account, and rules name roles; assume one`,
    )
  return principal
}

/**
 * Decides by the rules of the authority's record what a role of IAM may have (docs/authority.md). A CSR that asks for no
 * names gets the role's own.
 *
 * @throws Refused `caller-refused` when no rule is for this role and profile; CONFIG_INVALID for rules that cannot be read
 */
export async function permit(
  record: CaRecord,
  { request, principal, tagsOf }: Plea,
): Promise<Entitled> {
  if (principal === undefined) return { request }
  const { profile = '' } = request
  const { own, who, demand } = await granted(record, { principal, profile, tagsOf })
  return {
    request: asksForNames(request) ? request : { ...request, hosts: own.own },
    admit({ names, commonNames, subject }: Asked) {
      demand([...names, ...commonNames])
      if (subject && !own.subject)
        throw new Refused(
          'name-refused',
          `authority ${record.label} lets ${who} have no more of a subject than a common name`,
        )
    },
  }
}

/** A role, and what it asks for. */
export interface Claim extends Pick<Plea, 'tagsOf'> {
  readonly principal: Principal
  readonly profile: string
}

/**
 * What the rules of a record give a role; `demand` refuses names that they do not.
 *
 * @throws Refused `caller-refused` when no rule is for this role and profile; CONFIG_INVALID for rules that cannot be read
 */
export async function granted(
  { names, label }: CaRecord,
  { principal, profile, tagsOf }: Claim,
): Promise<Granted> {
  const rules = readRules(names)
  const own = entitlement(rules, await tagged(rules, principal, tagsOf), profile)
  const who = `role ${principal.role} of account ${principal.account}`
  if (!own.known)
    throw new Refused(
      'caller-refused',
      `authority ${label} has no rule for ${who} and this profile; add one to "names" in its record`,
    )
  return {
    own,
    who,
    demand(wanted) {
      const foreign = wanted.find((name) => !own.may(name))
      if (foreign !== undefined)
        throw new Refused(
          'name-refused',
          `authority ${label} has no rule that lets ${who} be ${foreign}; its rules are "names" in its record`,
        )
    },
  }
}

/** A role with its rights under a record's rules. */
export interface Granted {
  readonly own: Entitlement
  /** For messages. */
  readonly who: string
  /** @throws Refused `name-refused` for the first name that is not the role's to have */
  demand(names: readonly string[]): void
}

/** A role with its tags, where a rule asks for them. */
export async function tagged(
  rules: readonly Rule[],
  principal: Principal,
  tagsOf: TagsOf | undefined,
): Promise<Principal> {
  const tags = needTags(rules) ? await tagsOf?.(principal) : undefined
  return tags === undefined ? principal : { ...principal, tags }
}

/** A CSR that cannot be read is told by who issues. */
function asksForNames({ csr, hosts }: SigningRequest): boolean {
  if (hosts !== undefined) return true
  const parsed = parseCsr(csr)
  return isFault(parsed) || (parsed.known.names?.length ?? 0) > 0
}
