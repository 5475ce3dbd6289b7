import type { Policy, Profile } from './policy.ts'

/** A policy whose certificates say where their revocation list is, unless their profile says it. */
export function listed(policy: Policy, url: string | undefined): Policy {
  if (url === undefined) return policy
  const at = (one: Profile): Profile => ({ crlUrl: url, ...one })
  const profiles = [...policy.profiles].map(([name, one]) => [name, at(one)] as const)
  return { ...policy, standard: at(policy.standard), profiles: new Map(profiles) }
}
