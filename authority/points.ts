import { parseCertificate, valuesOf } from '../pki/certificate.ts'
import { isFault } from '../pki/der.ts'
import { keyIdentifier } from './issuer.ts'
import type { Policy, Profile } from './policy.ts'
import { type CaRecord, certificateOf } from './record.ts'

/** In the URL of a list it stands for the key of the CA: while roots change each of them has a list of its own. */
export const KEY = '{key}'

/**
 * A policy whose certificates say where their revocation list is: where the record says it, unless their profile does. `{key}` in such
 * a URL becomes the key identifier of the CA, hex.
 */
export function listed(policy: Policy, record: CaRecord): Policy {
  const url = record.crl?.url
  const all = [policy.standard, ...policy.profiles.values()]
  const urls = [url, ...all.map(({ crlUrl }) => crlUrl)]
  if (urls.every((one) => one === undefined)) return policy
  const key = urls.some((one) => one?.includes(KEY)) ? keyOf(record) : ''
  const at = (one: Profile): Profile => {
    const crlUrl = (one.crlUrl ?? url)?.replaceAll(KEY, key)
    return crlUrl === undefined ? one : { ...one, crlUrl }
  }
  const profiles = [...policy.profiles].map(([name, one]) => [name, at(one)] as const)
  return { ...policy, standard: at(policy.standard), profiles: new Map(profiles) }
}

function keyOf(record: CaRecord): string {
  const one = parseCertificate(certificateOf(record))
  if (isFault(one)) return '' // nothing is signed with such a record
  return valuesOf(one).subjectKey ?? keyIdentifier(one.key).toString('hex')
}
