import { RelayError } from '../pki/error.ts'
import { readTags } from '../pki/tags.ts'
import type { Authority, Certificate, Issuer, Order } from '../ports/authority.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import type { Asked } from './resource.ts'

type Needs = Pick<Ports, 'authority' | 'clock'>

/** What a user asks for with `Custom::ClientCertificate`. */
export interface Wanted {
  /** Of the CA, of an ACM certificate to adopt, or an authority of our own. */
  readonly origin: { readonly authority: string } | { readonly certificate: string } | OwnOrigin
  /** DNS names, the common name first; only with an authority; from one of our own IP addresses and URIs too. */
  readonly names: readonly string[]
  /** Absent: fits the CA's family. */
  readonly keyAlgorithm?: Order['keyAlgorithm']
  readonly secret: string
  readonly secretKey?: string
  readonly replicas: readonly string[]
  readonly services: readonly string[]
  /** Roles that the function `bootstrap` hands it over to: names or ARNs. */
  readonly roles: readonly string[]
  readonly renewBefore?: number
  /** Its sidecars take a new version without a deployment. */
  readonly hot?: true
  readonly layout?: 'walkthrough'
  readonly tags: Readonly<Record<string, string>>
}

/** An authority of our own, as a source (pki/source.ts), and the trust bundle with its anchors where it is not named by label. */
export interface OwnOrigin {
  readonly own: string
  readonly trust?: string
}

/** The source: the adopted certificate, the one that the secret has if it still fits, a new one, or an authority of our own. */
export async function obtain(
  ports: Pick<Needs, 'authority'>,
  { properties: wanted, owner, token }: Asked<Wanted>,
  held: Held | undefined,
): Promise<string> {
  const { origin, names } = wanted
  if ('own' in origin) return origin.own
  if ('certificate' in origin) {
    const { authority } = await adopted(ports.authority, origin.certificate)
    if (authority !== undefined) return origin.certificate
    throw new RelayError(
      'CERTIFICATE_REFUSED',
      `Certificate: ${origin.certificate} was not issued by a private CA, so its key cannot be exported; give one that was`,
    )
  }
  const keyAlgorithm = await suit(ports.authority, origin.authority, wanted.keyAlgorithm)
  const [first, ...others] = names
  if (first === undefined) throw new TypeError('an order has at least one name')
  for (const source of candidates(held)) {
    const has = await ports.authority.describe(source).catch(missing)
    if (has !== undefined && fitting(has, { authority: origin.authority, names, keyAlgorithm }))
      return source
  }
  return ports.authority.request({
    authority: origin.authority,
    names: [first, ...others],
    keyAlgorithm,
    token,
    owner,
    tags: {},
  })
}

/** ARNs of certificates that the secret has, or had before an update that was cut short. */
export function candidates(held: Held | undefined): readonly string[] {
  const registration = held === undefined || held.deleted ? undefined : readTags(held.tags)
  const { source, replaces = [] } = registration ?? {}
  return source === undefined ? [] : [source, ...replaces].filter((one) => one.startsWith('arn:'))
}

function fitting(
  has: Certificate,
  {
    authority,
    names,
    keyAlgorithm,
  }: Pick<Order, 'authority' | 'keyAlgorithm'> & Pick<Wanted, 'names'>,
): boolean {
  const set = (list: readonly string[]) => [...new Set(list)].sort().join()
  return (
    has.authority === authority &&
    has.keyAlgorithm === keyAlgorithm &&
    has.names[0] === names[0] &&
    set(has.names) === set(names) &&
    (has.status === 'issued' || has.status === 'pending')
  )
}

/** The key algorithm for a CA. @throws AUTHORITY_MISSING, AUTHORITY_REFUSED naming the property to change. */
async function suit(
  authority: Authority,
  arn: string,
  wanted: Order['keyAlgorithm'] | undefined,
): Promise<Order['keyAlgorithm']> {
  const { status, family, shortLived } = await ask(authority, arn, 'Authority')
  if (status !== 'ACTIVE')
    throw new RelayError(
      'AUTHORITY_REFUSED',
      `Authority: ${arn} is ${status}; activate or enable it, or give another`,
    )
  if (shortLived)
    throw new RelayError(
      'AUTHORITY_REFUSED',
      `Authority: ${arn} issues short-lived certificates only, which ACM cannot use; give a general-purpose CA`,
    )
  const fitting =
    family === 'RSA' ? ['RSA_2048' as const] : ['EC_prime256v1' as const, 'EC_secp384r1' as const]
  if (family === 'other')
    throw new RelayError(
      'AUTHORITY_REFUSED',
      `Authority: the key of ${arn} is neither RSA nor EC, and ACM issues no other; give another CA`,
    )
  const chosen = wanted ?? fitting[0]
  if (chosen !== undefined && fitting.some((one) => one === chosen)) return chosen
  throw new RelayError(
    'PROPERTY_INVALID',
    `KeyAlgorithm: ${wanted} does not fit the CA, whose key is ${family}; use ${fitting.join(' or ')}`,
  )
}

/** Describes a CA. @throws AUTHORITY_MISSING, ACCESS_REFUSED naming the property that has its ARN. */
export async function ask(
  authority: Pick<Authority, 'issuer'>,
  arn: string,
  property: string,
): Promise<Issuer> {
  try {
    return await authority.issuer(arn)
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    const { code, message } = error
    if (code === 'ACCESS_REFUSED')
      throw new RelayError(code, `${property}: ${message}`, { cause: error })
    if (code !== 'AUTHORITY_MISSING') throw error
    throw new RelayError(
      code,
      `${property}: there is no CA ${arn} in this account and region; give the ARN of one`,
      { cause: error },
    )
  }
}

/** Real milliseconds between two looks at a certificate that is being issued, and how many looks fit into one invocation. */
const GAP = 500
const LOOKS = 20

/** Looks until the certificate is issued. @throws CERTIFICATE_PENDING, CERTIFICATE_REFUSED with the authority's reason */
export async function awaitIssue({ authority, clock }: Needs, arn: string): Promise<Certificate> {
  for (let count = 0; count < LOOKS; count++) {
    const found = await authority.describe(arn).catch(missing) // ACM takes seconds to show a new one
    if (found?.status === 'issued') return found
    if (found !== undefined && found.status !== 'pending') {
      throw new RelayError(
        'CERTIFICATE_REFUSED',
        `${property(found)}certificate ${arn} is ${found.status}${found.failure === undefined ? '' : `: ${found.failure}`}${NEXT[found.failure ?? ''] ?? ''}`,
      )
    }
    if (count < LOOKS - 1) await clock.sleep(GAP)
  }
  throw new RelayError(
    'CERTIFICATE_PENDING',
    `certificate ${arn} is not issued yet; look again later`,
  )
}

/** What the CA refused is mended at the CA. */
function property({ failure = '' }: Certificate): string {
  return failure.startsWith('PCA_') ? 'Authority: ' : ''
}

const NEXT: Readonly<Record<string, string>> = {
  PCA_ACCESS_DENIED: '; give acm.amazonaws.com permission on the CA (AWS::ACMPCA::Permission)',
  PCA_INVALID_STATE: '; enable the CA',
  PCA_LIMIT_EXCEEDED: "; the CA's quota is used up",
}

/** An adopted certificate. @throws CERTIFICATE_MISSING naming the property. */
async function adopted(authority: Authority, arn: string): Promise<Certificate> {
  const found = await authority.describe(arn).catch(missing)
  if (found !== undefined) return found
  throw new RelayError(
    'CERTIFICATE_MISSING',
    `Certificate: there is no certificate ${arn} in this account and region; give the ARN of one`,
  )
}

function missing(error: unknown): undefined {
  if (error instanceof RelayError && error.code === 'CERTIFICATE_MISSING') return undefined
  throw error
}
