import { REASONS, type RevocationReason, reasonOf } from '../authority/list.ts'
import { parseCertificate, valuesOf } from '../pki/certificate.ts'
import { isFault } from '../pki/der.ts'
import { authenticated, opened } from './authsign.ts'
import type { Desk, Request } from './desk.ts'
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
/** RFC 5280 4.1.2.2: 20 octets. */
const LONGEST = 2n ** 160n

/**
 * `revoke`. CFSSL takes it from everybody; here it has to come in the envelope of `authsign`, with a token of one of the authority's
 * keys, unless `open-revoke` is switched off.
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
  const { label, keys } = await byKey(wanted, desk)
  if (envelope !== undefined) opened(keys, envelope, request, desk)
  else if (!desk.compatible.has('open-revoke')) throw new Declined(400, 'authentication required')
  await desk.revoke({ label, revoked: revocation, caller: request.caller })
  return success({})
}

function serialOf(text: string): string {
  if (!/^\d{1,49}$/.test(text) || BigInt(text) >= LONGEST)
    throw new Declined(400, 'the serial has to be a decimal number of at most 20 octets')
  return BigInt(text).toString(16)
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

/** The authority whose subject key identifier this is; its keys are those of all of its profiles. */
async function byKey({ aki, label: named }: { aki: string; label: string }, desk: Desk) {
  for (const label of named === '' ? await desk.labels() : [named]) {
    const { certificate, policy } = await desk.open(label)
    const parsed = parseCertificate(certificate)
    if (isFault(parsed) || valuesOf(parsed).subjectKey !== aki) continue
    const profiles = [policy.standard, ...policy.profiles.values()]
    return { label, keys: profiles.flatMap(({ authKeys }) => authKeys) }
  }
  throw new Declined(400, 'there is no authority with this authority_key_id')
}
