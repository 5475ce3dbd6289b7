import { arrange } from '../pki/arrange.ts'
import {
  type Bundle,
  encodeBundle,
  encodeWalkthrough,
  facts,
  openBundle,
  WALKTHROUGH_SOURCE,
} from '../pki/bundle.ts'
import { check, type Finding, listed, usagesOf } from '../pki/check.ts'
import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import { altName } from '../pki/san.ts'
import type { PassphraseContext } from '../pki/sealed.ts'
import type { Secret } from '../pki/secret.ts'
import { readTags, writeTags } from '../pki/tags.ts'
import { isOurs, newestVersion, versionId } from '../pki/version.ts'
import type { Certificate } from '../ports/authority.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import { anchorsOf, type Drawn, draw } from './draw.ts'

type Needs = Pick<Ports, 'authority' | 'vault' | 'keys' | 'org' | 'passphrase' | 'clock' | 'log'>

/**
 * Id of the version of a secret that holds this certificate, or would hold it.
 * @throws CERTIFICATE_PENDING until it has a serial.
 */
export function versionOf(
  { arn, serial, version }: Pick<Certificate, 'arn' | 'serial' | 'version'>,
  { versions, tags }: Held,
): string {
  if (version !== undefined) return newestVersion(version, versions.keys())
  if (serial === undefined)
    throw new RelayError(
      'CERTIFICATE_PENDING',
      `certificate ${arn} has no serial yet; look again later`,
    )
  const plain = versionId(arn, serial)
  // a rotation by Secrets Manager chooses the id itself
  const rotated = readTags(tags)?.rotated
  return newestVersion(rotated?.of === plain ? rotated.token : plain, versions.keys())
}

/** What became of an export. */
export interface Staged {
  /** Made from what was really exported, or the id that a rotation by Secrets Manager chose. */
  readonly version: string
  /** Of what was really exported, which may be newer than what was described. */
  readonly serial: string
  /** What that version holds instead, which was left alone: an older certificate of the same source, or what is not ours. */
  readonly instead?: 'older' | 'foreign'
}

/**
 * Exports a certificate under a fresh passphrase and stores it as `lay` does.
 *
 * @param token the id that a rotation by Secrets Manager waits with; any other id is made from the serial
 */
export async function stage(
  ports: Needs & Pick<Ports, 'keeper'>,
  held: Held,
  certificate: Certificate,
  token?: string,
): Promise<Staged> {
  const drawn = await draw(ports, certificate, readTags(held.tags)?.layout)
  return lay(ports, held, drawn, token)
}

/**
 * Stores what was drawn as AWSPENDING, unchecked, and wipes its passphrase. The first version of a secret becomes AWSCURRENT
 * by itself (Secrets Manager, PutSecretValue), so that one is checked before it is stored.
 *
 * @throws CHAIN_BROKEN when a first version fails the check: then nothing was stored.
 */
export async function lay(
  ports: Needs & Pick<Ports, 'keeper'>,
  held: Held,
  { exported, passphrase, anchors, certificate }: Drawn,
  token?: string,
): Promise<Staged> {
  const { keeper, log } = ports
  try {
    const layout = readTags(held.tags)?.layout
    const about = facts(certificate.arn, exported.certificate)
    const plain = versionId(certificate.arn, about.serial)
    const rotated = token !== undefined && !isOurs(token)
    const version = rotated ? token : plain
    const { arn: source } = certificate
    const line = { source, serial: about.serial, secret: held.arn, version, outcome: 'ok' }
    log.audit({ action: certificate.trust === undefined ? 'export' : 'certify', ...line })
    const { chain, dropped } = arrange(exported, anchors, ports.clock.now())
    for (const { certificate: place, why } of dropped)
      log.info('chain-dropped', { source, certificate: place, why })
    const material = { ...exported, chain, anchors }
    if (held.versions.size === 0)
      refuse(check(candidate(material, passphrase, certificate), ports.clock.now()), certificate)
    const keys = layout === undefined ? ports.keys : undefined // the walkthrough has no place for a seal
    const sealed = await keys?.seal(passphrase, context(ports.org, held.arn, version))
    const bundle: Bundle = {
      format: 1,
      ...material,
      facts: about,
      ...(sealed === undefined ? { passphrase } : { sealedPassphrase: sealed }),
    }
    const serial = await store(ports, held, version, bundle, layout)
    if (rotated && serial !== undefined) {
      const of = versionId(certificate.arn, serial)
      await keeper.tag(held.arn, writeTags({ rotated: { token, of } }))
    }
    const instead = serial === undefined ? 'foreign' : 'older'
    return { version, serial: about.serial, ...(serial !== about.serial && { instead }) }
  } finally {
    passphrase.wipe()
  }
}

/** Checks what was drawn as it would be stored. @throws CHAIN_BROKEN */
export function examine({ exported, passphrase, anchors, certificate }: Drawn, now: number): void {
  const { chain } = arrange(exported, anchors, now)
  refuse(
    check(candidate({ ...exported, chain, anchors }, passphrase, certificate), now),
    certificate,
  )
}

/**
 * The same certificate stored by somebody else a moment ago is as good: it was exported under another passphrase. Stored
 * long ago, it may have lost all its labels.
 *
 * @returns the serial that the version holds; `undefined` when it holds something that is not of this source
 */
async function store(
  ports: Pick<Ports, 'vault' | 'log'>,
  { arn: secret }: Held,
  version: string,
  bundle: Bundle,
  layout: 'walkthrough' | undefined,
): Promise<string | undefined> {
  const { vault, log } = ports
  const content = layout === undefined ? encodeBundle(bundle) : encodeWalkthrough(bundle)
  try {
    await vault.put(secret, version, content, 'AWSPENDING')
    return bundle.facts.serial
  } catch (error) {
    if (!(error instanceof RelayError) || error.code !== 'VERSION_CONFLICT') throw error
    // a run that filled what a rotation waits with may have died before it said so, and ACM may have renewed since
    if (!isOurs(version)) return holds(ports, secret, version, bundle)
    log.info('already-stored', { secret, version })
    const versions = (await vault.find(secret))?.versions ?? new Map<string, string[]>()
    if (!versions.has(version))
      await vault.move(secret, 'AWSPENDING', holder(versions, 'AWSPENDING'), version)
    return bundle.facts.serial
  } finally {
    content.wipe()
  }
}

/** The serial of the certificate of the same source that a version holds, under whatever passphrase. */
async function holds(
  { vault }: Pick<Ports, 'vault'>,
  secret: string,
  version: string,
  { facts: { source, names } }: Bundle,
): Promise<string | undefined> {
  const there = await bundleOf(vault, secret, version)
  if (there === undefined) return undefined
  // the walkthrough's layout does not say where a certificate is from
  const unnamed = there.facts.source === WALKTHROUGH_SOURCE && sameNames(there.facts.names, names)
  return there.facts.source === source || unnamed ? there.facts.serial : undefined
}

function sameNames(some: readonly string[], others: readonly string[]): boolean {
  return [...some].sort().join() === [...others].sort().join()
}

/** Checks exactly the bytes of a stored version. `after`: notAfter of what it would replace, epoch milliseconds. */
export async function verify(
  ports: Needs,
  secret: string,
  version: string,
  certificate: Certificate,
  after?: number,
): Promise<readonly Finding[]> {
  const { content } = await ports.vault.read(secret, version)
  const bundle = read(content)
  if (bundle === undefined)
    return [{ code: 'PEM_INVALID', certificate: 'leaf', rule: 'a bundle of format 1' }]
  const passphrase = await open(ports, bundle, context(ports.org, secret, version))
  try {
    const anchors = await anchorsOf(ports, certificate)
    const wanted = candidate({ ...bundle, anchors }, passphrase, certificate)
    return check({ ...wanted, ...(after !== undefined && { after }) }, ports.clock.now())
  } finally {
    passphrase.wipe()
  }
}

/** The encryption context of a bundle's passphrase. */
export function context(org: string, secret: string, version: string): PassphraseContext {
  return { org, purpose: 'passphrase', secret, version }
}

/** A stored bundle, or `undefined` when it is none; the content is wiped. */
export function read(content: Secret): Bundle | undefined {
  try {
    return openBundle(content)
  } catch (error) {
    if (error instanceof RelayError && error.remedy === 'stop') return undefined
    throw error
  } finally {
    content.wipe()
  }
}

/** A version as a bundle, without its passphrase; `undefined` when it is none. @throws what `Vault.read` throws */
export async function bundleOf(
  vault: Ports['vault'],
  secret: string,
  version: string,
): Promise<Bundle | undefined> {
  const bundle = read((await vault.read(secret, version)).content)
  bundle?.passphrase?.wipe()
  return bundle
}

/** The passphrase of a bundle. The caller wipes it. @throws CONFIG_INVALID, and what `Keys.open` throws */
export async function open(
  { keys }: Pick<Needs, 'keys'>,
  { passphrase, sealedPassphrase }: Bundle,
  about: PassphraseContext,
): Promise<Secret> {
  if (passphrase !== undefined) return passphrase
  if (sealedPassphrase === undefined) throw new TypeError('a parsed bundle has one of both')
  if (keys === undefined)
    throw new RelayError(
      'CONFIG_INVALID',
      `the passphrase of ${about.secret} is sealed: set CERTRELAY_KEYS`,
    )
  return keys.open(sealedPassphrase, about)
}

function candidate(
  material: { certificate: string; chain: string; privateKey: string; anchors: string },
  passphrase: Secret,
  { arn, names }: Certificate,
) {
  const { certificate, chain, privateKey, anchors } = material
  return {
    certificate,
    chain,
    privateKey,
    anchors,
    passphrase,
    names: names.map(altName),
    usages: usagesOf(arn, certificate),
  }
}

function refuse(findings: readonly Finding[], { arn }: Certificate): void {
  if (findings.length === 0) return
  throw new RelayError(
    'CHAIN_BROKEN',
    `certificate ${arn} fails the check before its first use: ${listed(findings)}; nothing was stored`,
  )
}
