import { type Code, RelayError } from '../pki/error.ts'
import { told as faultOf, NETWORK } from '../pki/fault.ts'

/** AWS's error names and what they mean to us, whatever the service. Names win over status. */
const NAMES: Readonly<Record<string, Code>> = {
  LimitExceededException: 'SERVICE_UNAVAILABLE',
  InternalServiceError: 'SERVICE_UNAVAILABLE',
  ConcurrentModificationException: 'SERVICE_UNAVAILABLE',
  TimeoutError: 'SERVICE_UNAVAILABLE',
  AccessDeniedException: 'ACCESS_REFUSED',
  AccessDenied: 'ACCESS_REFUSED', // IAM's names are those of the query protocol
  InvalidClientTokenId: 'ACCESS_REFUSED',
  UnrecognizedClientException: 'ACCESS_REFUSED',
  InvalidSignatureException: 'ACCESS_REFUSED',
  ExpiredTokenException: 'ACCESS_REFUSED',
  CredentialsProviderError: 'ACCESS_REFUSED',
  DecryptionFailure: 'KEY_DISABLED',
  EncryptionFailure: 'KEY_DISABLED',
}

/** Throttles by AWS's names; SQS's is RequestThrottled. A status of 429 is one too. */
export const THROTTLES = /^(Throttl|TooManyRequests|RequestLimitExceeded|RequestThrottled|SlowDown)/

/**
 * Runs one call and translates what it throws: first by `special`, then by the table, then server faults, networks and what AWS refuses.
 * Anything else is not AWS's and passes through. AWS's own message stays in `cause`: it may quote the input.
 *
 * @param what an action and its object, as in "describe certificate ARN"
 */
export async function ask<T>(
  what: string,
  call: () => Promise<T>,
  special: Readonly<Record<string, Code>> = {},
): Promise<T> {
  try {
    return await call()
  } catch (cause) {
    const { name, code, status, requestId } = faultOf(cause)
    const throttled = status === 429 || THROTTLES.test(name)
    const unavailable = throttled || status >= 500 || NETWORK.has(code) || NETWORK.has(name)
    const meaning = special[name] ?? NAMES[name] ?? general(status, unavailable)
    if (meaning === undefined) throw cause
    const reference = requestId === '' ? '' : `, request ${requestId}`
    const told = `${name === 'Error' && code ? code : name}${reference}${NEXT[meaning] ?? ''}`
    const why = isWithoutKeys(cause) ? cause.message : told
    throw new RelayError(meaning, `cannot ${what}: ${why}`, { cause })
  }
}

/** Whoever looks for keys says where, and no service has been asked. */
function isWithoutKeys(error: unknown): error is Error {
  return error instanceof Error && error.name === 'CredentialsProviderError'
}

/** What AWS refuses for a reason that we do not know, it will refuse again. */
function general(status: number, unavailable: boolean): Code | undefined {
  if (unavailable) return 'SERVICE_UNAVAILABLE'
  return status >= 400 ? 'REQUEST_REFUSED' : undefined
}

const NEXT: Partial<Record<Code, string>> = {
  ACCESS_REFUSED: "; allow it in the caller's role and in the resource's policy",
  KEY_DISABLED: "; look at the state of the secret's KMS key",
  REQUEST_REFUSED: '; find the request in CloudTrail, which says why',
  SERVICE_UNAVAILABLE: '; it is tried again',
}
