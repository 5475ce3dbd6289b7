import { type Bundle, type Facts, facts } from '../pki/bundle.ts'
import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import { altName, sameSpelling } from '../pki/san.ts'
import { type Own, ownSource, SHORTEST, trustOf } from '../pki/source.ts'
import { type OwnAlgorithm, type Registration, readTags } from '../pki/tags.ts'
import { isOurs, sameCertificate } from '../pki/version.ts'
import type { Certificate } from '../ports/authority.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import { anchorsOf, type Drawn, newPassphrase } from './draw.ts'
import { bundleOf } from './publish.ts'

type Needs = Pick<Ports, 'authority' | 'vault' | 'notary' | 'demand' | 'passphrase'>

/** What an authority of our own is asked for. */
export interface Wish {
  readonly own: Own
  /** As it stands in tags and facts. */
  readonly source: string
  /** DNS names, IP addresses and URIs, the common name first. */
  readonly names: readonly string[]
  readonly keyAlgorithm: OwnAlgorithm
  /** Name or ARN of the trust bundle with its anchors. */
  readonly trust: string
}

/** Whether a source means an authority of our own, well written or not. */
export function isOwn(source: string): boolean {
  return source.startsWith('certrelay:')
}

/** What the tags of a secret wish for. @throws PROPERTY_INVALID naming the tag */
export function wishOf({ source, names = [], keyAlgorithm, trust }: Registration): Wish {
  const own = ownSource(source)
  if (own === undefined)
    throw new RelayError(
      'PROPERTY_INVALID',
      `the tag certrelay:source is ${source}: give certrelay:LABEL or certrelay:LABEL/PROFILE, or the ARN of an ACM certificate`,
    )
  if (names.length === 0)
    throw new RelayError(
      'PROPERTY_INVALID',
      `the tag certrelay:names is missing: give the names that ${source} is to certify, separated by spaces`,
    )
  return {
    own,
    source,
    names,
    keyAlgorithm: keyAlgorithm ?? 'EC_prime256v1',
    trust: trust ?? trustOf(own),
  }
}

/**
 * The newest certificate among the versions of a secret that is what is wished for; `undefined` when none is. There is nobody
 * to ask: an authority that signs keeps no certificates.
 */
export async function newest(
  { vault }: Pick<Ports, 'vault'>,
  held: Held,
  wish: Wish,
): Promise<Certificate | undefined> {
  const current = holder(held.versions, 'AWSCURRENT')
  let found: Certificate | undefined
  let met = false
  for (const version of candidates(held)) {
    const bundle = await bundleOf(vault, held.arn, version).catch(unfilled(held, version))
    const one = bundle && fitting(bundle, wish)
    if (one === undefined) continue
    if (version === current) met = true
    if (found === undefined || (one.notBefore ?? 0) > (found.notBefore ?? 0))
      found = { ...one, version }
  }
  return found && { ...found, ...(!met && { unmet: true }) }
}

/** Versions that may hold the newest one; of those of one minute the first counts. */
function candidates({ versions, tags }: Held): readonly string[] {
  const labelled = ['AWSPENDING', 'ROLLEDBACK', 'REJECTED'].map((label) => holder(versions, label))
  const { promoted } = readTags(tags) ?? {}
  const last = [...versions.keys()].filter(
    (version) => promoted !== undefined && sameCertificate(version, promoted.version),
  )
  const all = [...labelled, ...last, holder(versions, 'AWSCURRENT')]
  return [...new Set(all.filter((version) => version !== undefined))]
}

/** Passes over the version that a rotation waits with while nothing is stored in it; any other is only not shown yet. */
function unfilled({ versions, tags }: Held, version: string) {
  return (error: unknown): undefined => {
    const absent = error instanceof RelayError && error.code === 'VERSION_MISSING'
    const stored = isOurs(version) || readTags(tags)?.rotated?.token === version
    if (!absent || stored || versions.get(version)?.includes('AWSCURRENT')) throw error
  }
}

/**
 * What a version that a rotation by Secrets Manager waits with was filled with; `undefined` when nothing was stored yet. What
 * it holds stays: a certificate signed for it would be an orphan.
 *
 * @returns `older`: a certificate of the same source, which need not be what is wished for now
 */
export async function filled(
  vault: Ports['vault'],
  { secret, version }: { readonly secret: string; readonly version: string },
  wish: Wish,
): Promise<'older' | 'foreign' | undefined> {
  try {
    const there = await bundleOf(vault, secret, version)
    const ours =
      there?.facts.source === wish.source || (there && fitting(there, wish)) !== undefined
    return ours ? 'older' : 'foreign'
  } catch (error) {
    if (error instanceof RelayError && error.code === 'VERSION_MISSING') return undefined
    throw error
  }
}

/** The walkthrough's layout does not say where it came from. */
function fitting({ certificate, facts: { source } }: Bundle, wish: Wish): Certificate | undefined {
  if (source !== wish.source && source !== 'walkthrough') return undefined
  const about = facts(wish.source, certificate)
  const set = (names: readonly string[]) => [...new Set(names.map(sameSpelling))].sort().join(' ')
  const named = set(about.names) === set(wish.names.map(altName))
  return named && about.keyAlgorithm === wish.keyAlgorithm ? described(wish, about) : undefined
}

/**
 * Makes a key, has it certified, and hands both over; the key exists in memory alone, under a passphrase. Nobody else knows
 * that certificate: what is not stored is lost.
 *
 * @throws CONFIG_INVALID without a sign function; CERTIFICATE_REFUSED when what it signs does not live long enough to be
 *   renewed in time; AUTHORITY_MISSING without published anchors, and what `Notary.sign` throws
 */
export async function certify(
  ports: Needs,
  wish: Wish,
  layout: 'walkthrough' | undefined,
): Promise<Drawn> {
  const { notary } = ports
  if (notary === undefined)
    throw new RelayError(
      'CONFIG_INVALID',
      `${wish.source} cannot be asked: set CERTRELAY_SIGN to the ARN of the sign function`,
    )
  const passphrase = newPassphrase(ports, layout)
  try {
    const anchors = await anchorsOf(ports, { ...EMPTY, arn: wish.source, trust: wish.trust })
    const { privateKey, csr } = ports.demand(wish, passphrase)
    const { certificate, chain } = await notary.sign({ ...wish.own, csr })
    const about = described(wish, facts(wish.source, certificate))
    endure(about)
    return { exported: { certificate, chain, privateKey }, passphrase, anchors, certificate: about }
  } catch (error) {
    passphrase.wipe()
    throw error
  }
}

/** What is wished for, to check against: nobody has signed it yet. */
export function wanted({ source, names, keyAlgorithm, trust }: Wish): Certificate {
  return { ...EMPTY, arn: source, names, keyAlgorithm, trust }
}

const EMPTY = { status: 'pending', names: [], keyAlgorithm: '', renewing: false } as const

function described(
  { source, names, keyAlgorithm, trust }: Wish,
  { serial, notBefore, notAfter }: Facts,
): Certificate {
  const life = { notBefore: Date.parse(notBefore), notAfter: Date.parse(notAfter) }
  return { ...EMPTY, arn: source, status: 'issued', serial, names, keyAlgorithm, trust, ...life }
}

function endure({ arn, notBefore = 0, notAfter = 0 }: Certificate): void {
  if (notAfter - notBefore >= SHORTEST) return
  const hours = Math.max(0, Math.floor((notAfter - notBefore) / 360_000)) / 10
  throw new RelayError(
    'CERTIFICATE_REFUSED',
    `${arn} gives certificates of ${hours} hours, which an hourly sweep cannot renew in time: use a profile of at least ${SHORTEST / 3_600_000} hours whose CA lives longer, or a sidecar that makes its own key`,
  )
}
