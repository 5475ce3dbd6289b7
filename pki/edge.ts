import type { Spend } from './budget.ts'
import { type Certificate, selfIssued, valuesOf } from './certificate.ts'
import { comparisons, constrained } from './constraints.ts'
import { type RevocationList, revokes, usable } from './crl.ts'
import { sameName } from './names.ts'
import { PURPOSE } from './oids.ts'
import { policiesHold } from './policy.ts'
import type { Reason } from './reasons.ts'
import { type Circumstances, lacksAuthorityKey, type Role } from './rules.ts'
import type { Ask } from './signatures.ts'

/** What one search knows and uses while it checks edges. */
export interface Search extends Circumstances {
  /** Extended key usages, OIDs: the whole path must allow them all. */
  readonly purposes: readonly string[]
  readonly depth: number
  readonly crls: readonly RevocationList[]
  readonly spend: Spend
  readonly ask: Ask
  /** The remembered verdict of the rules of one certificate. */
  readonly rule: (one: Certificate, role: Role) => Reason | undefined
}

/**
 * Why `issuer` cannot stand above `path` (leaf first); `undefined` when it can. Cheap steps first; a bad edge ends this branch
 * of the search and no other.
 */
export function refused(
  search: Search,
  path: readonly Certificate[],
  issuer: Certificate,
  role: Role,
): Reason | undefined {
  const child = path.at(-1)
  if (child === undefined) throw new TypeError('a path begins with a leaf')
  search.spend('steps')
  return (
    loops(path, issuer) ??
    search.rule(issuer, role) ??
    tooLong(search, path, issuer, role) ??
    namesRefused(search, path, issuer) ??
    purposesRefused(search.purposes, issuer) ??
    signatureRefused(search, child, issuer) ??
    revoked(search, child, issuer) ??
    (role === 'anchor' && !policiesHold([...path].reverse()) ? 'POLICY_MISSING' : undefined)
  )
}

/** RFC 4158 2.4.2: the same CA (name and key) twice proves nothing that once does not. */
function loops(path: readonly Certificate[], issuer: Certificate): Reason | undefined {
  const again = path.some(
    (one) => sameName(one.subject, issuer.subject) && Buffer.compare(one.key, issuer.key) === 0,
  )
  return again ? 'LOOP' : undefined
}

/** 6.1.4 (l) and (m): CAs below, of which self-issued ones do not count. */
function tooLong(
  { depth }: Search,
  path: readonly Certificate[],
  issuer: Certificate,
  role: Role,
): Reason | undefined {
  let counted = 0
  for (const one of path) if (one !== path[0] && !selfIssued(one)) counted++
  if (counted > (valuesOf(issuer).basic?.pathLength ?? Number.POSITIVE_INFINITY))
    return 'PATH_LENGTH_EXCEEDED'
  return counted + Number(role === 'ca' && !selfIssued(issuer)) > depth ? 'TOO_DEEP' : undefined
}

/** 6.1.4 (g) and 6.1.3 (b), (c), for everything below. */
function namesRefused(
  { spend }: Search,
  path: readonly Certificate[],
  issuer: Certificate,
): Reason | undefined {
  const { constraints } = valuesOf(issuer)
  if (constraints === undefined) return undefined
  for (const one of path) {
    spend('comparisons', comparisons(one, constraints))
    const reason = constrained(one, one === path[0], constraints)
    if (reason !== undefined) return reason
  }
  return undefined
}

/** 4.2.1.12, nested: a CA with extended key usages passes on no other. */
export function purposesRefused(wanted: readonly string[], one: Certificate): Reason | undefined {
  const { purposes } = valuesOf(one)
  if (purposes === undefined || purposes.includes(PURPOSE.any)) return undefined
  return wanted.every((purpose) => purposes.includes(purpose)) ? undefined : 'PURPOSE_MISSING'
}

/** 6.1.3 (a)(1); and who names no issuing key must be signed by its own. */
function signatureRefused(
  { ask }: Search,
  child: Certificate,
  issuer: Certificate,
): Reason | undefined {
  if (!ask(child, issuer)) return 'SIGNATURE_INVALID'
  return lacksAuthorityKey(issuer) && !ask(issuer, issuer) ? 'AUTHORITY_KEY_MISSING' : undefined
}

/** 6.1.3 (a)(3): a list of this issuer that is given must be good; where none is given nothing is asked. */
function revoked(
  { crls, ask, now }: Search,
  child: Certificate,
  issuer: Certificate,
): Reason | undefined {
  const own = crls.filter((list) => sameName(list.issuer, issuer.subject))
  if (own.length === 0) return undefined
  const good = own.filter((list) => usable(list, issuer, now) && ask(list, issuer))
  if (good.length === 0) return 'CRL_INVALID'
  return good.some((list) => revokes(list, child)) ? 'REVOKED' : undefined
}
