import { type Certificate, selfIssued, valuesOf } from './certificate.ts'
import { ANY_POLICY } from './oids.ts'

/** `undefined` stands for every policy. */
type Policies = ReadonlySet<string> | undefined

/**
 * Certificate policies along a path from below the anchor to the leaf, RFC 5280 6.1.2 to 6.1.5 with every policy acceptable.
 * Without policy mapping, which is refused elsewhere, the policy tree is one set: what all certificates have in common.
 *
 * @returns whether a policy is left wherever a CA demands one.
 */
export function policiesHold(path: readonly Certificate[]): boolean {
  let [explicit, inhibit] = [path.length + 1, path.length + 1]
  let valid: Policies
  let none = false
  for (const [index, one] of path.entries()) {
    const last = index === path.length - 1
    const { policies, policyConstraints, inhibitAny } = valuesOf(one)
    if (policies === undefined) none = true
    else valid = common(valid, policies, inhibit > 0 || (!last && selfIssued(one)))
    if (none || valid?.size === 0) {
      if (explicit === 0) return false // 6.1.3 (f)
      none = true
    }
    if (last) return finished(explicit, policyConstraints?.explicit, none)
    if (!selfIssued(one))
      [explicit, inhibit] = [Math.max(explicit - 1, 0), Math.max(inhibit - 1, 0)] // 6.1.4 (h)
    explicit = Math.min(explicit, policyConstraints?.explicit ?? explicit) // 6.1.4 (i)
    inhibit = Math.min(inhibit, inhibitAny ?? inhibit) // 6.1.4 (j)
  }
  return true
}

/** 6.1.3 (d): what a certificate asserts of what was valid above it; anyPolicy counts only where it is not inhibited. */
function common(valid: Policies, policies: readonly string[], any: boolean): Policies {
  const asserted = new Set(policies)
  if (asserted.delete(ANY_POLICY) && any) return valid
  return valid === undefined ? asserted : new Set([...asserted].filter((one) => valid.has(one)))
}

/** 6.1.5 (a), (b) and (g). */
function finished(explicit: number, own: number | undefined, none: boolean): boolean {
  const left = own === 0 ? 0 : Math.max(explicit - 1, 0)
  return left > 0 || !none
}
