import { listed } from '../pki/check.ts'
import { RelayError } from '../pki/error.ts'
import { type Registration, readTags, writeTags } from '../pki/tags.ts'
import { versionId } from '../pki/version.ts'
import type { Certificate } from '../ports/authority.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import { promote, reject } from './act.ts'
import { describe, type Supplied } from './observe.ts'
import { certify, filled, isOwn, wanted, wishOf } from './own.ts'
import { lay, type Staged, stage, verify, versionOf } from './publish.ts'

type Needs = Pick<
  Ports,
  | 'authority'
  | 'notary'
  | 'demand'
  | 'vault'
  | 'keeper'
  | 'queue'
  | 'bus'
  | 'keys'
  | 'org'
  | 'passphrase'
  | 'clock'
  | 'log'
>

/** One step of a rotation (Secrets Manager user guide, "Lambda rotation functions"). */
export interface Rotation {
  readonly step: 'createSecret' | 'setSecret' | 'testSecret' | 'finishSecret'
  /** ARN. */
  readonly secret: string
  /** Id of the version that is to become AWSCURRENT. */
  readonly token: string
}

/**
 * Rotation by Secrets Manager: a new key and certificate, stored, checked and promoted under the id that it chose. ACM renews
 * in its own time: until it has, `createSecret` fails and is tried again, by Secrets Manager or by `reconcile`, which sees the
 * version that waits and fills it. Every step may be repeated.
 *
 * @throws CERTIFICATE_PENDING while ACM renews, CHAIN_BROKEN when the check fails, PROPERTY_INVALID when the secret is not ours
 * or the rotation is not under way
 */
export async function rotate(ports: Needs, { step, secret, token }: Rotation): Promise<void> {
  const held = await underRotation(ports, secret, token)
  if (held.versions.get(token)?.includes('AWSCURRENT')) {
    // the run that promoted it may have died before it said so
    if (step === 'finishSecret') await ports.queue.look(held.arn, 0)
    return
  }
  if (step === 'setSecret') return // nobody else holds what would have to be changed
  const registration = readTags(held.tags)
  if (registration === undefined) throw new TypeError('a secret under rotation is registered')
  const certificate = await describe(ports, held, registration)
  if (isOwn(registration.source)) {
    const own = { held, token, registration }
    await unfit(ports, own, certificate)
    if (step === 'createSecret') return sign(ports, own, certificate)
  }
  if (typeof certificate === 'string')
    throw new RelayError(
      'CERTIFICATE_MISSING',
      `certificate ${registration.source} of secret ${secret} is ${certificate}: look at its source`,
    )
  if (step === 'createSecret') return create(ports, held, token, certificate)
  return step === 'testSecret'
    ? test(ports, held, token, certificate)
    : finish(ports, held, token, certificate)
}

async function underRotation({ vault }: Needs, secret: string, token: string): Promise<Held> {
  const held = await vault.find(secret)
  const refuse = (why: string) => new RelayError('PROPERTY_INVALID', `secret ${secret} ${why}`)
  if (held === undefined || held.deleted)
    throw new RelayError('SECRET_MISSING', `there is no secret ${secret}: cancel its rotation`)
  const source = readTags(held.tags)?.source
  if (source === undefined || source === 'trust')
    throw refuse('has no certificate of certrelay: take this function off its rotation')
  if (held.rotating !== true) throw refuse('is not set up for rotation: nothing was done')
  const labels = held.versions.get(token)
  if (labels === undefined) throw refuse(`has no version ${token}: start the rotation again`)
  if (!labels.includes('AWSCURRENT') && !labels.includes('AWSPENDING'))
    throw refuse(`does not wait for version ${token}: start the rotation again`)
  return held
}

/** Stores the certificate that ACM holds if it is a new one; otherwise asks for one. */
async function create(
  ports: Needs,
  held: Held,
  token: string,
  certificate: Certificate,
): Promise<void> {
  const { authority, log } = ports
  const { arn, serial, renewing } = certificate
  const known = versionOf(certificate, held)
  if (known === token) return
  if (!held.versions.has(known))
    return mind(ports, held, token, await stage(ports, held, certificate, token))
  if (!renewing) {
    await authority.renew(arn)
    log.info('renewal-asked', { source: arn, secret: held.arn, serial })
  }
  throw new RelayError(
    'CERTIFICATE_PENDING',
    `certificate ${arn} is being renewed; the rotation goes on when it has a new serial`,
  )
}

/** A version that waits for a certificate of a source that signs at once. */
interface Own {
  readonly held: Held
  readonly token: string
  readonly registration: Registration
}

/** Nothing is waited for. What the token holds already is not made twice. */
async function sign(
  ports: Needs,
  { held, token, registration }: Own,
  certificate: Supplied,
): Promise<void> {
  if (typeof certificate !== 'string' && versionOf(certificate, held) === token) {
    const of = versionId(certificate.arn, certificate.serial ?? '')
    if (registration.rotated?.token !== token)
      await ports.keeper.tag(held.arn, writeTags({ rotated: { token, of } }))
    return
  }
  const drawn = await certify(ports, wishOf(registration), registration.layout)
  await mind(ports, held, token, await lay(ports, held, drawn, token))
}

/**
 * Whether the version that a rotation waits with was filled with something else than what is wished for: names that nobody asked
 * for, or such as the tags have wished for before. It is rejected, so that the next rotation may begin.
 *
 * @throws CHAIN_BROKEN, and PROPERTY_INVALID when a look has had a newer one signed since
 */
async function unfit(
  ports: Needs,
  { held, token, registration }: Own,
  certificate: Supplied,
): Promise<void> {
  if (typeof certificate !== 'string' && versionOf(certificate, held) === token) return
  const wish = wishOf(registration)
  const instead = await filled(ports.vault, { secret: held.arn, version: token }, wish)
  if (instead === undefined) return
  if (instead === 'older') await examined(ports, held, token, wanted(wish))
  await mind(ports, held, token, { instead })
}

/** @throws PROPERTY_INVALID when the version that the rotation waits with did not take the certificate */
async function mind(
  { queue }: Needs,
  { arn }: Held,
  token: string,
  { instead }: Pick<Staged, 'instead'>,
): Promise<void> {
  if (instead === undefined) return
  if (instead === 'older') await queue.look(arn, 0)
  throw new RelayError('PROPERTY_INVALID', `version ${token} of secret ${arn} ${HOLDS[instead]}`)
}

/** What a version that a rotation waits with holds instead of the certificate that ACM has, and what to do. */
const HOLDS = {
  older:
    'took a certificate that was renewed since: the newer one gets an id of its own; start the rotation again',
  foreign: 'holds something else: remove its label AWSPENDING',
} as const

/** Without a certificate under the token it is a test of the set-up only, as `RotateImmediately: false` asks for. */
async function test(
  ports: Needs,
  held: Held,
  token: string,
  certificate: Certificate,
): Promise<void> {
  if (versionOf(certificate, held) !== token) return
  await examined(ports, held, token, certificate)
}

/** @throws CHAIN_BROKEN when the version fails the check: then it is rejected */
async function examined(
  ports: Needs,
  held: Held,
  token: string,
  certificate: Certificate,
): Promise<void> {
  const { notAfter } = readTags(held.tags) ?? {}
  const after = certificate.trust === undefined ? notAfter : undefined // as a look does
  const findings = await verify(ports, held.arn, token, certificate, after)
  if (findings.length === 0) return
  await reject(ports, held, token, findings)
  throw new RelayError(
    'CHAIN_BROKEN',
    `version ${token} of secret ${held.arn} fails the check: ${listed(findings)}; it keeps the one it has`,
  )
}

async function finish(
  ports: Needs,
  held: Held,
  token: string,
  certificate: Certificate,
): Promise<void> {
  if (versionOf(certificate, held) !== token)
    throw new RelayError(
      'PROPERTY_INVALID',
      `version ${token} of secret ${held.arn} holds no certificate yet: start the rotation again`,
    )
  await test(ports, held, token, certificate)
  const registration = readTags(held.tags)
  if (registration === undefined) throw new TypeError('a secret under rotation is registered')
  await promote(ports, { held, registration }, token, certificate)
  await ports.queue.look(held.arn, 0)
}
