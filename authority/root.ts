import { type Certificate, parseCertificate, valuesOf } from '../pki/certificate.ts'
import { content, isFault } from '../pki/der.ts'
import { keyKind } from '../pki/key.ts'
import { EXTENSION } from '../pki/oids.ts'
import { selfSigned } from '../pki/signatures.ts'
import { ALGORITHM } from '../pki/signing.ts'
import { weakness } from '../pki/weak.ts'
import { bitString, sequence } from '../pki/write.ts'
import type { Signer } from '../ports/signer.ts'
import type { Ca } from './ca.ts'
import { validity } from './dates.ts'
import { type Around, toBeSigned } from './issue.ts'
import { authorityKey, type Issuer, issuerOf, keyIdentifier, subjectOctets } from './issuer.ts'
import { below, extended, type Plan } from './plan.ts'
import { BARE, type Profile } from './policy.ts'
import { proved } from './proof.ts'
import { Refused, type Subject } from './request.ts'
import { serialOf } from './serial.ts'
import { made, shapeOf, type Written } from './shape.ts'
import { partsOf, subjectOf, written } from './subject.ts'

/** What a CA certificate is to say. */
export interface Order {
  readonly subject: Subject
  /** How many CAs may follow below it; absent: as many as its issuer lets. */
  readonly pathLength?: number
  /** Epoch milliseconds; an issuer's own validity cuts them. */
  readonly notBefore: number
  readonly notAfter: number
  readonly crlUrl?: string
  readonly ocspUrl?: string
  readonly issuerUrls?: readonly string[]
}

/** Another root to cross-sign. */
export interface Crossing {
  /** DER. */
  readonly certificate: Uint8Array
  /** Epoch milliseconds. */
  readonly notBefore: number
  readonly notAfter: number
}

type Outside = Pick<Around, 'now' | 'random'>

/** A root: signed by its own key. DER. @throws Refused, ISSUE_BROKEN, what the signer throws */
export async function root(signer: Signer, order: Order, around: Outside): Promise<Buffer> {
  const owner = ownerOf(order, signer.publicKey)
  const plan = planOf(owner, undefined, around)
  const serial = await serialOf({ label: 'root', profile: plan.profile, request: {} }, around)
  const algorithm = ALGORITHM[signer.signing]
  const signed = toBeSigned(plan, { algorithm, name: plan.name }, serial)
  const der = sequence(signed, algorithm, bitString(await signer.sign(signed)))
  const issuer = issuerOf({ label: 'root', certificate: der, signer })
  proved(der, { plan, issuer, serial })
  return der
}

/** A CA below another one. `key`: its SubjectPublicKeyInfo, DER. @throws Refused, ISSUE_BROKEN, what the signer throws */
export async function subordinate(
  parent: Ca,
  { key, order }: { readonly key: Uint8Array; readonly order: Order },
  around: Outside,
): Promise<Buffer> {
  return signedBy(parent, ownerOf(order, key), around)
}

/**
 * Another root's key and name, signed by this CA: who trusts this one finds a path to what the other issued. Key identifier and
 * name constraints stay, and the path length where this CA lets it.
 *
 * @throws Refused when the other is no root that its own key signed; ISSUE_BROKEN, what the signer throws
 */
export async function crossSigned(
  parent: Ca,
  crossing: Crossing,
  around: Outside,
): Promise<Buffer> {
  const other = parseCertificate(crossing.certificate)
  if (isFault(other) || isFault(other.known()) || !selfSigned(other))
    throw new Refused('ca-refused', 'only a root that its own key signed can be cross-signed')
  const { basic, subjectKey } = valuesOf(other)
  if (basic?.ca !== true)
    throw new Refused('ca-refused', 'the certificate to cross-sign is no CA’s')
  const { notBefore, notAfter } = crossing
  const pathLength = shorter(basic.pathLength, issuerOf(parent))
  const order = {
    subject: { names: [] },
    notBefore,
    notAfter,
    ...(pathLength !== undefined && { pathLength }),
  }
  const name = subjectOctets(other)
  const own = ownerOf(order, other.key)
  const keyId = subjectKey === undefined ? own.keyId : Buffer.from(subjectKey, 'hex')
  const subject = partsOf(name)
  return signedBy(parent, { ...own, subject, name, keyId, kept: keptOf(other) }, around)
}

/** A root's own path length, or what is left below the CA that cross-signs it. */
function shorter(own: number | undefined, issuer: Issuer): number | undefined {
  const limit = valuesOf(issuer.certificate).basic?.pathLength
  return limit === undefined ? own : Math.max(0, Math.min(own ?? limit, limit - 1))
}

function keptOf({ extensions }: Certificate): Written[] {
  return extensions
    .filter(({ id }) => id === EXTENSION.constraints)
    .map(({ id, critical, value }) => made(id, critical, content(value)))
}

/** Who a CA certificate is for. */
interface Owner extends Omit<Plan, 'extensions' | 'replaced' | 'validity'> {
  /** Extensions that stay as they are. */
  readonly kept: readonly Written[]
}

/** @throws Refused key-weak, name-refused */
function ownerOf(order: Order, key: Uint8Array): Owner {
  const weak = weakness(key, keyKind(key))
  if (weak !== undefined) throw new Refused('key-weak', `the key of the CA is refused: ${weak}`)
  const profile = profileOf(order)
  const subject = subjectOf([], order.subject)
  return {
    profile,
    shape: shapeOf(profile),
    subject,
    name: written(subject),
    names: [],
    key,
    keyId: keyIdentifier(key),
    ca: profile.ca,
    kept: [],
  }
}

/** CFSSL's usages of a CA (config.CAPolicy), and the dates of the order. */
function profileOf(order: Order): Profile {
  const { pathLength, notBefore, notAfter, crlUrl, ocspUrl, issuerUrls = [] } = order
  return {
    ...BARE,
    usages: ['cert sign', 'crl sign'],
    expiry: 0,
    backdate: 0,
    notBefore,
    notAfter,
    issuerUrls,
    ...(ocspUrl !== undefined && { ocspUrl }),
    ...(crlUrl !== undefined && { crlUrl }),
    ca: pathLength === undefined ? {} : { pathLength },
  }
}

async function signedBy(parent: Ca, owner: Owner, around: Outside): Promise<Buffer> {
  const issuer = issuerOf(parent)
  const plan = planOf(owner, issuer, around)
  const question = { label: parent.label, profile: plan.profile, request: {} }
  const serial = await serialOf(question, around)
  const signed = toBeSigned(plan, issuer, serial)
  const der = sequence(signed, issuer.algorithm, bitString(await parent.signer.sign(signed)))
  proved(der, { plan, issuer, serial })
  return der
}

/** A root names its own key as its issuer's. @throws Refused ca-refused, name-refused, validity-refused */
function planOf(owner: Owner, issuer: Issuer | undefined, { now }: Outside): Plan {
  const { profile, subject, shape, kept } = owner
  if (subject.length === 0) throw new Refused('name-refused', 'a CA has a subject: give it one')
  const ca = issuer === undefined ? profile.ca : below(issuer, profile.ca ?? {})
  const half = { ...owner, ca }
  const named = issuer ?? { authorityKey: authorityKey(owner.keyId) }
  return {
    ...half,
    ...extended(half, named, { lists: shape.lists, extra: kept }),
    validity: validity(profile, {}, { issuer, now }),
  }
}
