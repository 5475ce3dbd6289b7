import type { KeyObject } from 'node:crypto'
import type { Spend } from './budget.ts'
import { type Certificate, selfIssued } from './certificate.ts'
import type { RevocationList } from './crl.ts'
import { buffer } from './der.ts'
import { fits, type KeyKind, openKey, verifies } from './key.ts'

type Signed = Pick<Certificate | RevocationList, 'algorithm' | 'signed' | 'signature'>

/** Asks whether the key of a certificate signed something; every pair of signature and key is asked once and paid once. */
export type Ask = (signed: Signed, issuer: Certificate) => boolean

/** How many signatures of the common kinds one with this key costs: the long curves have no fast code in OpenSSL. */
function weight(kind: KeyKind): number {
  if (kind.family === 'ec') return { 'P-256': 1, 'P-384': 4, 'P-521': 6 }[kind.curve]
  return kind.family === 'rsa' && kind.bits > 4_096 ? 2 : 1
}

/** A key as it is used in one search, and what it was found to have signed or not. */
interface Held {
  readonly kind: KeyKind
  opened?: { readonly key: KeyObject | undefined }
  readonly answers: Map<Signed, boolean>
}

/** One search's memory of keys and signatures. A CA with several certificates has one key: it is asked as one. */
export function signatures(spend: Spend): Ask {
  const keys = new Map<string, Held>()
  const byIssuer = new Map<Certificate, Held>()
  return (one, issuer) => {
    const held = byIssuer.get(issuer) ?? hold(issuer)
    const known = held.answers.get(one)
    if (known !== undefined) return known
    const answer = fits(held.kind, one.algorithm) && paid(one, held, issuer)
    held.answers.set(one, answer)
    return answer
  }

  function hold(issuer: Certificate): Held {
    const name = buffer(issuer.key).toString('latin1')
    const held = keys.get(name) ?? { kind: issuer.kind(), answers: new Map() }
    keys.set(name, held)
    byIssuer.set(issuer, held)
    return held
  }

  function paid({ algorithm, signed, signature }: Signed, held: Held, issuer: Certificate) {
    spend('signatures', weight(held.kind))
    held.opened ??= { key: openKey(issuer.key) }
    const { key } = held.opened
    return key !== undefined && verifies(key, algorithm, signed, signature)
  }
}

/** Whether a certificate is signed by its own key under its own name, as roots are. */
export function selfSigned(one: Certificate): boolean {
  return selfIssued(one) && signatures(() => undefined)(one, one)
}
