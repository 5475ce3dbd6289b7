import { facts } from '../pki/bundle.ts'
import { listed } from '../pki/check.ts'
import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import { rolesFit, writeRoles } from '../pki/roles.ts'
import { fits, REPLACES, readTags, writeTags } from '../pki/tags.ts'
import type { Certificate } from '../ports/authority.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import { type Claim, claim, inspect, release } from './claim.ts'
import { awaitIssue, candidates, obtain, type Wanted } from './obtain.ts'
import { stage, verify, versionOf } from './publish.ts'
import { leaving, mark, record } from './record.ts'
import type { Asked, Gone, Made, Resource } from './resource.ts'

type Needs = Pick<
  Ports,
  'authority' | 'vault' | 'keeper' | 'queue' | 'keys' | 'org' | 'passphrase' | 'clock' | 'log'
>

/** `Custom::ClientCertificate`: a certificate in a secret, renewed from now on. */
export const certificate: Resource<Needs, Wanted> = { make, remove }

async function make(ports: Needs, asked: Asked<Wanted>): Promise<Made> {
  const { properties: wanted, owner } = asked
  if (!fits(wanted.services))
    throw new RelayError(
      'PROPERTY_INVALID',
      'Services: too many for the tags of one secret; split them over two secrets',
    )
  if (!rolesFit(wanted.roles))
    throw new RelayError('PROPERTY_INVALID', 'Roles: too many for the tags of one secret')
  const before = await inspect(ports, wanted.secret, owner, asked.physicalId)
  const source = await obtain(ports, asked, before)
  const replaces = candidates(before).filter((arn) => arn !== source)
  try {
    const issued = await awaitIssue(ports, source)
    const held = await claim(ports, claimOf(asked, source, replaces))
    const version = await publish(ports, held, issued)
    const data = await attributes(ports, held.arn, version, source)
    await forget(ports, held.arn, replaces, asked)
    return { physicalId: held.arn, data }
  } catch (error) {
    if (!isFinal(error, asked.last)) throw error
    throw announce(error, await undo(ports, asked, before, source))
  }
}

function claimOf(
  { properties: wanted, owner, former }: Asked<Wanted>,
  source: string,
  replaces: readonly string[],
): Claim {
  const { secret: name, secretKey: key, replicas, services, roles, renewBefore } = wanted
  const { hot, layout, tags } = wanted
  const registration = {
    source,
    owner,
    services,
    replaces,
    ...(renewBefore !== undefined && { renewBefore }),
    ...(hot !== undefined && { hot }),
    ...(layout !== undefined && { layout }),
  }
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
  source: string,
): Promise<string[]> {
  const { authority, keeper } = ports
  const left: string[] = []
  if (before !== undefined && before.arn === physicalId) {
    const [first, ...more] = candidates(before)
    const former = first === source ? more[0] : first
    if (former === undefined) return [] // the certificate is the one that the secret had
    await keeper
      .tag(before.arn, writeTags({ source: former }), [REPLACES])
      .catch(() => left.push(`the tag certrelay:source of secret ${before.arn}`))
  } else {
    left.push(...(await release(ports, secret, owner)))
  }
  if ('certificate' in origin) return left
  const gone = await authority.remove(source, owner).catch(() => false)
  return gone ? left : [...left, `certificate ${source}`]
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
async function publish(ports: Needs, held: Held, issued: Certificate): Promise<string> {
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
  const version = versions.has(known) ? known : (await stage(ports, held, issued)).version
  if (current === undefined) {
    await record(ports, secret, version, issued)
    return version
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
