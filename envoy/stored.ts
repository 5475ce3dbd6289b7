import { type Bundle, parseBundle, parseTrust } from '../pki/bundle.ts'
import { RelayError } from '../pki/error.ts'
import type { Secret } from '../pki/secret.ts'
import type { Keys } from '../ports/keys.ts'
import type { Stored, Vault } from '../ports/vault.ts'
import { context } from '../workflows/publish.ts'
import type { Settings } from './settings.ts'
import type { Anchors, Source } from './source.ts'

/** A vault in one region. */
export interface Shelf {
  readonly region: string
  readonly vault: Pick<Vault, 'read'>
}

/** What opens sealed passphrases, and where secrets are read: the primary region first, then its replicas. */
export interface Stores {
  readonly shelves: readonly Shelf[]
  readonly keys: Pick<Keys, 'open'> | undefined
}

type Names = Pick<Settings, 'secret' | 'trust' | 'org'>

/** Material from secrets in format 1. */
export function stored({ shelves, keys }: Stores, { secret, trust, org }: Names): Source {
  const open = async (bundle: Bundle, version: string): Promise<Secret> => {
    const { passphrase, sealedPassphrase } = bundle
    if (passphrase !== undefined) return passphrase
    if (sealedPassphrase === undefined) throw new TypeError('a parsed bundle has one of both')
    if (keys === undefined || org === undefined || !secret.startsWith('arn:')) {
      throw new RelayError(
        'CONFIG_INVALID',
        `the passphrase of secret ${secret} is sealed: set CERTRELAY_KEYS, CERTRELAY_ORG and the ARN in CERTRELAY_SECRET`,
      )
    }
    return keys.open(sealedPassphrase, context(org, secret, version))
  }
  const anchors = async (own: Anchors): Promise<Anchors> => {
    if (trust === undefined) return own
    const { version, content } = await read(shelves, trust)
    return { version, anchors: parse(trust, content, parseTrust).anchors }
  }
  return {
    async fetch() {
      const { version, content } = await read(shelves, secret)
      const bundle = parse(secret, content, parseBundle)
      const own = { version, anchors: bundle.anchors }
      const [trusted, opened] = await Promise.allSettled([anchors(own), open(bundle, version)])
      if (opened.status === 'rejected') throw opened.reason
      if (trusted.status === 'fulfilled') {
        return { version, bundle, passphrase: opened.value, trust: trusted.value }
      }
      opened.value.wipe()
      throw trusted.reason
    },
  }
}

/**
 * Reads the current version from the first region that answers. Only "not available here" moves on; a replica that does
 * not exist is not the answer of a primary that is away.
 */
async function read(shelves: readonly Shelf[], secret: string): Promise<Stored> {
  const failures: RelayError[] = []
  for (const { region, vault } of shelves) {
    try {
      return await vault.read(inRegion(secret, region))
    } catch (error) {
      if (!(error instanceof RelayError)) throw error
      const named = new RelayError(error.code, `${error.message} (region ${region})`, {
        cause: error,
      })
      const absent = error.code === 'SECRET_MISSING' && failures.length > 0
      if (error.remedy !== 'retry' && !absent) throw named
      failures.push(named)
    }
  }
  throw new RelayError('SERVICE_UNAVAILABLE', failures.map(({ message }) => message).join('; '))
}

/** A replica's ARN differs from its primary's in the region only. */
function inRegion(secret: string, region: string): string {
  return secret.replace(/^(arn:[^:]+:secretsmanager:)[^:]+/, `$1${region}`)
}

function parse<T>(secret: string, content: Secret, read: (text: string) => T): T {
  try {
    return read(Buffer.from(content.reveal()).toString('utf8'))
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    throw new RelayError(error.code, `secret ${secret}: ${error.message}`, { cause: error })
  } finally {
    content.wipe()
  }
}
