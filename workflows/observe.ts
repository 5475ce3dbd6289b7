import type { Observed, Source } from '../pki/decide.ts'
import { RelayError } from '../pki/error.ts'
import { isSealed } from '../pki/fresh.ts'
import { holder, isDeployed } from '../pki/labels.ts'
import type { Running } from '../pki/rollout.ts'
import { keySet } from '../pki/sealed.ts'
import { ownSource } from '../pki/source.ts'
import { type Registration, readTags } from '../pki/tags.ts'
import { sameCertificate } from '../pki/version.ts'
import type { Certificate } from '../ports/authority.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import { isOwn, newest, wishOf } from './own.ts'
import { versionOf } from './publish.ts'

type Needs = Pick<Ports, 'vault' | 'fleet' | 'keys' | 'deadline'>

/** What one run remembers from step to step; everything else is read again. */
export interface Run {
  /** What the source said; asked once a run, and again after an export. */
  readonly certificate?: Supplied
  readonly checked?: NonNullable<Observed['checked']>
  /** It has asked for the deployments that are missing. */
  readonly asked: boolean
  /** The services as they were when it asked for deployments, which begin after its end. */
  readonly services?: readonly Running[]
  /** It has seen to how the passphrase is sealed, as far as that is possible now. */
  readonly resealed: boolean
  /** The version that should have taken the certificate holds something else. */
  readonly taken?: string
  /** The version that a rotation waits with was found to hold an older certificate. */
  readonly rotated?: string
}

/** What a source has; `unsigned`: one that signs was not asked yet for what is wanted now. */
export type Supplied = Certificate | 'missing' | 'unsigned'

/** How every run begins. */
export const START: Run = { asked: false, resealed: false }

/** One secret as it is now. */
export interface Seen {
  readonly observed: Observed
  readonly held: Held
  readonly registration: Registration
}

/** A secret that is not ours to look after, and why. */
export interface Unmanaged {
  readonly unmanaged: string
}

/** Reads what the next decision depends on. */
export async function observe(ports: Needs, secret: string, run: Run): Promise<Seen | Unmanaged> {
  const held = await ports.vault.find(secret)
  if (held === undefined) return { unmanaged: 'there is no such secret: nothing is left to do' }
  if (held.deleted)
    return { unmanaged: 'it waits for its deletion: restore it, and it is looked after again' }
  const registration = readTags(held.tags)
  if (registration === undefined)
    return { unmanaged: 'it has no tag certrelay:source: nothing is ever written to it' }
  if (registration.source === 'trust')
    return { unmanaged: 'it is a trust bundle: its custom resource keeps it' }
  const { versions } = held
  const { source, services: names, promoted, previous, attempts } = registration
  const { renewBefore, notAfter, sealed } = registration
  const current = holder(versions, 'AWSCURRENT') ?? ''
  const own = promoted !== undefined && sameCertificate(promoted.version, current)
  const open = own && !isDeployed(versions)
  const hot = registration.hot === true
  const rotated = run.rotated ?? registration.rotated?.token
  const survey = async (since: number) => {
    const found = await ports.fleet.look(names, since)
    return hot ? asked(ports, found) : found
  }
  const services = open ? (run.services ?? (await survey(promoted.at))) : []
  const observed: Observed = {
    source,
    ...(ownSource(source) !== undefined && { signs: true }),
    versions,
    services,
    asked: run.asked,
    hot,
    unsealed: !run.resealed && isUnsealed(ports, sealed, current),
    rotating: held.rotating === true,
    deadline: ports.deadline,
    ...(run.certificate !== undefined && {
      certificate: summary(run.certificate, held),
    }),
    ...(run.checked !== undefined && { checked: run.checked }),
    ...(run.taken !== undefined && { taken: run.taken }),
    ...(rotated !== undefined && { rotated }),
    ...(renewBefore !== undefined && { renewBefore }),
    ...(notAfter !== undefined && { notAfter }),
    ...(promoted !== undefined && { promoted }),
    ...(previous !== undefined && { previous }),
    ...(attempts !== undefined && { attempts }),
  }
  return { observed, held, registration }
}

/** What the tasks say for themselves, where no deployment has begun. */
async function asked(
  { fleet }: Pick<Ports, 'fleet'>,
  services: readonly Running[],
): Promise<readonly Running[]> {
  const told: Running[] = []
  for (const one of services) {
    const runs = one.state === 'active' || one.state === 'foreign'
    const silent = !runs || one.deployments.length > 0
    told.push(silent ? one : { ...one, serving: await fleet.serving(one.name) })
  }
  return told
}

/** Asks the source; what an authority of our own has signed is in the secret. */
export async function describe(
  ports: Pick<Ports, 'authority' | 'vault'>,
  held: Held,
  registration: Registration,
): Promise<Supplied> {
  const { source } = registration
  if (isOwn(source)) return (await newest(ports, held, wishOf(registration))) ?? 'unsigned'
  try {
    return await ports.authority.describe(source)
  } catch (error) {
    if (error instanceof RelayError && error.code === 'CERTIFICATE_MISSING') return 'missing'
    throw error
  }
}

/** Not on record as sealed under exactly the configured keys: that is found out by reading it. */
function isUnsealed({ keys }: Needs, sealed: Registration['sealed'], version: string): boolean {
  if (keys === undefined) return false
  return !isSealed(sealed, version, keySet(keys.keys))
}

function summary(certificate: Supplied, held: Held): Source {
  if (typeof certificate === 'string') return { status: certificate }
  const { status, serial, notBefore, notAfter, renewing, refused, failure, unmet } = certificate
  if (status !== 'issued') return { status, ...(failure !== undefined && { why: failure }) }
  if (serial === undefined || notBefore === undefined || notAfter === undefined)
    return { status: 'pending' }
  return {
    status,
    notBefore,
    notAfter,
    renewing,
    version: versionOf(certificate, held),
    ...(refused !== undefined && { refused }),
    ...(unmet !== undefined && { unmet }),
  }
}
