import type { AuthKey } from '../authority/policy.ts'
import { Refused } from '../authority/request.ts'
import { RelayError } from '../pki/error.ts'
import { asked } from './asked.ts'
import type { Desk, Request } from './desk.ts'
import type { Answer } from './envelope.ts'
import { BadField, type Fields, names } from './fields.ts'
import { caOf, profileOf } from './profiles.ts'
import { base64, json, members, reading } from './reading.ts'
import { declined } from './says.ts'
import { deliver } from './sign.ts'
import { stamped, TIME_HEADER } from './token.ts'

/** A request with its token, as CFSSL wraps it (auth/auth.go). */
export interface Authenticated {
  /** Seconds since 1970; 0 when it is absent. */
  readonly timestamp: number
  readonly token: Buffer
  /** The octets that the token is over. */
  readonly request: Buffer
}

const ENVELOPE = names('timestamp', 'remote_address', 'token', 'request')

/** `authsign`: for profiles with an authentication key. */
export async function authsign(request: Request, desk: Desk): Promise<Answer> {
  const envelope = reading(() => authenticated(members(request, desk, ENVELOPE)))
  const wanted = reading(
    () => asked(json(envelope.request, desk)),
    'Unable to parse authenticated sign request',
  )
  const ca = await caOf(wanted.label, request, desk)
  desk.counts.requests('sign', ca.label)
  const profile = profileOf(ca.policy, wanted.profile, desk)
  if (profile.authKeys.length === 0) throw declined('no-key', desk)
  if (profile.timed === true && request.headers[TIME_HEADER] === undefined)
    throw declined('untimed', desk)
  const key = opened(profile.authKeys, envelope, request, desk)
  const who = `key ${key} of CFSSL at ${request.caller.who}`
  if (wanted.csr === '') throw declined('csr-missing', desk)
  try {
    return await deliver({ ca, profile, wanted, caller: { ...request.caller, who } }, desk)
  } catch (error) {
    desk.counts.errored('sign', ca.label)
    if (!(error instanceof Refused) && error instanceof RelayError && error.remedy === 'retry')
      desk.replays?.forget(envelope.token) // nothing was signed, and the client may come again
    throw error
  }
}

/** @throws BadField */
export function authenticated(fields: Fields): Authenticated {
  octets(fields, 'remote_address')
  return {
    timestamp: fields.count('timestamp'),
    token: octets(fields, 'token'),
    request: octets(fields, 'request'),
  }
}

function octets(fields: Fields, name: string): Buffer {
  const found = base64(fields.text(name))
  if (found === undefined) throw new BadField(name, 'has to be base64')
  return found
}

/**
 * The name of the key whose token a request has. The token is over the octets as they came: written again they might be others.
 *
 * @throws Declined when no key made it, it was used before, or the timestamp is not of now
 */
export function opened(
  keys: readonly AuthKey[],
  { timestamp, token, request }: Authenticated,
  { headers }: Request,
  desk: Desk,
): string {
  const key = keys.find(({ verify }) => verify(request, token))
  if (key === undefined) throw declined('token-wrong', desk)
  const bound = headers[TIME_HEADER]
  if (bound !== undefined && !key.verify(stamped(timestamp, request), Buffer.from(bound, 'hex')))
    throw declined('token-wrong', desk)
  const timed = timestamp !== 0 || bound !== undefined
  const off = Math.abs(desk.now() - timestamp * 1_000)
  if (timed && !desk.compatible.has('clock-skew') && off > desk.clockSkew)
    throw declined('stale', desk)
  if (!desk.compatible.has('replay') && desk.replays?.first(token, desk.now()) === false)
    throw declined('token-used', desk)
  return key.name
}
