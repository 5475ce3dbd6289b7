import type { Decision, Issued, Source } from './observed.ts'

const MINUTE = 60_000
const UNISSUED = {
  failed: 'ACM could not issue the certificate',
  expired: 'the certificate has expired: ACM does not renew it any more, ask for a new one',
  revoked: 'the certificate was revoked: ACM does not renew it, ask for a new one',
  missing: 'the certificate is gone from its source: ask for a new one',
} as const

/** What to do about a certificate that its source has not issued, or not any more. */
export function unissued(
  { status, why }: Exclude<Source, Issued | { readonly status: 'unsigned' }>,
  now: number,
): Decision {
  if (status === 'pending')
    return { step: 'wait', reason: 'the certificate is not issued yet', at: now + MINUTE }
  const reason = why === undefined ? UNISSUED[status] : `${UNISSUED[status]}: ${why}`
  return { step: 'alarm', reason }
}
