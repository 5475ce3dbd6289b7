import { ACMClient } from '@aws-sdk/client-acm'
import type { Authority } from '../../ports/authority.ts'
import { authority } from '../acm.ts'
import type { Part } from '../part.ts'

/** Its quotas are the tightest: with a whole fleet due the third throttle in a row happens, and a message that comes again is late. */
const ATTEMPTS = 5

/** ACM: certificates, without the CAs that issue them. */
export const acm: Part<{ readonly authority: Omit<Authority, 'issuer'> }> = ({
  paced,
  settings,
}) => ({
  authority: authority(paced(new ACMClient({ ...settings, maxAttempts: ATTEMPTS }))),
})
