import { hash } from 'node:crypto'
import type { Log } from '../ports/log.ts'
import type { Ca } from './ca.ts'
import type { Principal } from './entitle.ts'
import { type Around, type Asked, issue } from './issue.ts'
import { audited } from './note.ts'
import type { CaRecord } from './record.ts'
import type { Issued, SigningRequest } from './request.ts'
import type { Store } from './store.ts'

export { isRefusal, recordRefusal } from './note.ts'

/** Who asks, as the door that was used knows it. */
export interface Caller {
  /** Id of the trace: the front door's own, or made here. */
  readonly trace: string
  /** Id of this request. */
  readonly request: string
  /** For the record: an ARN, `key NAME of CFSSL`, or an address. */
  readonly who: string
  /** The role that IAM has verified; absent where nobody was, and for who signed without one. */
  readonly principal?: Principal
  /** `iam`: through a URL, by a signature; `direct`: invoked by whoever may invoke the function, who is not told. */
  readonly door: 'iam' | 'direct' | 'cfssl' | 'serve' | 'cli'
}

/** What is asked of which authority. */
export interface Order {
  readonly label: string
  readonly request: SigningRequest
  readonly caller: Caller
}

/** What was issued, with what goes along to whoever asked. */
export interface Signed extends Issued {
  readonly label: string
  readonly org: string
  /** From the issuer up, without the root, DER: what goes behind the certificate. */
  readonly chain: readonly Uint8Array[]
  /** PEM: what the peers trust. */
  readonly anchors: string
}

/** What a caller is entitled to, before the CSR was read. */
export interface Entitled {
  /** The request as it is to be signed. */
  readonly request: SigningRequest
  /** Is asked with what would be certified, before the key is used. @throws Refused */
  readonly admit?: (asked: Asked) => void
}

/**
 * Decides what a caller may have of an authority.
 * @throws Refused `caller-refused` or `name-refused`
 */
export type Entitle = (
  record: CaRecord,
  caller: Caller,
  request: SigningRequest,
) => Entitled | Promise<Entitled>

/** What signing needs. */
export interface Office {
  readonly store: Store
  readonly log: Log
  /** Clock, randomness and ledger of issuing. */
  readonly around: () => Omit<Around, 'admit'>
  /** Fingerprints of keys that are refused beside the built-in ones, where they are not at hand. @throws CONFIG_INVALID, SERVICE_UNAVAILABLE */
  readonly weakKeys?: (() => Promise<ReadonlySet<string>>) | undefined
  /** Absent: whoever came through the door may have what the profile allows. */
  readonly entitle?: Entitle | undefined
  /** Monotonic milliseconds. */
  readonly elapsed: () => number
}

/**
 * The one way to a certificate, whatever the protocol: opens the authority, asks what the caller may have, issues, and writes
 * one record of it, of a refusal and of a failure too.
 *
 * @throws Refused, or a RelayError when nothing is wrong with the request
 */
export async function sign(office: Office, order: Order): Promise<Signed> {
  const { store, entitle } = office
  const { label, request, caller } = order
  const { profile = '', hosts: names = [] } = request
  return audited(office, { label, caller, profile, names }, async (hear, asks) => {
    const record = await store.record(label)
    const may: Entitled =
      entitle === undefined ? { request } : await entitle(record, caller, request)
    const weakKeys = await office.weakKeys?.()
    const ca = await store.open(label, hear)
    try {
      const admit = (asked: Asked) => {
        asks([...new Set([...asked.names, ...asked.commonNames])])
        may.admit?.(asked)
      }
      const issued = await issue(ca, may.request, {
        ...office.around(),
        ...(weakKeys && { weakKeys }),
        admit,
      })
      const { anchors } = record
      const signed: Signed = { ...issued, label, org: ca.org, chain: behind(ca, record), anchors }
      const fingerprint = hash('sha256', signed.certificate, 'hex')
      return { made: signed, certified: { ...signed, fingerprint } }
    } finally {
      ca.signer.close()
    }
  })
}

/** What a peer needs between the certificate and the roots that it trusts. */
function behind({ certificate, chain }: Ca, record: CaRecord): readonly Uint8Array[] {
  const isTrusted = record.anchors.includes(record.certificate)
  return isTrusted ? chain : [certificate, ...chain]
}
