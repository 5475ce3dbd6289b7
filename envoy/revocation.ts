import { parseCertificate } from '../pki/certificate.ts'
import { parseRevocationList, type RevocationList, sameIssuer } from '../pki/crl.ts'
import { isFault } from '../pki/der.ts'
import { sameName } from '../pki/names.ts'
import { pemBlocks } from '../pki/pem.ts'
import { signatures } from '../pki/signatures.ts'
import type { Anchors } from './source.ts'

/** What is wrong with revocation lists, and until when they hold. */
export interface Lists {
  /** The rule that is broken; absent when all is well. */
  readonly rule?: string
  /** Epoch milliseconds; from then on Envoy refuses everybody. */
  readonly until: number
}

/**
 * Looks at revocation lists, PEM, as Envoy will use them at `now` (epoch ms): an issuer needs one list that is valid now, or
 * everybody whom it certified is refused (RFC 5280 6.3.3). A list of an anchor, or of a CA that came along, must bear its signature.
 */
export function lists(
  { crl = '', anchors, issuers = '' }: Omit<Anchors, 'version'>,
  now: number,
): Lists {
  const blocks = pemBlocks(crl) ?? []
  if (blocks.length === 0 || blocks.some(({ label }) => label !== 'X509 CRL'))
    return { rule: 'PEM of X509 CRL and nothing else (RFC 7468)', until: now }
  const parsed = blocks.map(({ der }) => parseRevocationList(der))
  const read = parsed.flatMap((one) => (isFault(one) ? [] : [one]))
  if (read.length < parsed.length) return { rule: 'well-formed DER (RFC 5280 5.1)', until: now }
  if (read.some((one) => isForged(one, `${anchors}\n${issuers}`)))
    return { rule: 'signed by the CA that it names (RFC 5280 6.3.3 g)', until: now }
  const ends = read.map((one) =>
    Math.max(...read.filter((other) => sameIssuer(other, one)).map((o) => end(o, now))),
  )
  const until = Math.min(...ends)
  if (until > now) return { until }
  return { rule: 'each issuer has a list that is valid now (RFC 5280 5.1.2.5)', until }
}

/** When a list is no longer of use; a list of the future is of no use yet. */
function end({ thisUpdate, nextUpdate }: RevocationList, now: number): number {
  return thisUpdate.at <= now ? (nextUpdate?.at ?? 0) : 0
}

/** Names one of the CAs, and none of that name has signed it. */
function isForged(one: RevocationList, cas: string): boolean {
  const issuers = (pemBlocks(cas) ?? [])
    .map(({ der }) => parseCertificate(der))
    .flatMap((each) => (isFault(each) ? [] : [each]))
    .filter(({ subject }) => sameName(subject, one.issuer))
  const ask = signatures(() => undefined)
  return issuers.length > 0 && !issuers.some((issuer) => ask(one, issuer))
}
