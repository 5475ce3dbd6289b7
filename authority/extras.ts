import type { Csr } from '../pki/csr.ts'
import { attempt, content, isFault, whole } from '../pki/der.ts'
import { EXTENSION } from '../pki/oids.ts'
import { isOid } from '../pki/write.ts'
import type { Profile } from './policy.ts'
import { Refused, type Wanted } from './request.ts'
import { made, type Written } from './shape.ts'

/** What the authority alone decides: never taken over as it comes. */
const OURS: ReadonlySet<string> = new Set([
  EXTENSION.basic,
  EXTENSION.names,
  EXTENSION.subjectKey,
  EXTENSION.authorityKey,
  EXTENSION.constraints,
  EXTENSION.policyConstraints,
  EXTENSION.inhibitAny,
  EXTENSION.mappings,
  EXTENSION.issuerNames,
])
/** What a profile decides: a CSR replaces it only where the profile has it so. */
const PROFILES: ReadonlySet<string> = new Set([
  EXTENSION.keyUsage,
  EXTENSION.purposes,
  EXTENSION.policies,
  EXTENSION.access,
  EXTENSION.distribution,
])

/** The extensions that a profile copies from a CSR (CFSSL's `copy_extensions`), without those that are ours to decide. */
export function copied({ extensions }: Csr, profile: Profile): Written[] {
  if (!profile.copyExtensions) return []
  const replaces = profile.allowances?.copiesReplace === true
  return extensions
    .filter(({ id }) => !OURS.has(id) && (replaces || !PROFILES.has(id)))
    .map(({ id, critical, value }) => made(id, critical, content(value)))
}

/** The extensions of a request that the profile lists. @throws Refused extension-refused */
export function asked(extensions: readonly Wanted[], { extensions: listed }: Profile): Written[] {
  return extensions.map(({ oid, critical, value }, index) => {
    const refuse = (why: string) =>
      new Refused('extension-refused', `extension ${oid.slice(0, 100)} ${why}`)
    if (!isOid(oid) || !listed.includes(oid)) throw refuse('is none that the profile allows')
    if (OURS.has(oid)) throw refuse('is decided by the authority: ask for names and profiles')
    if (isFault(attempt(() => whole(value)))) throw refuse('has a value that is no DER')
    if (extensions.findIndex((one) => one.oid === oid) !== index) throw refuse('is asked for twice')
    return made(oid, critical, value)
  })
}
