import { RelayError } from '../pki/error.ts'
import { type Context, keyRegion, type Sealed } from '../pki/sealed.ts'
import { Secret } from '../pki/secret.ts'
import type { Keyhole, Keys, Turned } from '../ports/keys.ts'
import type { Fields } from '../ports/log.ts'

/** What an error of one region means for the others (docs/kms.md has the table). */
export type Class = 'elsewhere' | 'denied' | 'key-state' | 'integrity' | 'stop'

const MOST = 4_096 // KMS Encrypt: bytes of plaintext

/** What the core needs from outside: a record of each use of a key, and a stopwatch. */
export interface Surroundings {
  readonly audit: (fields: Fields) => void
  /** Monotonic milliseconds. */
  readonly elapsed: () => number
}

/**
 * Seals in every region and opens in the first that answers. A region that is unavailable is passed over; any other
 * failure ends the search, because what is refused in one region must not be had through another.
 */
export function failover(keyholes: readonly Keyhole[], surroundings: Surroundings): Keys {
  return {
    async seal(secret, context) {
      if (secret.reveal().length > MOST)
        throw new RelayError(
          'SEALED_INVALID',
          `more than ${MOST} bytes cannot be sealed; KMS takes no more`,
        )
      const copies = await Promise.all(
        keyholes.map(async (keyhole) => {
          const { bytes, key } = await recorded('seal', keyhole, context, surroundings, () =>
            keyhole.encrypt(secret.reveal(), context),
          )
          return { key, blob: Buffer.from(bytes).toString('base64') }
        }),
      )
      return { v: 1, copies }
    },
    async open({ copies }: Sealed, context) {
      const failures: unknown[] = []
      for (const keyhole of keyholes) {
        const copy = copies.find(({ key }) => key === keyhole.key)
        if (copy === undefined) continue
        try {
          const blob = Buffer.from(copy.blob, 'base64')
          const { bytes } = await recorded('open', keyhole, context, surroundings, () =>
            keyhole.decrypt(blob, context),
          )
          return Secret.of(bytes)
        } catch (error) {
          if (!(error instanceof RelayError) || error.code !== 'SERVICE_UNAVAILABLE') throw error
          failures.push(error)
        }
      }
      if (failures.length > 0) {
        throw new RelayError(
          'SERVICE_UNAVAILABLE',
          `no region's KMS could open the passphrase of ${context.secret}; it is tried again`,
          {
            cause: new AggregateError(failures),
          },
        )
      }
      const regions = copies.map(({ key }) => keyRegion(key)).join(', ')
      throw new RelayError(
        'SEALED_INVALID',
        `the passphrase of ${context.secret} is sealed under keys that are not configured (regions ${regions}); add them to CERTRELAY_KEYS`,
      )
    },
  }
}

/** One use of one key: its audit line, and its error in our terms. */
async function recorded(
  action: 'seal' | 'open',
  { region, key }: Keyhole,
  context: Context,
  { audit, elapsed }: Surroundings,
  use: () => Promise<Turned>,
): Promise<Turned> {
  const began = elapsed()
  const { org: organisation, purpose, secret, version } = context
  const line = (outcome: string, kmsRequest: string, error?: string) =>
    audit({
      action,
      organisation,
      purpose,
      secret,
      version,
      key,
      region,
      outcome,
      kmsRequest,
      error,
      ms: Math.round(elapsed() - began),
    })
  try {
    const turned = await use()
    if (turned.key !== key)
      throw Object.assign(new Error('another key answered'), {
        name: 'IncorrectKeyException',
        $metadata: { requestId: turned.requestId },
      })
    line('ok', turned.requestId)
    return turned
  } catch (cause) {
    const { name, requestId } = seen(cause)
    const meaning = classify(cause)
    line(meaning, requestId, name)
    const what = `cannot ${action} a passphrase of ${secret} with ${key}: ${name}, request ${requestId || 'none'}`
    throw new RelayError(CODES[meaning], `${what}; ${NEXT[meaning]}`, { cause })
  }
}

const CODES = {
  elsewhere: 'SERVICE_UNAVAILABLE',
  denied: 'ACCESS_REFUSED',
  'key-state': 'KEY_DISABLED',
  integrity: 'CONTEXT_MISMATCH',
  stop: 'ACCESS_REFUSED',
} as const

const NEXT: Readonly<Record<Class, string>> = {
  elsewhere: 'another region may answer, and sealing is tried again',
  denied: "allow it in the role and in the key's policy, or accept that it was taken away",
  'key-state': 'enable the key, or accept that it was disabled on purpose',
  integrity:
    'the value or its encryption context is not what was sealed: treat it as tampered with',
  stop: 'look at credentials and input',
}

const NAMES: Readonly<Record<string, Class>> = {
  KMSInternalException: 'elsewhere',
  KeyUnavailableException: 'elsewhere',
  DependencyTimeoutException: 'elsewhere',
  ThrottlingException: 'elsewhere',
  LimitExceededException: 'elsewhere',
  TimeoutError: 'elsewhere',
  DisabledException: 'key-state',
  KMSInvalidStateException: 'key-state',
  NotFoundException: 'key-state',
  AccessDeniedException: 'denied',
  InvalidGrantTokenException: 'denied',
  InvalidCiphertextException: 'integrity',
  IncorrectKeyException: 'integrity',
}

const NETWORK = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPROTO',
  'ENOTFOUND',
  'EAI_AGAIN',
])

/** By name, then status, then network code; never by `instanceof`: several copies of the SDK are installed. */
export function classify(error: unknown): Class {
  const { name, code, status } = seen(error)
  const known = NAMES[name]
  if (known !== undefined) return known
  if (
    status >= 500 ||
    status === 429 ||
    NETWORK.has(code) ||
    /^ERR_(TLS|SSL)|CERT|LEAF_SIGNATURE/.test(code)
  )
    return 'elsewhere'
  return 'stop'
}

function seen(error: unknown) {
  const about: { name?: unknown; code?: unknown; $metadata?: unknown } =
    typeof error === 'object' && error !== null ? error : {}
  const metadata: { httpStatusCode?: unknown; requestId?: unknown } =
    typeof about.$metadata === 'object' && about.$metadata !== null ? about.$metadata : {}
  return {
    name: typeof about.name === 'string' ? about.name : 'Error',
    code: typeof about.code === 'string' ? about.code : '',
    status: typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : 0,
    requestId: typeof metadata.requestId === 'string' ? metadata.requestId : '',
  }
}
