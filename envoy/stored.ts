import { type Bundle, facts, parseBundle, parseTrust } from '../pki/bundle.ts'
import { RelayError } from '../pki/error.ts'
import type { Secret } from '../pki/secret.ts'
import { contentId, versionId } from '../pki/version.ts'
import type { Keys } from '../ports/keys.ts'
import { context } from '../workflows/publish.ts'
import { type Found, type Place, place, type Shelf } from './place.ts'
import type { Settings } from './settings.ts'
import type { Anchors, Identity, Source } from './source.ts'

/** What opens sealed passphrases, and where secrets are read: the primary region first, then its replicas. */
export interface Stores {
  readonly shelves: readonly Shelf[]
  readonly keys: Pick<Keys, 'open'> | undefined
  /** Of this process; a secret that ECS has put there is taken out when it is read. */
  readonly environment?: Record<string, string | undefined>
}

type Names = Pick<Settings, 'secret' | 'second' | 'trust' | 'org'>
type Own = Identity & Pick<Found, 'replica'> & { readonly own: Anchors }

/** Material from secrets in format 1, wherever they are kept. */
export function stored(stores: Stores, { secret, second, trust, org }: Names): Source {
  const { shelves, environment = {} } = stores
  const at = (name: string) => ({ name, ...place(name, shelves, environment) })
  const one = at(secret)
  const other = second === undefined ? undefined : at(second)
  const peers = trust === undefined ? undefined : at(trust)
  return {
    async look() {
      const [version, trusted, also] = await Promise.all([
        versionOf(one, bundleVersion),
        peers && versionOf(peers, contentId),
        other && versionOf(other, bundleVersion),
      ])
      return { version, trust: trusted ?? version, ...(also && { second: also }) }
    },
    async fetch() {
      const opened: Own[] = []
      const open = async (from: Place & { readonly name: string }) => {
        const own = await identity(from, stores.keys, org)
        opened.push(own)
        return own
      }
      try {
        const [first, anchors, also] = await settled([
          open(one),
          peers && trustOf(peers),
          other && open(other),
        ])
        const { own, ...identity } = first
        const replica = first.replica ?? also?.replica ?? anchors?.replica
        return {
          ...identity,
          trust: anchors?.trust ?? own,
          ...(also && { second: also }),
          ...(replica !== undefined && { replica }),
        }
      } catch (error) {
        for (const { passphrase } of opened) passphrase.wipe()
        throw error
      }
    },
  }
}

/** The peers' anchors. */
export interface Peers {
  /** @throws SECRET_MISSING, ACCESS_REFUSED, SERVICE_UNAVAILABLE */
  version(): Promise<string>
  read(): Promise<{ readonly trust: Anchors; readonly replica: string | undefined }>
}

/** Anchors from a trust bundle, wherever it is kept. */
export function peersIn({ shelves, environment = {} }: Omit<Stores, 'keys'>, name: string): Peers {
  const from = { name, ...place(name, shelves, environment) }
  return { version: () => versionOf(from, contentId), read: () => trustOf(from) }
}

/** Like `Promise.all`, but all have ended when it throws, so that nothing is opened after the wiping. */
async function settled<A, B, C>(
  all: readonly [Promise<A>, B | Promise<B>, C | Promise<C>],
): Promise<[A, B, C]> {
  await Promise.allSettled(all)
  return Promise.all(all)
}

async function identity(
  from: Place & { readonly name: string },
  keys: Stores['keys'],
  org: string | undefined,
): Promise<Own> {
  const { version: known, content, replica } = await from.read()
  const bundle = parse(from.name, content, parseBundle)
  const version = known ?? idOf(bundle)
  return {
    version,
    bundle,
    passphrase: await unsealed(bundle, from.name, version, keys, org),
    own: { version, anchors: bundle.anchors },
    ...(replica !== undefined && { replica }),
  }
}

async function unsealed(
  { passphrase, sealedPassphrase }: Bundle,
  name: string,
  version: string,
  keys: Stores['keys'],
  org: string | undefined,
): Promise<Secret> {
  if (passphrase !== undefined) return passphrase
  if (sealedPassphrase === undefined) throw new TypeError('a parsed bundle has one of both')
  if (keys === undefined || org === undefined || !name.startsWith('arn:')) {
    throw new RelayError(
      'CONFIG_INVALID',
      `the passphrase of secret ${name} is sealed: set CERTRELAY_KEYS, CERTRELAY_ORG and the ARN in CERTRELAY_SECRET`,
    )
  }
  return keys.open(sealedPassphrase, context(org, name, version))
}

async function trustOf(from: Place & { readonly name: string }) {
  const { version, content, replica } = await from.read()
  const text = parse(from.name, content, (raw) => raw)
  const { anchors, crl, issuers } = named(from.name, () => parseTrust(text))
  const trust: Anchors = {
    version: version ?? contentId(text),
    anchors,
    ...(crl !== undefined && { crl }),
    ...(issuers !== undefined && { issuers }),
  }
  return { trust, replica }
}

async function versionOf(
  from: Place & { readonly name: string },
  told: (text: string) => string,
): Promise<string> {
  const known = await from.version()
  if (known !== undefined) return known
  const { content } = await from.read()
  return parse(from.name, content, told)
}

function bundleVersion(text: string): string {
  const bundle = parseBundle(text)
  bundle.passphrase?.wipe()
  return idOf(bundle)
}

/** The id that certrelay gives a version of this certificate; made of nothing that is secret. */
function idOf(bundle: Bundle): string {
  const { source } = bundle.facts
  return versionId(source, facts(source, bundle.certificate).serial)
}

function parse<T>(name: string, content: Secret, read: (text: string) => T): T {
  try {
    return named(name, () => read(Buffer.from(content.reveal()).toString('utf8')))
  } finally {
    content.wipe()
  }
}

function named<T>(name: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    throw new RelayError(error.code, `secret ${name}: ${error.message}`, { cause: error })
  }
}
