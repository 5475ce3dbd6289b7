import { type Certificate, isSignedBy, otherFingerprint } from './certificate.ts'
import { type Excess, excess } from './limits.ts'
import { isLow } from './low.ts'

/** The CAs that somebody trusts, and the certificates that are not taken whoever signed them. */
export interface Pool {
  readonly roots: ReadonlyMap<string, Certificate>
  /** Fingerprints, lower-case hex. */
  readonly blocked: ReadonlySet<string>
  /** Whether P-256 signatures with a high S are taken, as nebula-cert before 1.10.3 made them half the time. */
  readonly highS: boolean
}

/** Why a certificate is refused; the words of nebula where it has some. */
export type Refusal =
  | {
      readonly code:
        | 'blocked'
        | 'ca-unknown'
        | 'ca-as-host'
        | 'curve-mismatch'
        | 'root-expired'
        | 'expired'
    }
  | { readonly code: 'signature-mismatch' | 'signature-high' }
  | { readonly code: Excess['code']; readonly what: string }

/** Why a certificate cannot be a root. */
export type Unfit = 'not-ca' | 'not-self-signed'

/** Whether a certificate may stand in a pool: a CA that signed itself. A root that has expired may; nothing under it is taken. */
export function unfit(root: Certificate): Unfit | undefined {
  if (!root.isCa) return 'not-ca'
  return isSignedBy(root, root.publicKey) ? undefined : 'not-self-signed'
}

/** A pool of roots that are fit. @throws TypeError for one that is not: ask `unfit` before */
export function poolOf(
  roots: readonly Certificate[],
  options: { readonly blocked?: Iterable<string>; readonly highS?: boolean } = {},
): Pool {
  const bad = roots.find((root) => unfit(root) !== undefined)
  if (bad !== undefined) throw new TypeError(`${bad.name}: ${unfit(bad)}`)
  return {
    roots: new Map(roots.map((root) => [root.fingerprint, root])),
    blocked: new Set([...(options.blocked ?? [])].map((one) => one.toLowerCase())),
    highS: options.highS ?? false,
  }
}

/** Why a host certificate is not to be trusted now (epoch milliseconds); `undefined` when it is. The order of the checks is nebula's. */
export function refusal(pool: Pool, one: Certificate, now: number): Refusal | undefined {
  if (isBlocked(pool, one)) return { code: 'blocked' }
  if (one.isCa) return { code: 'ca-as-host' }
  const root = pool.roots.get(one.issuer)
  if (root === undefined) return { code: 'ca-unknown' }
  if (root.curve !== one.curve) return { code: 'curve-mismatch' }
  if (isExpired(root, now)) return { code: 'root-expired' }
  if (isExpired(one, now)) return { code: 'expired' }
  if (!isSignedBy(one, root.publicKey)) return { code: 'signature-mismatch' }
  if (one.curve === 'P256' && !pool.highS && !isLow(one.signature))
    return { code: 'signature-high' }
  return excess(root, one)
}

/** Under either form of its signature: who has one can make the other. */
function isBlocked({ blocked }: Pool, one: Certificate): boolean {
  const other = blocked.size > 0 ? otherFingerprint(one) : undefined
  return blocked.has(one.fingerprint) || (other !== undefined && blocked.has(other))
}

/** Whether a certificate is not valid now: before its time or after it. */
export function isExpired({ notBefore, notAfter }: Certificate, now: number): boolean {
  return now < notBefore || now > notAfter
}

/** What a person should know of a refusal. */
export const REFUSALS: Readonly<Record<Refusal['code'], string>> = {
  blocked: 'the certificate is on the block list',
  'ca-unknown': 'could not find ca for the certificate',
  'ca-as-host': 'a CA certificate is no certificate of a host',
  'curve-mismatch': 'certificate curve does not match CA',
  'root-expired': 'root certificate is expired, or not yet valid',
  expired: 'certificate is expired, or not yet valid',
  'signature-mismatch': 'certificate signature did not match',
  'signature-high':
    'the signature has a high S, which nebula makes no longer since 1.10.3: have it signed again',
  outlives: 'certificate expires after signing certificate',
  predates: 'certificate is valid before the signing certificate',
  group: 'certificate contained a group not present on the signing ca',
  network: 'certificate contained a network assignment outside the limitations of the signing ca',
  'unsafe-network':
    'certificate contained an unsafe network assignment outside the limitations of the signing ca',
}
