import { REASONS, type RevocationReason, reasonOf } from '../authority/list.ts'
import type { Profile } from '../authority/policy.ts'
import { parseCertificate, valuesOf } from '../pki/certificate.ts'
import { isFault } from '../pki/der.ts'
import { authenticated, opened } from './authsign.ts'
import type { Desk, Office, Request } from './desk.ts'
import { type Answer, Declined, NOT_FOUND, success } from './envelope.ts'
import { Fields, names } from './fields.ts'
import { json, members, reading } from './reading.ts'

/** `label` is ours: where labels cannot be listed, it says which authority the key identifier is of. */
const PLAIN = names('serial', 'authority_key_id', 'reason', 'label')
const WRAPPED = names(
  'timestamp',
  'remote_address',
  'token',
  'request',
  'serial',
  'authority_key_id',
  'reason',
  'label',
)
/** RFC 5280 4.1.2.2: positive, and 20 octets of DER at most. */
const BEYOND = 2n ** 159n

/**
 * `revoke`. CFSSL takes it from everybody; here it has to come in the envelope of `authsign`, with a token of a key whose profile lets
 * it revoke, unless `open-revoke` or `any-key-revokes` is switched off.
 */
export async function revoke(request: Request, desk: Desk): Promise<Answer> {
  if (desk.revoke === undefined) return NOT_FOUND
  const unparsable = 'Unable to parse revocation request'
  const outer = reading(() => members(request, desk, WRAPPED), unparsable)
  const envelope = outer.has('token') ? reading(() => authenticated(outer)) : undefined
  const fields =
    envelope === undefined
      ? outer
      : reading(() => new Fields(json(envelope.request, desk), '', PLAIN), unparsable)
  const wanted = reading(
    () => ({
      serial: fields.text('serial'),
      aki: fields.text('authority_key_id').toLowerCase().replaceAll(':', ''),
      reason: fields.text('reason'),
      label: fields.text('label'),
    }),
    unparsable,
  )
  if (wanted.serial === '') throw new Declined(400, 'serial number is required but not provided')
  const revocation = {
    serial: serialOf(wanted.serial),
    reason: reasonIn(wanted.reason),
    at: desk.now(),
  }
  const { label, policy } = await byKey(wanted, desk)
  const profiles = [policy.standard, ...policy.profiles.values()]
  let { caller } = request
  if (envelope !== undefined) {
    const keys = profiles.flatMap(({ authKeys }) => authKeys)
    const key = opened(keys, envelope, request, desk)
    if (!mayRevoke(key, profiles, desk)) throw new Declined(400, NOT_ALLOWED)
    caller = { ...caller, who: `key ${key} of CFSSL at ${caller.who}` }
  } else if (!desk.compatible.has('open-revoke')) throw new Declined(400, 'authentication required')
  await desk.revoke({ label, revoked: { ...revocation, ...endOf(profiles, desk) }, caller })
  return success({})
}

const NOT_ALLOWED =
  'the key may not revoke: a profile with it has to say "certrelay": {"revoke": true}'

function mayRevoke(key: string, profiles: readonly Profile[], { compatible }: Desk): boolean {
  if (compatible.has('any-key-revokes') || compatible.has('open-revoke')) return true
  return profiles.some(
    ({ revokes, authKeys }) => revokes === true && authKeys.some(({ name }) => name === key),
  )
}

/**
 * When at the latest a certificate ends that a profile made until now: nobody looks whether there is one of the serial, and an
 * invented one would stay on the list for ever. Nothing where clients choose dates.
 */
function endOf(profiles: readonly Profile[], desk: Desk): { readonly notAfter?: number } {
  const ends = profiles
    .filter(({ remote }) => remote === undefined)
    .map(({ expiry, notAfter, clientDates }) =>
      clientDates ? Infinity : Math.max(desk.now() + expiry, notAfter ?? 0),
    )
  const last = Math.max(...ends)
  return Number.isFinite(last) ? { notAfter: last } : {}
}

/** Of what could be one of ours, lower-case hex. @throws Declined */
function serialOf(text: string): string {
  const serial = /^\d{1,49}$/.test(text) ? BigInt(text) : 0n
  if (serial > 0n && serial < BEYOND) return serial.toString(16)
  throw new Declined(
    400,
    'the serial has to be a positive decimal number of at most 20 octets (RFC 5280)',
  )
}

/** A reason by its name in any case, or by its number; CFSSL has no number for the first and the last. */
function reasonIn(text: string): RevocationReason {
  const named = text === '' ? 'unspecified' : reasonOf(text)
  if (named !== undefined) return named
  const [found] = Object.entries(REASONS).find(([, number]) => String(number) === text) ?? []
  const known = found === undefined ? undefined : reasonOf(found)
  if (known === undefined || known === 'unspecified' || known === 'aACompromise')
    throw new Declined(400, 'Invalid reason code')
  return known
}

/** The authority whose subject key identifier this is. */
async function byKey(
  { aki, label: named }: { readonly aki: string; readonly label: string },
  desk: Desk,
): Promise<Office> {
  for (const label of named === '' ? await desk.labels() : [named]) {
    const office = await desk.open(label)
    const parsed = parseCertificate(office.certificate)
    if (!isFault(parsed) && valuesOf(parsed).subjectKey === aki) return office
  }
  throw new Declined(400, 'there is no authority with this authority_key_id')
}
