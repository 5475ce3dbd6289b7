import type { Profile } from '../authority/policy.ts'
import type { Caller } from '../authority/sign.ts'
import { pem } from '../pki/pem.ts'
import { type Asked, asked, csrOf } from './asked.ts'
import { bundleOf } from './bundle.ts'
import type { Desk, Office, Request } from './desk.ts'
import { type Answer, Declined, success } from './envelope.ts'
import { caOf, profileOf } from './profiles.ts'
import { json, reading } from './reading.ts'
import { elsewhere } from './remote.ts'
import { declined } from './says.ts'

/** `sign`: for profiles without an authentication key. */
export async function sign(request: Request, desk: Desk): Promise<Answer> {
  const wanted = reading(() => asked(json(request.body, desk)), 'Unable to parse sign request')
  if (wanted.csr === '') throw declined('csr-missing', desk)
  const ca = await caOf(wanted.label, request, desk)
  const profile = profileOf(ca.policy, wanted.profile, desk)
  if (profile.authKeys.length > 0) throw new Declined(400, 'authentication required')
  return deliver({ ca, profile, wanted, caller: request.caller }, desk)
}

/** A request that may be signed. */
export interface Cleared {
  readonly ca: Office
  readonly profile: Profile
  readonly wanted: Asked
  readonly caller: Caller
}

/** `cfssl serve` without bundles says so beside the certificate. */
export const NO_BUNDLER = {
  code: 5300,
  message: 'This request requires a bundler, but one is not initialized for the API server.',
}

/** Signs, here or where the profile points to, and answers the certificate. */
export async function deliver(cleared: Cleared, desk: Desk): Promise<Answer> {
  const { wanted } = cleared
  if (wanted.precert)
    throw new Declined(
      400,
      'certificate transparency is not supported: leave ReturnPrecert out',
      5300,
    )
  const certificate = await made(cleared, desk)
  if (!wanted.bundle) return success({ certificate })
  if (desk.trust === undefined) return success({ certificate }, NO_BUNDLER)
  return success({ certificate, bundle: bundleOf(certificate, { flavor: 'optimal' }, desk) })
}

/** PEM. */
export async function made({ ca, profile, wanted, caller }: Cleared, desk: Desk): Promise<string> {
  if (profile.remote !== undefined) return elsewhere(profile.remote, wanted, desk)
  const csr = csrOf(wanted.csr)
  const request = { ...wanted.rest, csr, profile: wanted.profile }
  const issued = await desk.sign({ label: ca.label, request, caller }).catch(recorded)
  return pem('CERTIFICATE', issued.certificate)
}

/** Errors that have their audit record. */
const RECORDED = new WeakSet<object>()

function recorded(error: unknown): never {
  if (typeof error === 'object' && error !== null) RECORDED.add(error)
  throw error
}

export function isRecorded(error: unknown): boolean {
  return typeof error === 'object' && error !== null && RECORDED.has(error)
}
