import type { Spend } from './budget.ts'
import { type Certificate, selfIssued } from './certificate.ts'
import type { RevocationList } from './crl.ts'
import { buffer } from './der.ts'
import { fits, type KeyKind, signedBy } from './key.ts'

/** Asks whether the key of a certificate signed something; every pair of signature and key is asked once and paid once. */
export type Ask = (signed: Certificate | RevocationList, issuer: Certificate) => boolean

/** How many signatures of the common kinds one with this key costs: the long curves have no fast code in OpenSSL. */
function weight(kind: KeyKind): number {
  if (kind.family === 'ec') return { 'P-256': 1, 'P-384': 4, 'P-521': 6 }[kind.curve]
  return kind.family === 'rsa' && kind.bits > 4_096 ? 2 : 1
}

/** A key as it is used in one search, by the first certificate that has it, and what it was found to have signed or not. */
interface Held {
  readonly of: Certificate
  readonly answers: Map<Certificate | RevocationList, boolean>
}

/** One search's memory of keys and signatures. A CA with several certificates has one key: it is asked as one. */
export function signatures(spend: Spend): Ask {
  const keys = new Map<string, Held>()
  const byIssuer = new Map<Certificate, Held>()
  return (one, issuer) => {
    const held = byIssuer.get(issuer) ?? hold(issuer)
    const known = held.answers.get(one)
    if (known !== undefined) return known
    const answer = one === issuer ? own(issuer) : paid(one, held.of)
    held.answers.set(one, answer)
    return answer
  }

  function hold(issuer: Certificate): Held {
    const name = buffer(issuer.key).toString('latin1')
    const held = keys.get(name) ?? { of: issuer, answers: new Map() }
    keys.set(name, held)
    byIssuer.set(issuer, held)
    return held
  }

  function own(one: Certificate): boolean {
    spend('signatures', weight(one.kind()))
    return one.ownSignature()
  }

  function paid(one: Certificate | RevocationList, of: Certificate): boolean {
    if (!fits(of.kind(), one.algorithm)) return false
    spend('signatures', weight(of.kind()))
    return signedBy(of.opened(), of.kind(), one)
  }
}

/** Whether a certificate is signed by its own key under its own name, as roots are. */
export function selfSigned(one: Certificate): boolean {
  return selfIssued(one) && one.ownSignature()
}
