import { BUDGET, Exhausted, purse } from './budget.ts'
import { type Certificate, parseCertificate, valuesOf } from './certificate.ts'
import { climb, type Verdict } from './climb.ts'
import { parseRevocationList, type RevocationList } from './crl.ts'
import { isFault } from './der.ts'
import { purposesRefused, type Search } from './edge.ts'
import { matches, type Wanted } from './match.ts'
import { PURPOSE, USAGE } from './oids.ts'
import type { Reason } from './reasons.ts'
import { isOf, recall } from './recall.ts'
import { broken, lacksAuthorityKey } from './rules.ts'
import { signatures } from './signatures.ts'
import type { Profile } from './webpki.ts'

/** What to find a path for. Certificates are DER; a malformed one that is not needed does not matter. */
export interface Question {
  readonly leaf: Uint8Array
  readonly intermediates: readonly Uint8Array[]
  readonly anchors: readonly Uint8Array[]
  /** Revocation lists, DER: an issuer's own list must be good and without the certificate; issuers without a list are not asked. */
  readonly crls?: readonly Uint8Array[]
  /** Epoch milliseconds. */
  readonly now: number
  /** What the whole path must be good for: extended key usages by name, or an OID with dots; default: not asked. */
  readonly purposes?: readonly Purpose[]
  /** What the leaf's key must be allowed to do, if its key usage is given at all; default: not asked. */
  readonly usages?: readonly (keyof typeof USAGE)[]
  /** Names that the leaf must have, all of them. */
  readonly names?: readonly Wanted[]
  readonly profile?: Profile
  /** CAs between leaf and anchor, self-issued ones apart; default `BUDGET.depth`. */
  readonly depth?: number
}

export type Purpose = Exclude<keyof typeof PURPOSE, 'any'> | `${number}.${string}`

/**
 * Finds the path of a certificate to an anchor (RFC 5280 section 6, RFC 4158). Every edge is checked while building and a bad
 * one ends only its branch. Of several valid paths: the shortest, then the one whose earliest notAfter is latest, then the
 * order of the anchors. Never throws on hostile material.
 */
export function findPath(question: Question): Verdict {
  const { intermediates, anchors } = question
  if (intermediates.length + anchors.length + 1 > BUDGET.certificates)
    return { code: 'BUDGET_EXHAUSTED', at: 0, tried: [] }
  const leaf = parseCertificate(question.leaf)
  if (isFault(leaf)) {
    const code = leaf.code === 'TOO_LARGE' ? 'BUDGET_EXHAUSTED' : 'MALFORMED'
    return { code, at: 0, tried: [] }
  }
  const lists = (question.crls ?? []).map(parseRevocationList)
  const crls = lists.flatMap((list) => (isFault(list) ? [] : [list]))
  if (crls.length < lists.length) return { code: 'CRL_INVALID', at: 0, tried: [] }
  const search = prepare(question, crls)
  try {
    const code = leafRefused(search, leaf, question.usages)
    if (code !== undefined) return { code, at: 0, tried: [{ code, at: 0, path: [leaf] }] }
    const trusted = readable(anchors, [leaf], recall)
    const others = readable(intermediates, [leaf, ...trusted], parseCertificate)
    if (leafNamed(leaf, question)) return climb(search, leaf, trusted, others)
    // without its name it fails anyway: only what costs no signature is asked for a more telling reason
    return unnamed(climb({ ...search, crls: [], ask: () => true }, leaf, trusted, others))
  } catch (error) {
    if (!(error instanceof Exhausted)) throw error
    return { code: 'BUDGET_EXHAUSTED', at: 0, tried: [] }
  }
}

function prepare(question: Question, crls: readonly RevocationList[]): Search {
  const { now, profile = 'rfc5280', depth = BUDGET.depth } = question
  const spend = purse()
  const remembered = { leaf: verdicts(), ca: verdicts(), anchor: verdicts() }
  return {
    now,
    profile,
    depth,
    spend,
    crls,
    ask: signatures(spend),
    purposes: (question.purposes ?? []).map(purposeId),
    rule: (one, role) => {
      const known = remembered[role]
      if (!known.has(one)) known.set(one, broken(one, role, { now, profile }))
      return known.get(one)
    },
  }
}

const verdicts = () => new Map<Certificate, Reason | undefined>()

function purposeId(purpose: Purpose): string {
  return isNamed(purpose) ? PURPOSE[purpose] : purpose
}

function isNamed(purpose: string): purpose is keyof typeof PURPOSE {
  return Object.hasOwn(PURPOSE, purpose)
}

function leafRefused(
  search: Search,
  leaf: Certificate,
  usages: Question['usages'] = [],
): Reason | undefined {
  return (
    search.rule(leaf, 'leaf') ??
    purposesRefused(search.purposes, leaf) ??
    usagesRefused(usages, leaf) ??
    (lacksAuthorityKey(leaf) && !rootItself(search, leaf) ? 'AUTHORITY_KEY_MISSING' : undefined)
  )
}

/** RFC 5280 4.2.1.3: without the extension a key is not restricted. */
function usagesRefused(
  usages: NonNullable<Question['usages']>,
  leaf: Certificate,
): Reason | undefined {
  const { keyUsage } = valuesOf(leaf)
  const allowed = keyUsage === undefined || usages.every((name) => keyUsage.has(USAGE[name]))
  return allowed ? undefined : 'USAGE_FORBIDDEN'
}

function leafNamed(leaf: Certificate, { names = [] }: Question): boolean {
  const own = valuesOf(leaf).names ?? []
  return names.every((name) => matches(own, name))
}

/** Names are told last: they are checked against a path that is valid (RFC 9525 6, after RFC 5280 6). */
function unnamed(verdict: Verdict): Verdict {
  if (!('path' in verdict)) return verdict
  const { path, tried } = verdict
  return { code: 'NAME_MISMATCH', at: 0, tried: [...tried, { code: 'NAME_MISMATCH', at: 0, path }] }
}

/** The one kind that may do without an authority key identifier (RFC 5280 4.2.1.1). */
function rootItself({ ask }: Search, leaf: Certificate): boolean {
  return valuesOf(leaf).basic?.ca === true && ask(leaf, leaf)
}

/** Certificates that can be read, in the order given: each is one object, which is the one among `known` where it is there. */
function readable(
  list: readonly Uint8Array[],
  known: readonly Certificate[],
  read: typeof parseCertificate,
): Certificate[] {
  const found: Certificate[] = []
  for (const der of list) {
    if (found.some((one) => isOf(one, der))) continue
    const one = known.find((other) => isOf(other, der)) ?? read(der)
    if (!isFault(one)) found.push(one)
  }
  return found
}
