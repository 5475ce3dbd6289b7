import type { Policy, Profile } from '../authority/policy.ts'
import { Refused } from '../authority/request.ts'
import type { Desk, Office, Request } from './desk.ts'
import { declined } from './says.ts'

/** The profile of a name; `cfssl serve` takes the default one for a name that it does not know. @throws Declined */
export function profileOf(policy: Policy, name: string, desk: Desk): Profile {
  const found = name === '' ? policy.standard : policy.profiles.get(name)
  if (found !== undefined) return found
  if (desk.like === 'serve' && desk.compatible.has('unknown-profile')) return policy.standard
  throw declined('profile-unknown', desk)
}

/** The authority of a label; `cfssl serve` has one and does not look at labels. @throws Declined */
export async function caOf(label: string, request: Request, desk: Desk): Promise<Office> {
  const name = label === '' ? desk.label : label
  const { address = '' } = request
  if (desk.permits?.(name, address) === false) throw declined('forbidden', desk)
  try {
    return await desk.open(name)
  } catch (error) {
    if (!(error instanceof Refused) || error.reason !== 'label-unknown') throw error
    if (desk.like === 'serve' && desk.compatible.has('any-label')) return desk.open(desk.label)
    throw declined('label-unknown', desk)
  }
}
