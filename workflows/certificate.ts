import { facts } from '../pki/bundle.ts'
import { RelayError } from '../pki/error.ts'
import { fits, readTags, writeTags } from '../pki/tags.ts'
import type { Authority, Certificate, Order } from '../ports/authority.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import { type Claim, claim, inspect } from './claim.ts'
import { stage, verify, versionOf } from './publish.ts'
import type { Asked, Gone, Made, Resource } from './resource.ts'

type Needs = Pick<
  Ports,
  'authority' | 'vault' | 'keeper' | 'queue' | 'keys' | 'org' | 'passphrase' | 'clock' | 'log'
>

/** What a user asks for with `Custom::ClientCertificate`. */
export interface Wanted {
  /** Of the CA, or of an ACM certificate to adopt. */
  readonly origin: { readonly authority: string } | { readonly certificate: string }
  /** DNS names, the common name first; only with an authority. */
  readonly names: readonly string[]
  /** Absent: fits the CA's family. */
  readonly keyAlgorithm?: Order['keyAlgorithm']
  readonly secret: string
  readonly secretKey?: string
  readonly replicas: readonly string[]
  readonly services: readonly string[]
  readonly renewBefore?: number
  readonly tags: Readonly<Record<string, string>>
}

/** `Custom::ClientCertificate`: a certificate in a secret, renewed from now on. */
export const certificate: Resource<Needs, Wanted> = { make, remove }

async function make(ports: Needs, asked: Asked<Wanted>): Promise<Made> {
  const { properties: wanted, owner } = asked
  if (!fits(wanted.services))
    throw new RelayError(
      'PROPERTY_INVALID',
      'Services: too many for the tags of one secret; split them over two secrets',
    )
  const before = await inspect(ports, wanted.secret, owner)
  const source = await obtain(ports, asked, before)
  try {
    const issued = await awaitIssue(ports, source)
    const held = await claim(ports, claimOf(asked, source))
    const version = await publish(ports, held, issued)
    await forget(ports, before, source, owner)
    return { physicalId: held.arn, data: await attributes(ports, held.arn, version, source) }
  } catch (error) {
    if (!isFinal(error, asked.last)) throw error
    throw announce(error, await undo(ports, asked, before, source))
  }
}

function claimOf({ properties: wanted, owner }: Asked<Wanted>, source: string): Claim {
  const { secret: name, secretKey: key, replicas, services, renewBefore, tags } = wanted
  const registration = {
    source,
    owner,
    services,
    ...(renewBefore !== undefined && { renewBefore }),
  }
  return {
    name,
    owner,
    keeping: { replicas, ...(key !== undefined && { key }) },
    tags: { ...tags, ...writeTags(registration) },
  }
}

/** Waiting and trying again are over when the request's time is. */
function isFinal(error: unknown, last: boolean): error is RelayError {
  if (!(error instanceof RelayError)) return false
  return last || (error.remedy !== 'wait' && error.remedy !== 'retry')
}

/** Takes back what this request made: the new certificate, and the secret if it holds no version yet. Returns what is left. */
async function undo(
  ports: Needs,
  { properties: wanted, owner }: Asked<Wanted>,
  before: Held | undefined,
  source: string,
): Promise<string[]> {
  const { authority, vault, keeper } = ports
  const had = before === undefined ? undefined : readTags(before.tags)?.source
  const left: string[] = []
  const held =
    before === undefined ? await vault.find(wanted.secret).catch(() => undefined) : undefined
  if (held !== undefined && held.versions.size === 0 && readTags(held.tags)?.owner === owner) {
    await keeper.remove(held.arn).catch(() => left.push(`secret ${held.arn}`))
  }
  if ('certificate' in wanted.origin || source === had) return left
  const gone = await authority.remove(source, owner).catch(() => false)
  return gone ? left : [...left, `certificate ${source}`]
}

function announce(error: RelayError, left: readonly string[]): RelayError {
  if (left.length === 0) return error
  return new RelayError(
    error.code,
    `${error.message}; left behind, delete by hand: ${left.join(', ')}`,
    { cause: error },
  )
}

/** ARN of the certificate: the adopted one, the one that the secret has if it still fits, or a new one. */
async function obtain(
  ports: Needs,
  { properties: wanted, owner, token }: Asked<Wanted>,
  held: Held | undefined,
): Promise<string> {
  const { origin, names } = wanted
  if ('certificate' in origin) {
    const { authority } = await describe(ports.authority, origin.certificate, 'Certificate')
    if (authority !== undefined) return origin.certificate
    throw new RelayError(
      'CERTIFICATE_REFUSED',
      `Certificate: ${origin.certificate} was not issued by a private CA, so its key cannot be exported; give one that was`,
    )
  }
  const keyAlgorithm = await suit(ports.authority, origin.authority, wanted.keyAlgorithm)
  const [first, ...others] = names
  if (first === undefined) throw new TypeError('an order has at least one name')
  const source = held === undefined || held.deleted ? undefined : readTags(held.tags)?.source
  if (source !== undefined) {
    const has = await ports.authority.describe(source).catch(missing)
    const same = (a: readonly string[], b: readonly string[]) =>
      [...new Set(a)].sort().join() === [...new Set(b)].sort().join()
    if (
      has?.authority === origin.authority &&
      has.keyAlgorithm === keyAlgorithm &&
      same(has.names, names) &&
      has.names[0] === first
    ) {
      if (has.status === 'issued' || has.status === 'pending') return source
    }
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

/** The key algorithm for a CA. @throws AUTHORITY_MISSING, AUTHORITY_REFUSED naming the property to change. */
async function suit(
  authority: Authority,
  arn: string,
  wanted: Order['keyAlgorithm'] | undefined,
): Promise<Order['keyAlgorithm']> {
  const { status, family, shortLived } = await authority.issuer(arn).catch((error: unknown) => {
    if (!(error instanceof RelayError) || error.code !== 'AUTHORITY_MISSING') throw error
    throw new RelayError(
      'AUTHORITY_MISSING',
      `Authority: there is no CA ${arn} in this account and region; give the ARN of one`,
      { cause: error },
    )
  })
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

/** Real milliseconds between two looks at a certificate that is being issued, and how many looks fit into one invocation. */
const GAP = 500
const LOOKS = 20

async function awaitIssue({ authority, clock }: Needs, arn: string): Promise<Certificate> {
  for (let count = 0; count < LOOKS; count++) {
    const found = await describe(authority, arn, 'Certificate', count < LOOKS - 1)
    if (found?.status === 'issued') return found
    if (found !== undefined && found.status !== 'pending') {
      throw new RelayError(
        'CERTIFICATE_REFUSED',
        `certificate ${arn} is ${found.status}${found.failure === undefined ? '' : `: ${found.failure}`}${NEXT[found.failure ?? ''] ?? ''}`,
      )
    }
    await clock.sleep(GAP)
  }
  throw new RelayError(
    'CERTIFICATE_PENDING',
    `certificate ${arn} is not issued yet; look again later`,
  )
}

const NEXT: Readonly<Record<string, string>> = {
  PCA_ACCESS_DENIED: '; give acm.amazonaws.com permission on the CA (AWS::ACMPCA::Permission)',
  PCA_INVALID_STATE: '; enable the CA',
  PCA_LIMIT_EXCEEDED: "; the CA's quota is used up",
}

async function describe(
  authority: Authority,
  arn: string,
  property: string,
  patient?: false,
): Promise<Certificate>
async function describe(
  authority: Authority,
  arn: string,
  property: string,
  patient: boolean,
): Promise<Certificate | undefined>
async function describe(
  authority: Authority,
  arn: string,
  property: string,
  patient = false,
): Promise<Certificate | undefined> {
  try {
    return await authority.describe(arn)
  } catch (error) {
    if (!(error instanceof RelayError) || error.code !== 'CERTIFICATE_MISSING') throw error
    if (patient) return undefined // ACM takes seconds to show a certificate that was just requested
    throw new RelayError(
      'CERTIFICATE_MISSING',
      `${property}: there is no certificate ${arn} in this account and region; give the ARN of one`,
      { cause: error },
    )
  }
}

/** Brings the certificate into the secret as AWSCURRENT, checked; says so to the queue when running services must learn of it. */
async function publish(ports: Needs, held: Held, issued: Certificate): Promise<string> {
  const { vault, keeper, queue, clock } = ports
  const known = versionOf(issued)
  const current = [...held.versions].find(([, labels]) => labels.includes('AWSCURRENT'))?.[0]
  if (current === known) {
    await queueRollout(ports, held)
    return known
  }
  const version = held.versions.has(known) ? known : await stage(ports, held, issued)
  if (current !== undefined) {
    const findings = await verify(ports, held.arn, version, issued)
    if (findings.length > 0) {
      const list = findings.map(({ code, certificate: which }) => `${code} (${which})`).join(', ')
      throw new RelayError(
        'CHAIN_BROKEN',
        `certificate ${issued.arn} fails the check: ${list}; the secret keeps the one it has`,
      )
    }
    await vault.move(held.arn, 'AWSCURRENT', current, version)
  }
  const { notAfter } = issued
  const promoted = { version, at: clock.now() }
  await keeper.tag(held.arn, writeTags({ promoted, ...(notAfter !== undefined && { notAfter }) }))
  if (current !== undefined) await queue.look(held.arn, 0)
  return version
}

/** An update may have been killed between promotion and rollout: a look costs little. */
async function queueRollout({ queue }: Needs, { arn, versions }: Held): Promise<void> {
  if (versions.size > 0) await queue.look(arn, 0)
}

/** Deletes the certificate that the secret had before, if we had asked for it. */
async function forget(
  { authority, log }: Needs,
  before: Held | undefined,
  source: string,
  owner: string,
): Promise<void> {
  const old = before === undefined ? undefined : readTags(before.tags)?.source
  if (old === undefined || old === source || !old.startsWith('arn:')) return
  const gone = await authority.remove(old, owner)
  log.info(gone ? 'certificate-removed' : 'certificate-left', { source: old })
}

async function remove(
  { authority, vault, keeper, log }: Needs,
  { owner, physicalId }: Gone,
): Promise<void> {
  if (!physicalId.startsWith('arn:')) return
  const held = await vault.find(physicalId)
  const registration = held === undefined ? undefined : readTags(held.tags)
  if (held === undefined || held.deleted || registration?.owner !== owner) {
    log.info('nothing-to-remove', { secret: physicalId })
    return
  }
  await authority.remove(registration.source, owner)
  await keeper.remove(held.arn)
  log.info('removed', { secret: held.arn, source: registration.source })
}

async function attributes({ authority }: Needs, arn: string, version: string, source: string) {
  const { serial, notAfter, fingerprint256 } = facts(source, await authority.leaf(source))
  return {
    SecretArn: arn,
    VersionId: version,
    CertificateArn: source,
    Serial: serial,
    NotAfter: notAfter,
    Fingerprint256: fingerprint256,
  }
}

function missing(error: unknown): undefined {
  if (error instanceof RelayError && error.code === 'CERTIFICATE_MISSING') return undefined
  throw error
}
