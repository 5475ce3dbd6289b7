import type { Bundle } from '../pki/bundle.ts'
import { check, listed, usagesOf } from '../pki/check.ts'
import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import { bundleReply, trustReply } from '../pki/reply.ts'
import { type Caller, isEntitled } from '../pki/roles.ts'
import type { Secret } from '../pki/secret.ts'
import { readTags } from '../pki/tags.ts'
import type { Ports } from '../ports/index.ts'
import type { Fields } from '../ports/log.ts'
import type { Held } from '../ports/vault.ts'
import { context, open, read } from './publish.ts'

type Needs = Pick<Ports, 'vault' | 'keys' | 'org' | 'clock' | 'log'>

/** Who asks for what, as it came. */
export interface Knock {
  /** Id of the invocation that the event tells. */
  readonly request: string
  /** ARN, for the record. */
  readonly who: string
  /** Absent when no role has signed. */
  readonly caller?: Caller
  /** Absent when it cannot be understood. */
  readonly wish?: { readonly secret: string; readonly want: 'version' | 'material' }
}

/** What surrounds one hand-over. */
export interface Door {
  /** Lambda's own id of this invocation. */
  readonly request: string
  /** Milliseconds until it is a role's turn again; 0: now, and it has been counted. */
  readonly wait: (role: string) => number
}

/** What who asked is told. */
export type Outcome =
  /** Not entitled, or there is no such secret: which of both is not told. */
  | { readonly at: 'refused' }
  /** Asked too often; try again after so many seconds. */
  | { readonly at: 'busy'; readonly seconds: number }
  | { readonly at: 'known'; readonly version: string }
  /** The reply itself (pki/reply.ts); whoever sends it wipes it. */
  | { readonly at: 'handed'; readonly reply: Secret }

/**
 * Hands the current version of a secret over to a role that its tags entitle, the passphrase opened and everything checked as
 * before a promotion. One audit line for each hand-over and for each request that got nothing.
 *
 * @throws EVENT_INVALID, SECRET_MISSING without a current version, BUNDLE_INVALID, BUNDLE_MISMATCH, CHAIN_BROKEN, and what
 *   `Vault.read` and `Keys.open` throw
 */
export async function handOver(ports: Needs, knock: Knock, door: Door): Promise<Outcome> {
  const note = recorder(ports, knock)
  try {
    return await admit(ports, knock, door, note)
  } catch (error) {
    const code = error instanceof RelayError ? error.code : 'SERVICE_UNAVAILABLE'
    note({ outcome: 'failed', code })
    throw error
  }
}

type Note = (fields: Fields & { readonly outcome: string }) => void

function recorder({ log }: Needs, { who, wish }: Knock): Note {
  return (fields) => {
    log.audit({ action: 'hand-over', who, secret: wish?.secret, ...fields })
    if (fields.outcome === 'ok') log.count('HandedOver', 1)
    else log.count('HandOverRefused', 1, { code: String(fields['code']) })
  }
}

async function admit(ports: Needs, knock: Knock, door: Door, note: Note): Promise<Outcome> {
  const { request, caller, wish } = knock
  const refuse = (reason: string): Outcome => {
    note({ outcome: 'refused', code: 'ACCESS_REFUSED', reason })
    return { at: 'refused' }
  }
  // an event that was handed to the function directly, by whoever may invoke it, cannot know the id of its own invocation
  if (request !== door.request) return refuse('the event did not come through the URL')
  if (caller === undefined) return refuse('not a role of IAM')
  const wait = door.wait(caller.role)
  if (wait > 0) {
    note({ outcome: 'refused', code: 'SERVICE_UNAVAILABLE', reason: 'asked too often' })
    return { at: 'busy', seconds: Math.ceil(wait / 1_000) }
  }
  if (wish === undefined)
    throw new RelayError(
      'EVENT_INVALID',
      'the request asks for nothing that this function has; see docs/handover.md',
    )
  const held = await find(ports, wish.secret)
  if (typeof held === 'string') return refuse(held)
  const registration = readTags(held.tags)
  if (registration === undefined) return refuse('the secret is not managed')
  if (!isEntitled(held.tags, held.arn, caller)) return refuse('the role is not entitled')
  const version = holder(held.versions, 'AWSCURRENT')
  if (version === undefined)
    throw new RelayError('SECRET_MISSING', `secret ${held.arn} has no current version`)
  if (wish.want === 'version') return { at: 'known', version }
  const { reply, serial } = await fetch(ports, held, version, registration.source === 'trust')
  note({ outcome: 'ok', secret: held.arn, version, serial })
  return { at: 'handed', reply }
}

/** The secret, or why there is none for anybody: what AWS does not let us see is as good as missing. */
async function find({ vault }: Needs, secret: string): Promise<Held | string> {
  try {
    const held = await vault.find(secret)
    return held === undefined || held.deleted ? 'there is no such secret' : held
  } catch (error) {
    if (error instanceof RelayError && error.remedy === 'ask-operator') return error.message
    throw error
  }
}

/** Reads, opens and checks one version. */
async function fetch(ports: Needs, { arn }: Held, version: string, isTrust: boolean) {
  const { content } = await ports.vault.read(arn, version)
  if (isTrust) return { reply: trustReply(version, content), serial: undefined }
  const bundle = read(content)
  if (bundle === undefined)
    throw new RelayError('BUNDLE_INVALID', `secret ${arn} version ${version} holds no bundle`)
  const passphrase = await open(ports, bundle, context(ports.org, arn, version))
  try {
    verify(`secret ${arn} version ${version}`, bundle, passphrase, ports.clock.now())
    return { reply: bundleReply(version, bundle, passphrase), serial: bundle.facts.serial }
  } finally {
    passphrase.wipe()
  }
}

/** The check before promote, under the anchors that were configured then: time has passed, and who writes labels is not only us. */
function verify(what: string, bundle: Bundle, passphrase: Secret, now: number): void {
  const usages = usagesOf(bundle.facts.source, bundle.certificate)
  const findings = check({ ...bundle, passphrase, usages }, now)
  if (findings.length === 0) return
  const mismatch = findings.some(({ code }) => code === 'KEY_MISMATCH')
  throw new RelayError(
    mismatch ? 'BUNDLE_MISMATCH' : 'CHAIN_BROKEN',
    `${what} must not be served: ${listed(findings)}`,
  )
}
