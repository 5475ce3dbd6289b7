import type { Finding } from '../pki/check.ts'
import { type Decision, decide, type Observed } from '../pki/decide.ts'
import { RelayError } from '../pki/error.ts'
import { keySet } from '../pki/sealed.ts'
import { type Registration, readTags } from '../pki/tags.ts'
import { newestVersion, sameCertificate, versionId } from '../pki/version.ts'
import type { Certificate } from '../ports/authority.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import { record, stage, verify } from './publish.ts'
import { reseal } from './reseal.ts'
import { type Rolling, roll } from './roll.ts'

type Needs = Pick<
  Ports,
  | 'authority'
  | 'vault'
  | 'keeper'
  | 'fleet'
  | 'queue'
  | 'keys'
  | 'org'
  | 'passphrase'
  | 'clock'
  | 'log'
>

/** What woke us: a secret to look at, or a certificate whose secrets are to be looked at. */
export type Notice = { readonly secret: string } | { readonly source: string; readonly why: string }

/** How a look ended. References only. */
export interface Look {
  readonly secret: string
  readonly step: Decision['step'] | 'unmanaged'
  readonly reason: string
}

/** Steps in one run: more means that something moves under our feet, and the queue gives it time. */
const MOST_STEPS = 12
/** Real milliseconds that one step may need; with less left the rest is left to the queue. */
const STEP_TIME = 10_000
const MOST_DELAY = 900

/**
 * Looks at the secrets that a notice is about and brings each one step by step to where it should be.
 * Every step starts from what AWS says now, so that a crash, a duplicate or a late event does no harm.
 *
 * @param remaining real milliseconds that are left for it
 * @throws RelayError of the step that failed; nothing is half done that the next look would not finish.
 */
export async function reconcile(
  ports: Needs,
  notice: Notice,
  remaining: () => number,
): Promise<readonly Look[]> {
  if ('secret' in notice) return [await look(ports, notice.secret, remaining)]
  ports.log.info('woken', { source: notice.source, why: notice.why })
  const secrets: string[] = []
  for await (const page of ports.keeper.managed(notice.source)) secrets.push(...page)
  const [only, ...others] = secrets
  if (only === undefined) {
    ports.log.info('not-managed', { source: notice.source, why: notice.why })
    return []
  }
  for (const secret of others) await ports.queue.look(secret, 0)
  return [await look(ports, only, remaining)]
}

async function look(ports: Needs, secret: string, remaining: () => number): Promise<Look> {
  let run: Run = { rolled: [], mine: false, doubts: 0, resealed: false }
  for (let count = 0; count < MOST_STEPS && remaining() > STEP_TIME; count++) {
    const seen = await observe(ports, secret, run)
    if (seen === undefined) {
      ports.log.warn('not-managed', { secret })
      return { secret, step: 'unmanaged', reason: 'no such secret, or without our tag' }
    }
    const decision = decide(seen.observed, ports.clock.now())
    ports.log.info(decision.step, { secret, reason: decision.reason })
    run = { ...run, ...(await act(ports, seen, decision, run).catch(lost)) }
    if (isEnd(decision)) return { secret, step: decision.step, reason: decision.reason }
  }
  await ports.queue.look(secret, 1)
  return { secret, step: 'wait', reason: 'more steps than one run takes: the queue goes on' }
}

/** Somebody else moved a label first: the next look sees what is there now. */
function lost(error: unknown): Partial<Run> {
  if (error instanceof RelayError && error.code === 'VERSION_CONFLICT') return {}
  throw error
}

/** After `renew` there is nothing to see until the authority is done. */
function isEnd({ step }: Decision): boolean {
  return step === 'done' || step === 'wait' || step === 'alarm' || step === 'renew'
}

/** What one run remembers from step to step; everything else is read again. */
interface Run extends Rolling {
  readonly checked?: NonNullable<Observed['checked']>
  /** It won the promotion. */
  readonly mine: boolean
  /** It has seen to how the passphrase is sealed, as far as that is possible now. */
  readonly resealed: boolean
}

interface Seen {
  readonly observed: Observed
  readonly held: Held
  readonly registration: Registration
  readonly certificate: Certificate | undefined
}

async function observe(
  ports: Needs,
  secret: string,
  { checked, rolled, mine, resealed }: Run,
): Promise<Seen | undefined> {
  const held = await ports.vault.find(secret)
  const registration = held === undefined || held.deleted ? undefined : readTags(held.tags)
  if (held === undefined || registration === undefined || registration.source === 'trust')
    return undefined
  const certificate = await describe(ports, registration.source)
  const found = await ports.fleet.look(registration.services)
  // what this run has rolled is young, whatever the clocks of two machines say
  const services = found.map((one) =>
    rolled.includes(one.name) ? { ...one, deployed: ports.clock.now() } : one,
  )
  const about = summary(certificate, held.versions)
  const version = about.status === 'issued' ? about.version : ''
  const { promoted } = registration
  const observed = {
    source: registration.source,
    certificate: about,
    versions: held.versions,
    services,
    mine,
    unsealed: !resealed && isUnsealed(ports, registration, version),
    ...(checked !== undefined && { checked }),
    ...(registration.renewBefore !== undefined && { renewBefore: registration.renewBefore }),
    // sealed anew it is the same certificate, and was promoted when its first version was
    ...(promoted !== undefined && {
      promoted: sameCertificate(promoted.version, version) ? { ...promoted, version } : promoted,
    }),
  }
  return { observed, held, registration, certificate }
}

async function describe({ authority }: Needs, arn: string): Promise<Certificate | undefined> {
  try {
    return await authority.describe(arn)
  } catch (error) {
    if (error instanceof RelayError && error.code === 'CERTIFICATE_MISSING') return undefined
    throw error
  }
}

/** Not on record as sealed under exactly the configured keys: that is found out by reading it. */
function isUnsealed({ keys }: Needs, { sealed }: Registration, version: string): boolean {
  if (keys === undefined) return false
  return sealed?.version !== version || sealed.set !== keySet(keys.keys)
}

function summary(
  certificate: Certificate | undefined,
  versions: Held['versions'],
): Observed['certificate'] {
  if (certificate === undefined) return { status: 'missing' }
  const { status, arn, serial, notBefore, notAfter, renewing } = certificate
  if (status !== 'issued') return { status }
  if (serial === undefined || notBefore === undefined || notAfter === undefined)
    return { status: 'pending' }
  const version = newestVersion(versionId(arn, serial), versions.keys())
  return { status, notBefore, notAfter, renewing, version }
}

/** Carries one step out. A step that lost a race changes nothing: the loop looks again. */
async function act(ports: Needs, seen: Seen, decision: Decision, run: Run): Promise<Partial<Run>> {
  const { held, certificate, registration, observed } = seen
  const { vault, queue, clock, log } = ports
  const version = observed.certificate.status === 'issued' ? observed.certificate.version : ''
  const secret = held.arn
  switch (decision.step) {
    case 'renew':
      await renew(ports, registration.source)
      await queue.look(secret, 60)
      return {}
    case 'export':
      await stage(ports, held, required(certificate))
      return {}
    case 'check': {
      const current = holder(held, 'AWSCURRENT')
      // right after an update of the source the current one may be of another source, with an end of its own
      const comparable = current !== undefined && registration.replaces === undefined
      const after = comparable ? registration.notAfter : undefined
      const findings = await verify(ports, secret, version, required(certificate), after)
      return { checked: { version, findings } }
    }
    case 'promote':
      await vault.move(secret, 'AWSCURRENT', holder(held, 'AWSCURRENT'), version)
      skip(ports, secret, observed.services)
      await record(ports, secret, version, required(certificate))
      log.info('promoted', { secret, version, serial: certificate?.serial })
      log.count('Promoted', 1)
      return { mine: true }
    case 'reject':
      await reject(ports, held, version, observed.checked?.findings ?? [])
      return {}
    case 'mark':
      skip(ports, secret, observed.services)
      await record(ports, secret, version, required(certificate))
      return {}
    case 'reseal':
      await reseal(ports, held, version)
      return { resealed: true }
    case 'roll':
      return roll(ports, { secret, version, services: decision.services }, run)
    case 'wait':
      await queue.look(secret, Math.min(MOST_DELAY, (decision.at - clock.now()) / 1000))
      return {}
    case 'alarm':
      log.error('attention', { secret, source: registration.source, reason: decision.reason })
      log.count('Attention', 1)
      return {}
    default:
      return {}
  }
}

/** Says which services will not learn of a promotion. */
function skip({ log }: Needs, secret: string, services: Observed['services']): void {
  for (const { name, state } of services) {
    if (state !== 'active') log.warn('service-skipped', { secret, target: name, state })
  }
}

async function renew({ authority, log }: Needs, source: string): Promise<void> {
  try {
    await authority.renew(source)
    log.info('renewal-asked', { source })
  } catch (error) {
    if (!(error instanceof RelayError) || error.code !== 'CERTIFICATE_PENDING') throw error
  }
}

async function reject(
  { vault, log }: Needs,
  held: Held,
  version: string,
  findings: readonly Finding[],
): Promise<void> {
  const secret = held.arn
  await vault.move(secret, 'REJECTED', holder(held, 'REJECTED'), version)
  await vault.move(secret, 'AWSPENDING', version, undefined)
  for (const { code, certificate, rule } of findings) {
    log.error('rejected', { secret, version, code, certificate, rule })
  }
  log.count('Rejected', 1)
}

function holder({ versions }: Held, label: string): string | undefined {
  for (const [version, labels] of versions) if (labels.includes(label)) return version
  return undefined
}

function required(certificate: Certificate | undefined): Certificate {
  if (certificate === undefined)
    throw new TypeError('this step is only decided for a certificate that exists')
  return certificate
}
