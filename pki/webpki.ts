import { type Certificate, selfIssued } from './certificate.ts'
import type { Known } from './extensions.ts'
import { EXTENSION, PURPOSE, USAGE } from './oids.ts'
import type { Reason } from './reasons.ts'

/** `rfc5280`: the default. `webpki`: what the CA/Browser Forum's baseline requirements add. */
export type Profile = 'rfc5280' | 'webpki'

/** What the Web PKI demands of one certificate beyond RFC 5280 (BR 6.1.5 and 7.1.2); `undefined` when it has it all. */
export function webpki(one: Certificate, known: Known, role: string): Reason | undefined {
  const sound =
    one.version === 3 &&
    soundKey(one) &&
    soundAuthorityKey(one, known) &&
    (role === 'leaf' ? soundLeaf(one, known) : soundIssuer(one, known, role))
  return sound ? undefined : 'PROFILE_REFUSED'
}

/** BR 6.1.5: RSA moduli of whole octets, or one of three curves. */
function soundKey(one: Certificate): boolean {
  const kind = one.kind()
  return kind.family === 'ec' || (kind.family === 'rsa' && kind.bits % 8 === 0)
}

/** BR 7.1.2.1.3 and 7.1.2.11.1: a key identifier and nothing else; a root's is its own. */
function soundAuthorityKey(one: Certificate, { authorityKey, subjectKey }: Known): boolean {
  if (authorityKey === undefined) return true
  if (authorityKey.key === undefined || authorityKey.foreign) return false
  return !selfIssued(one) || authorityKey.key === subjectKey
}

/** BR 7.1.2.7: a purpose, never any; names, critical only without a subject; not a CA. */
function soundLeaf(one: Certificate, { purposes, names, basic, keyUsage }: Known): boolean {
  const critical = (id: string) => one.extensions.some((each) => each.id === id && each.critical)
  return (
    purposes !== undefined &&
    !purposes.includes(PURPOSE.any) &&
    !critical(EXTENSION.purposes) &&
    names !== undefined &&
    critical(EXTENSION.names) === (one.subject.keys.length === 0) &&
    basic?.ca !== true &&
    keyUsage?.has(USAGE.keyCertSign) !== true
  )
}

/** BR 7.1.2.1 and 7.1.2.6: key usage; a root has no purposes. */
function soundIssuer(one: Certificate, { keyUsage, purposes }: Known, role: string): boolean {
  const root = role === 'anchor' && selfIssued(one)
  return keyUsage !== undefined && !(root && purposes !== undefined)
}
