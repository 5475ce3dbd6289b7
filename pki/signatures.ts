import type { KeyObject } from 'node:crypto'
import type { Spend } from './budget.ts'
import { type Certificate, selfIssued } from './certificate.ts'
import type { RevocationList } from './crl.ts'
import { fits, type KeyKind, openKey, verifies } from './key.ts'

type Signed = Pick<Certificate | RevocationList, 'algorithm' | 'signed' | 'signature'>

/** Asks whether the key of a certificate signed something; every pair is asked once and paid once. */
export type Ask = (signed: Signed, issuer: Certificate) => boolean

/** How many signatures of the common kinds one with this key costs: the long curves have no fast code in OpenSSL. */
function weight(kind: KeyKind): number {
  if (kind.family === 'ec') return { 'P-256': 1, 'P-384': 4, 'P-521': 6 }[kind.curve]
  return kind.family === 'rsa' && kind.bits > 4_096 ? 2 : 1
}

/** One search's memory of keys and signatures. */
export function signatures(spend: Spend): Ask {
  const keys = new Map<Certificate, KeyObject | undefined>()
  const answers = new Map<Signed, Map<Certificate, boolean>>()
  const keyOf = (one: Certificate) => {
    if (!keys.has(one)) keys.set(one, openKey(one.key))
    return keys.get(one)
  }
  return (one, issuer) => {
    const known = answers.get(one)?.get(issuer)
    if (known !== undefined) return known
    const answer = fits(issuer.kind(), one.algorithm) && paid(one, issuer)
    answers.set(one, (answers.get(one) ?? new Map()).set(issuer, answer))
    return answer
  }

  function paid({ algorithm, signed, signature }: Signed, issuer: Certificate): boolean {
    spend('signatures', weight(issuer.kind()))
    const key = keyOf(issuer)
    return key !== undefined && verifies(key, algorithm, signed, signature)
  }
}

/** Whether a certificate is signed by its own key under its own name, as roots are. */
export function selfSigned(one: Certificate): boolean {
  return selfIssued(one) && signatures(() => undefined)(one, one)
}
