import type { Finding } from '../pki/check.ts'
import type { Decision } from '../pki/decide.ts'
import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import { readTags } from '../pki/tags.ts'
import { sameCertificate, versionId } from '../pki/version.ts'
import type { Certificate } from '../ports/authority.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import type { Drawn } from './draw.ts'
import { describe, type Run, type Seen } from './observe.ts'
import { certify, filled, wishOf } from './own.ts'
import { lay, stage, verify } from './publish.ts'
import { leaving, mark, record } from './record.ts'
import { reseal } from './reseal.ts'
import { rollback } from './rollback.ts'
import { settled, skip } from './settled.ts'
import { tell } from './tell.ts'

/** Everything that bringing a secret to where it should be may touch. */
export type Needs = Pick<
  Ports,
  | 'authority'
  | 'notary'
  | 'demand'
  | 'vault'
  | 'keeper'
  | 'fleet'
  | 'queue'
  | 'bus'
  | 'keys'
  | 'org'
  | 'deadline'
  | 'passphrase'
  | 'clock'
  | 'log'
>

/** Carries one step out, and says what the run is to remember of it. `wait`, `done` and `alarm` are for the loop. */
export async function act(
  ports: Needs,
  seen: Seen,
  decision: Decision,
  run: Run,
): Promise<Partial<Run>> {
  const { held, registration, observed } = seen
  const { certificate: about } = observed
  const version = about?.status === 'issued' ? about.version : ''
  switch (decision.step) {
    case 'describe':
      return { certificate: await describe(ports, held, registration) }
    case 'sign':
      return sign(ports, seen, decision.version)
    case 'renew':
      await renew(ports, registration.source)
      return { certificate: { ...known(run), renewing: true } }
    case 'export':
      return store(ports, seen, decision.version, known(run))
    case 'check':
      return { checked: { version, findings: await check(ports, seen, version, known(run)) } }
    case 'promote':
      await promote(ports, seen, version, known(run))
      return {}
    case 'reject':
      await reject(ports, held, version, observed.checked?.findings ?? [])
      return {}
    case 'mark':
      await mark(ports, held, registration, known(run))
      return {}
    case 'reseal':
      await reseal(ports, held, version)
      return { resealed: true }
    case 'roll':
      await ask(ports, seen, decision)
      return { asked: true, services: observed.services }
    case 'settle':
      await settled(ports, seen, decision.version)
      return {}
    case 'rollback':
      await rollback(ports, seen, decision)
      return {}
    default:
      return {}
  }
}

async function renew(
  { authority, log }: Pick<Ports, 'authority' | 'log'>,
  source: string,
): Promise<void> {
  try {
    await authority.renew(source)
    log.info('renewal-asked', { source })
  } catch (error) {
    if (!(error instanceof RelayError) || error.code !== 'CERTIFICATE_PENDING') throw error
  }
}

/** What was exported may already be newer than what was described: then it is described again. */
async function store(
  ports: Needs,
  { held, registration }: Seen,
  version: string,
  certificate: Certificate,
): Promise<Partial<Run>> {
  const { serial, instead } = await stage(ports, held, certificate, version)
  if (instead === 'foreign') return { taken: version }
  if (instead === 'older') return { rotated: version }
  if (serial === certificate.serial) return {}
  return { certificate: await describe(ports, held, registration) }
}

/**
 * A new key, certified and stored, unless the version that a rotation waits with is filled: then the next step is to have it
 * signed under an id of its own. Cut short before it is stored, what was signed is an orphan whose key is gone, and the next
 * look has another one signed; cut short after, the next look finds it in the secret.
 */
async function sign(
  ports: Needs,
  { held, registration }: Seen,
  token: string | undefined,
): Promise<Partial<Run>> {
  const wish = wishOf(registration)
  if (token !== undefined) {
    const has = await filled(ports.vault, { secret: held.arn, version: token }, wish)
    if (has !== undefined) return has === 'foreign' ? { taken: token } : { rotated: token }
  }
  const drawn = await certify(ports, wish, registration.layout)
  unknown(drawn, held)
  const { version, instead } = await lay(ports, held, drawn, token)
  if (instead === 'foreign') return { taken: version }
  // another run was quicker: what it has signed is as good
  if (instead === 'older') return { certificate: await describe(ports, held, registration) }
  return { certificate: { ...drawn.certificate, version } }
}

/** What is signed twice would be signed for ever: the second time it is for another key. @throws ISSUE_BROKEN */
function unknown({ certificate: { arn, serial = '' }, passphrase }: Drawn, held: Held): void {
  const own = versionId(arn, serial)
  if (![...held.versions.keys()].some((version) => sameCertificate(version, own))) return
  passphrase.wipe()
  throw new RelayError(
    'ISSUE_BROKEN',
    `${arn} has signed serial ${serial} before, for another key: look at its sign function`,
  )
}

async function check(
  ports: Needs,
  { held, registration }: Seen,
  version: string,
  certificate: Certificate,
): Promise<readonly Finding[]> {
  const current = holder(held.versions, 'AWSCURRENT')
  // right after an update of the source the current one may be of another source, with an end of its own; a profile may have
  // been made shorter, and what was signed just now is newer anyway
  const comparable =
    current !== undefined && registration.replaces === undefined && certificate.trust === undefined
  const after = comparable ? registration.notAfter : undefined
  return verify(ports, held.arn, version, certificate, after)
}

/** Makes a checked version the one that is read. */
export async function promote(
  ports: Pick<Ports, 'vault' | 'keeper' | 'bus' | 'clock' | 'log'>,
  { held, registration }: Pick<Seen, 'held' | 'registration'>,
  version: string,
  certificate: Certificate,
): Promise<void> {
  const { vault, log } = ports
  const { arn: secret, versions } = held
  const before = holder(versions, 'AWSCURRENT')
  await vault.move(secret, 'AWSCURRENT', before, version)
  const previous = before === undefined ? undefined : leaving(registration, before)
  await record(ports, secret, version, { ...certificate, ...(previous && { previous }) })
  log.info('promoted', { secret, version, serial: certificate.serial })
  log.count('Promoted', 1)
  await tell(ports, {
    kind: 'Promoted',
    secret,
    source: certificate.arn,
    version,
    ...(before !== undefined && { previous: before }),
  })
}

/** Asks for deployments. They begin when changes have been collected for a while, so that nobody is rolled out twice. */
async function ask(
  { queue, log }: Pick<Ports, 'queue' | 'log'>,
  { held: { arn: secret, versions }, observed }: Seen,
  { services, since }: { readonly services: readonly string[]; readonly since: number },
): Promise<void> {
  const version = holder(versions, 'AWSCURRENT')
  if (version === undefined) throw new TypeError('a rollout is only decided for a current version')
  skip({ log }, secret, observed.services)
  for (const service of services) {
    await queue.roll({ service, secret, version, since })
    log.info('rollout-asked', { secret, version, target: service })
  }
}

/** Labels a version as never to be promoted; nobody reads it. */
export async function reject(
  ports: Pick<Ports, 'vault' | 'bus' | 'log'>,
  held: Held,
  version: string,
  findings: readonly Finding[],
): Promise<void> {
  const { vault, log } = ports
  const { arn: secret, versions } = held
  if (!versions.get(version)?.includes('REJECTED'))
    await vault.move(secret, 'REJECTED', holder(versions, 'REJECTED'), version)
  for (const { code, certificate, rule } of findings) {
    log.error('rejected', { secret, version, code, certificate, rule })
  }
  log.count('Rejected', 1)
  const reason = findings.map(({ code }) => code).join(' ')
  const source = readTags(held.tags)?.source ?? ''
  await tell(ports, { kind: 'Rejected', secret, source, version, reason })
  // the last of it: until then the next look does and says all of it again
  if (versions.get(version)?.includes('AWSPENDING'))
    await vault.move(secret, 'AWSPENDING', version, undefined)
}

function known({ certificate }: Run): Certificate {
  if (certificate === undefined || typeof certificate === 'string')
    throw new TypeError('this step is only decided for a certificate that exists')
  return certificate
}
