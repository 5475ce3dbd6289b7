import { pem } from '../pki/pem.ts'
import type { Desk, Request } from './desk.ts'
import { type Answer, Declined, success } from './envelope.ts'
import { names } from './fields.ts'
import { caOf, profileOf } from './profiles.ts'
import { members, reading } from './reading.ts'
import { clientOf } from './remote.ts'

const INFO = names('label', 'profile')

/** `info`: a CA's certificate, which is public, and what a profile is for. CFSSL's client has no token for it. */
export async function info(request: Request, desk: Desk): Promise<Answer> {
  const [label, name] = reading(() => {
    const fields = members(request, desk, INFO)
    return [fields.text('label'), fields.text('profile')]
  })
  const ca = await caOf(label, request, { ...desk, like: 'serve' }).catch((error: unknown) => {
    throw error instanceof Declined && error.status === 403
      ? new Declined(403, 'not authorised')
      : error
  })
  const profile = profileOf(ca.policy, name, { ...desk, like: 'serve' })
  if (profile.remote !== undefined)
    return success(await clientOf(profile.remote, desk).info(label, name))
  return success({
    certificate: pem('CERTIFICATE', ca.certificate).trim(),
    usages: profile.usages,
    expiry: profile.expiryText ?? '',
  })
}
