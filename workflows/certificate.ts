import { facts } from '../pki/bundle.ts'
import { listed } from '../pki/check.ts'
import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import { rolesFit, writeRoles } from '../pki/roles.ts'
import {
  fits,
  namesFit,
  REPLACES,
  type Registration,
  readTags,
  staleTags,
  writeTags,
} from '../pki/tags.ts'
import type { Certificate } from '../ports/authority.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import { type Claim, claim, inspect, release } from './claim.ts'
import { candidates, obtain, type Wanted } from './obtain.ts'
import { isOwn } from './own.ts'
import { bundleOf, lay, stage, verify, versionOf } from './publish.ts'
import { leaving, mark, record } from './record.ts'
import type { Asked, Gone, Made, Resource } from './resource.ts'
import { type Supply, supplied } from './supply.ts'

type Needs = Pick<
  Ports,
  | 'authority'
  | 'notary'
  | 'demand'
  | 'vault'
  | 'keeper'
  | 'queue'
  | 'keys'
  | 'org'
  | 'passphrase'
  | 'clock'
  | 'log'
>

/** `Custom::ClientCertificate`: a certificate in a secret, renewed from now on. */
export const certificate: Resource<Needs, Wanted> = { make, remove }

async function make(ports: Needs, asked: Asked<Wanted>): Promise<Made> {
  const { properties: wanted, owner } = asked
  measure(wanted)
  const before = await inspect(ports, wanted.secret, owner, asked.physicalId)
  const source = await obtain(ports, asked, before)
  const replaces = candidates(before).filter((arn) => arn !== source)
  const registration = registrationOf(asked, source, replaces)
  try {
    const supply = await supplied(ports, before, registration)
    try {
      const held = await claim(ports, claimOf(asked, registration))
      const version = await publish(ports, held, supply)
      const data = await attributes(ports, held.arn, version, source)
      await forget(ports, held.arn, replaces, asked)
      return { physicalId: held.arn, data }
    } finally {
      supply.drawn?.passphrase.wipe()
    }
  } catch (error) {
    if (!isFinal(error, asked.last)) throw error
    throw announce(error, await undo(ports, asked, before, registration))
  }
}

/** @throws PROPERTY_INVALID naming what is too much for the tags of one secret */
function measure({ services, roles, names }: Wanted): void {
  const refuse = (what: string) => {
    throw new RelayError('PROPERTY_INVALID', what)
  }
  if (!fits(services))
    refuse('Services: too many for the tags of one secret; split them over two secrets')
  if (!rolesFit(roles)) refuse('Roles: too many for the tags of one secret')
  if (!namesFit(names))
    refuse('AlternativeNames: too many for the tags of one secret; use a second certificate')
}

function registrationOf(
  { properties: wanted, owner }: Asked<Wanted>,
  source: string,
  replaces: readonly string[],
): Registration {
  const { origin, names, keyAlgorithm, services, renewBefore, hot, layout } = wanted
  return {
    source,
    owner,
    services,
    replaces,
    ...('own' in origin && {
      names,
      ...(keyAlgorithm !== undefined && { keyAlgorithm }),
      ...(origin.trust !== undefined && { trust: origin.trust }),
    }),
    ...(renewBefore !== undefined && { renewBefore }),
    ...(hot !== undefined && { hot }),
    ...(layout !== undefined && { layout }),
  }
}

function claimOf(
  { properties: wanted, owner, former }: Asked<Wanted>,
  registration: Registration,
): Claim {
  const { secret: name, secretKey: key, replicas, roles, tags } = wanted
  return {
    name,
    owner,
    keeping: { replicas, ...(key !== undefined && { key }) },
    tags: { ...tags, ...writeRoles(roles), ...writeTags(registration) },
    dropped: Object.keys(former?.tags ?? {}),
  }
}

/** Waiting and trying again are over when the request's time is. */
function isFinal(error: unknown, last: boolean): boolean {
  return (
    last || (error instanceof RelayError && error.remedy !== 'wait' && error.remedy !== 'retry')
  )
}

/**
 * Takes back what this request made, also in former tries: a secret that is not the one that CloudFormation knows, and a
 * certificate that was new. Returns what is left.
 */
async function undo(
  ports: Needs,
  { properties: { origin, secret }, owner, physicalId }: Asked<Wanted>,
  before: Held | undefined,
  registration: Registration,
): Promise<string[]> {
  const { source } = registration
  const left: string[] = []
  if (before !== undefined && before.arn === physicalId) {
    const kept = formerly(before, source)
    if (kept === undefined) return [] // the certificate is the one that the secret had
    const stale = staleTags(sourceTags(registration), kept)
    await ports.keeper
      .tag(before.arn, kept, [...stale, REPLACES])
      .catch(() => left.push(`the tag certrelay:source of secret ${before.arn}`))
  } else {
    left.push(...(await release(ports, secret, owner)))
  }
  if (!('authority' in origin)) return left
  const gone = await ports.authority.remove(source, owner).catch(() => false)
  return gone ? left : [...left, `certificate ${source}`]
}

/** The tags with which a secret is of the source again that it had; `undefined` when it has no other. */
function formerly({ tags }: Held, source: string): Record<string, string> | undefined {
  const registration = readTags(tags)
  if (registration === undefined) return undefined
  const { replaces = [] } = registration
  const other = [registration.source, ...replaces].find((one) => one !== source)
  const former = other ?? (isOwn(source) ? source : undefined)
  if (former === undefined) return undefined
  return isOwn(former) ? sourceTags(registration) : writeTags({ source: former })
}

/** The tags that say what the source is and what is wanted of it. */
function sourceTags({ source, names, keyAlgorithm, trust }: Registration): Record<string, string> {
  return writeTags({
    source,
    ...(names !== undefined && { names }),
    ...(keyAlgorithm !== undefined && { keyAlgorithm }),
    ...(trust !== undefined && { trust }),
  })
}

function announce(error: unknown, left: readonly string[]): unknown {
  if (left.length === 0) return error
  const known = error instanceof RelayError ? error : undefined
  return new RelayError(
    known?.code ?? 'SERVICE_UNAVAILABLE',
    `${known?.message ?? 'something unexpected happened'}; left behind, mend by hand: ${left.join(', ')}`,
    { cause: error },
  )
}

/** Brings the certificate into the secret as AWSCURRENT, checked; says so to the queue when running services must learn of it. */
async function publish(
  ports: Needs,
  held: Held,
  { certificate: issued, drawn }: Supply,
): Promise<string> {
  const { vault, queue } = ports
  const { arn: secret, versions, tags } = held
  const known = versionOf(issued, held)
  const current = holder(versions, 'AWSCURRENT')
  const registration = readTags(tags)
  if (current === known) {
    if (registration?.promoted?.version !== known) await mark(ports, held, registration, issued)
    await queue.look(secret, 0) // an update may have been killed between promotion and rollout
    return known
  }
  if (versions.get(known)?.includes('REJECTED')) throw failed(issued, 'it was rejected before')
  if (versions.get(known)?.includes('ROLLEDBACK') && current !== undefined) {
    await queue.look(secret, 0) // its rollout failed: when it is its turn again is not an update's business
    return current
  }
  const store = () => (drawn === undefined ? stage(ports, held, issued) : lay(ports, held, drawn))
  const version = versions.has(known) ? known : (await store()).version
  if (current === undefined) {
    const first = drawn === undefined ? version : await firstOf(ports, secret, version)
    if (first === version) await record(ports, secret, version, issued)
    return first
  }
  const findings = await verify(ports, secret, version, issued)
  if (findings.length > 0) throw failed(issued, listed(findings))
  await vault.move(secret, 'AWSCURRENT', current, version)
  const previous =
    registration === undefined ? { version: current } : leaving(registration, current)
  await record(ports, secret, version, { ...issued, previous })
  await queue.look(secret, 0)
  return version
}

/** Of two deliveries at once each has had a certificate signed: the one that was stored first is current. */
async function firstOf(
  { vault }: Pick<Ports, 'vault'>,
  secret: string,
  version: string,
): Promise<string> {
  const held = await vault.find(secret)
  return (held && holder(held.versions, 'AWSCURRENT')) ?? version
}

function failed({ arn }: Certificate, why: string): RelayError {
  return new RelayError(
    'CHAIN_BROKEN',
    `certificate ${arn} fails the check: ${why}; the secret keeps the one it has`,
  )
}

/** Deletes the certificates that the secret had before, if we had asked for them, and then their record. */
async function forget(
  { authority, keeper, log }: Needs,
  secret: string,
  replaces: readonly string[],
  { owner, last }: Asked<Wanted>,
): Promise<void> {
  if (replaces.length === 0) return
  for (const source of replaces) {
    try {
      const gone = await authority.remove(source, owner)
      log.info(gone ? 'certificate-removed' : 'certificate-left', { secret, source })
    } catch (error) {
      if (!isFinal(error, last)) throw error
      log.warn('certificate-left', { secret, source }) // the new one is in use: no reason to take it back
    }
  }
  await keeper.tag(secret, {}, [REPLACES])
}

async function remove(
  { authority, vault, keeper, log }: Needs,
  { owner, physicalId, name }: Gone,
): Promise<void> {
  const secret = physicalId.startsWith('arn:') ? physicalId : name // a Create that failed has no ARN to tell
  const held = secret === undefined ? undefined : await vault.find(secret)
  const registration = held === undefined ? undefined : readTags(held.tags)
  if (held === undefined || registration?.owner !== owner) {
    log.info('nothing-to-remove', { secret: physicalId })
    return
  }
  const { source, replaces = [] } = registration
  for (const arn of [source, ...replaces].filter((one) => one.startsWith('arn:')))
    await authority.remove(arn, owner)
  await keeper.remove(held.arn)
  log.info('removed', { secret: held.arn, source })
}

async function attributes(ports: Needs, arn: string, version: string, source: string) {
  const leaf = isOwn(source)
    ? ((await bundleOf(ports.vault, arn, version))?.certificate ?? '')
    : await ports.authority.leaf(source)
  const { serial, notAfter, fingerprint256 } = facts(source, leaf)
  return {
    SecretArn: arn,
    VersionId: version,
    CertificateArn: source,
    Serial: serial,
    NotAfter: notAfter,
    Fingerprint256: fingerprint256,
  }
}
