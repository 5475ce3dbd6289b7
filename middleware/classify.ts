import type { Code } from '../pki/error.ts'
import { NETWORK, told } from '../pki/fault.ts'

/** What an error of one region's KMS means (docs/kms.md has the table). */
export type Class =
  | 'transport'
  | 'server'
  | 'throttle'
  | 'key-state'
  | 'denied'
  | 'credentials'
  | 'integrity'
  | 'caller'

/** Not available here, so asked elsewhere: what is not in this set ends the search. */
export const ELSEWHERE: ReadonlySet<Class> = new Set(['transport', 'server', 'throttle'])

/** The code that an operation fails with when an attempt of this class ends it. */
export const CODES = {
  transport: 'SERVICE_UNAVAILABLE',
  server: 'SERVICE_UNAVAILABLE',
  throttle: 'SERVICE_UNAVAILABLE',
  'key-state': 'KEY_DISABLED',
  denied: 'ACCESS_REFUSED',
  credentials: 'ACCESS_REFUSED',
  integrity: 'CONTEXT_MISMATCH',
  caller: 'CONFIG_INVALID',
} as const satisfies Record<Class, Code>

/** What a person does next. */
export const NEXT: Readonly<Record<Class, string>> = {
  transport: 'it is tried again',
  server: 'it is tried again',
  throttle: 'it is tried again',
  'key-state': 'enable the key, or accept that it was disabled on purpose',
  denied: "allow it in the role and in the key's policy, or accept that it was taken away",
  credentials: 'look at the credentials of whoever asks',
  integrity:
    'the value or its encryption context is not what was sealed: treat it as tampered with',
  caller: 'look at the configured keys: each must be a symmetric key that encrypts and decrypts',
}

const NAMES: Readonly<Record<string, Class>> = {
  TimeoutError: 'transport',
  KMSInternalException: 'server',
  KeyUnavailableException: 'server',
  DependencyTimeoutException: 'server',
  ThrottlingException: 'throttle',
  LimitExceededException: 'throttle',
  DisabledException: 'key-state',
  KMSInvalidStateException: 'key-state',
  NotFoundException: 'key-state',
  AccessDeniedException: 'denied',
  InvalidGrantTokenException: 'denied',
  ExpiredTokenException: 'credentials',
  UnrecognizedClientException: 'credentials',
  InvalidSignatureException: 'credentials',
  CredentialsProviderError: 'credentials',
  InvalidCiphertextException: 'integrity',
  IncorrectKeyException: 'integrity',
}

const TLS = /^ERR_(TLS|SSL)|CERT|LEAF_SIGNATURE/

/** By name, then status and fault, then network code; never by `instanceof`: several copies of the SDK are installed. */
export function classify(error: unknown): Class {
  const { name, code, status, fault } = told(error)
  const known = Object.hasOwn(NAMES, name) ? NAMES[name] : undefined
  if (known !== undefined) return known
  if (status === 429) return 'throttle'
  if (status >= 500 || fault === 'server') return 'server'
  if (NETWORK.has(code) || code === 'EPROTO' || TLS.test(code)) return 'transport'
  return 'caller'
}

/** What a person calls it: the network's code where there is one, which the SDK covers with a name like `TimeoutError`. */
export function nameOf(error: unknown): string {
  const { code, name } = told(error)
  return code || name
}

/** A connection that was there and broke: another one may well do. */
export function isBroken(error: unknown): boolean {
  const { code } = told(error)
  return code === 'ECONNRESET' || code === 'EPIPE'
}
