import type { Desk, Request } from './desk.ts'
import { duration } from './duration.ts'
import { type Answer, Declined, NOT_FOUND, success } from './envelope.ts'
import { caOf } from './profiles.ts'

const WEEK = 7 * 86_400_000
/** A list that is valid for longer tells nobody of what is revoked meanwhile. */
const LONGEST = 4 * WEEK

/** `crl`: the revocation list of an authority, DER in base64; `?expiry=168h`, and `?label=` beyond CFSSL. */
export async function crl(request: Request, desk: Desk): Promise<Answer> {
  if (desk.list === undefined) return NOT_FOUND
  const text = request.query.get('expiry') ?? ''
  const lifetime = text === '' ? WEEK : duration(text)
  if (lifetime === undefined) throw new Declined(500, 'time: invalid duration', 0)
  if (lifetime <= 0 || lifetime > LONGEST)
    throw new Declined(400, 'expiry has to be longer than nothing and 672h at most')
  const { label } = await caOf(request.query.get('label') ?? '', request, desk)
  const list = await desk.list(label, desk.now() + lifetime)
  return success(Buffer.from(list).toString('base64'))
}
