import type { KeyObject } from 'node:crypto'
import type { Spend } from './budget.ts'
import { type Certificate, selfIssued } from './certificate.ts'
import type { RevocationList } from './crl.ts'
import { fits, openKey, verifies } from './key.ts'

type Signed = Pick<Certificate | RevocationList, 'algorithm' | 'signed' | 'signature'>

/** Asks whether the key of a certificate signed something; every pair is asked once and paid once. */
export type Ask = (signed: Signed, issuer: Certificate) => boolean

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
    spend('signatures')
    const key = keyOf(issuer)
    return key !== undefined && verifies(key, algorithm, signed, signature)
  }
}

/** Whether a certificate is signed by its own key under its own name, as roots are. */
export function selfSigned(one: Certificate): boolean {
  return selfIssued(one) && signatures(() => undefined)(one, one)
}
