import { encodeTrust, type Trust } from './bundle.ts'
import { type Certificate, parseCertificate, valuesOf } from './certificate.ts'
import { numberOf, parseRevocationList, type RevocationList, sameIssuer, usable } from './crl.ts'
import { buffer, isFault } from './der.ts'
import { sameName } from './names.ts'
import { findPath } from './path.ts'
import { type Block, pem, pemBlocks } from './pem.ts'
import { signatures } from './signatures.ts'

/** What became of one list; `older`: a newer one of its issuer is there and stays. */
export type Fate =
  | { readonly at: 'taken' | 'known' | 'older'; readonly number: bigint }
  | { readonly at: 'refused'; readonly rule: string }

/** A trust bundle after lists were put into it, and what became of each, in the order given. */
export interface Listed {
  readonly trust: Trust
  readonly fates: readonly Fate[]
}

/** Secrets Manager keeps so many octets. */
const LARGEST = 65_536
const RULES = {
  pem: 'PEM of one X509 CRL or more, with the certificates of CAs below the anchors that issued them (RFC 7468)',
  der: 'well-formed DER (RFC 5280 5.1)',
  signed:
    'signed by an anchor, or by a CA below one whose certificate comes along (RFC 5280 6.3.3 g)',
  sound:
    'a CRL number, an issuer that may sign lists, and nothing in it that is critical (RFC 5280 5.2, 6.3.3)',
  number: 'a number of its own: another list of its issuer has the same (RFC 5280 5.2.3)',
  large: `with it the trust bundle is larger than a secret may be, ${LARGEST} octets`,
} as const

/** A list that bears the signature of a CA under the anchors. */
interface Known {
  readonly der: Buffer
  readonly list: RevocationList
  readonly number: bigint
  readonly signer: Certificate
}

/**
 * Puts revocation lists, PEM, into a trust bundle at `now` (epoch ms). A list must be one that Envoy can rely on; it takes the place
 * of its issuer's older one, and never goes back: a lower number is passed over. What is there already is not checked again, so
 * that the same text may be given for ever. The certificates of issuers below the anchors are kept beside the lists.
 */
export function addLists(trust: Trust, given: string, now: number): Listed {
  const blocks = pemBlocks(given) ?? []
  const lists = blocks.filter(({ label }) => label === 'X509 CRL')
  const others = blocks.filter(({ label }) => label !== 'X509 CRL')
  if (lists.length === 0 || others.some(({ label }) => label !== 'CERTIFICATE'))
    return { trust, fates: [{ at: 'refused', rule: RULES.pem }] }
  const signers = cas(trust, others, now)
  let known = knownOf(trust, signers)
  const fates = lists.map(({ der }): Fate => {
    const one = read(der, signers)
    if (typeof one === 'string') return { at: 'refused', rule: one }
    const before = known.find(({ signer }) => isSame(signer, one.signer))
    const fate = compare(one, before, now)
    if (fate.at === 'taken')
      known =
        before === undefined ? [...known, one] : known.map((each) => (each === before ? one : each))
    return fate
  })
  const next = written(trust.anchors, known)
  if (Buffer.byteLength(encodeTrust(next)) <= LARGEST) return { trust: next, fates }
  return { trust, fates: [{ at: 'refused', rule: RULES.large }] }
}

/** A trust bundle with other anchors, PEM, and those of its lists whose CAs are under them. */
export function carryLists(before: Trust, anchors: string, now: number): Trust {
  const next = { ...before, anchors }
  return written(anchors, knownOf(next, cas(next, [], now)))
}

/**
 * A trust bundle without the lists that `gone`, PEM, holds; an issuer that `given`, PEM, has a list of keeps what is there: a list is
 * never gone back from, only given up.
 */
export function dropLists(
  trust: Trust,
  { gone, given }: { readonly gone: string; readonly given: string },
  now: number,
): Trust {
  const away = (pemBlocks(gone) ?? []).map(({ der }) => der)
  const stay = (pemBlocks(given) ?? []).map(({ der }) => parseRevocationList(der))
  const stays = (list: RevocationList) => stay.some((one) => !isFault(one) && sameIssuer(one, list))
  const known = knownOf(trust, cas(trust, [], now))
  const kept = known.filter(({ der, list }) => stays(list) || !away.some((one) => one.equals(der)))
  return written(trust.anchors, kept)
}

function compare(one: Known, before: Known | undefined, now: number): Fate {
  const { number, list, signer } = one
  if (before?.der.equals(one.der)) return { at: 'known', number }
  if (before !== undefined && number < before.number) return { at: 'older', number }
  if (before?.number === number) return { at: 'refused', rule: RULES.number }
  const { thisUpdate, nextUpdate } = list
  if (thisUpdate.at > now)
    return { at: 'refused', rule: `of now, not of ${day(thisUpdate.at)} (RFC 5280 5.1.2.4)` }
  if (nextUpdate === undefined || nextUpdate.at < now) {
    const end = nextUpdate === undefined ? 'which has none' : `which is ${day(nextUpdate.at)}`
    return { at: 'refused', rule: `not beyond its nextUpdate, ${end} (RFC 5280 5.1.2.5)` }
  }
  return usable(list, signer, now) ? { at: 'taken', number } : { at: 'refused', rule: RULES.sound }
}

/** A list and who signed it, or the rule that is broken. */
function read(der: Buffer, signers: readonly Certificate[]): Known | string {
  const list = parseRevocationList(der)
  if (isFault(list)) return RULES.der
  const ask = signatures(() => undefined)
  const signer = signers.find((ca) => sameName(ca.subject, list.issuer) && ask(list, ca))
  if (signer === undefined) return RULES.signed
  const number = numberOf(list)
  return number === undefined ? RULES.sound : { der, list, number, signer }
}

/** The CAs whose lists count: anchors, and those below them that are kept or come along. */
function cas({ anchors, issuers = '' }: Trust, more: readonly Block[], now: number): Certificate[] {
  const roots = pemBlocks(anchors) ?? []
  const below = [...(pemBlocks(issuers) ?? []), ...more]
  const question = {
    intermediates: below.map(({ der }) => der),
    anchors: roots.map(({ der }) => der),
    now,
    usages: ['cRLSign'] as const,
  }
  const led = below.filter(({ der }) => 'path' in findPath({ ...question, leaf: der }))
  return [...roots, ...led]
    .map(({ der }) => parseCertificate(der))
    .flatMap((one) => (isFault(one) || valuesOf(one).basic?.ca !== true ? [] : [one]))
}

function knownOf({ crl = '' }: Trust, signers: readonly Certificate[]): readonly Known[] {
  return (pemBlocks(crl) ?? []).flatMap(({ der }) => {
    const one = read(der, signers)
    return typeof one === 'string' ? [] : [one]
  })
}

function written(anchors: string, known: readonly Known[]): Trust {
  if (known.length === 0) return { format: 1, anchors }
  const roots = (pemBlocks(anchors) ?? []).map(({ der }) => der)
  const crl = known.map(({ der }) => pem('X509 CRL', der)).join('')
  const issuers = known
    .filter(({ signer }) => !roots.some((root) => root.equals(signer.der)))
    .map(({ signer }) => pem('CERTIFICATE', signer.der))
  const below = [...new Set(issuers)].join('')
  return { format: 1, anchors, crl, ...(below !== '' && { issuers: below }) }
}

/** A CA keeps its key when its certificate is renewed. */
function isSame(one: Certificate, other: Certificate): boolean {
  return sameName(one.subject, other.subject) && buffer(one.key).equals(other.key)
}

function day(at: number): string {
  return new Date(at).toISOString()
}
