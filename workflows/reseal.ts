import { type Bundle, encodeBundle } from '../pki/bundle.ts'
import { RelayError } from '../pki/error.ts'
import { keySet } from '../pki/sealed.ts'
import type { Secret } from '../pki/secret.ts'
import { readTags, writeTags } from '../pki/tags.ts'
import { nextVersion } from '../pki/version.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import { context, open, read } from './publish.ts'

type Needs = Pick<Ports, 'vault' | 'keeper' | 'keys' | 'org' | 'log'>

/**
 * Sees that the passphrase of the current version is sealed under exactly the configured keys. A value that was sealed while
 * a region was out, or under other keys, or not at all, is opened, sealed and stored as a new version with the same
 * certificate, which becomes AWSCURRENT; nobody has to read it, so nothing is rolled out.
 *
 * @returns false when a region is out, so that it has to wait
 */
export async function reseal(ports: Needs, held: Held, version: string): Promise<boolean> {
  const { keys, log } = ports
  const secret = held.arn
  if (keys === undefined) return true
  if (readTags(held.tags)?.layout === 'walkthrough') {
    await note(ports, secret, version, keySet(keys.keys)) // there is no place for a seal in it
    return true
  }
  const bundle = read((await ports.vault.read(secret, version)).content)
  if (bundle === undefined)
    throw new RelayError('BUNDLE_INVALID', `version ${version} of secret ${secret} is no bundle`)
  const set = keySet(keys.keys)
  if (setOf(bundle) === set) {
    bundle.passphrase?.wipe()
    await note(ports, secret, version, set)
    return true
  }
  try {
    const fresh = await renewed(ports, held, version, bundle)
    log.info('resealed', { secret, version: fresh, replaces: version })
    log.count('Resealed', 1)
    return true
  } catch (error) {
    if (!(error instanceof RelayError) || error.code !== 'SERVICE_UNAVAILABLE') throw error
    log.warn('not-resealed', { secret, version, reason: error.message })
    return false
  }
}

/** @throws SERVICE_UNAVAILABLE when not all regions take part: then it is no better than what there is. */
async function renewed(ports: Needs, held: Held, version: string, bundle: Bundle): Promise<string> {
  const { keys, vault, org } = ports
  if (keys === undefined) throw new TypeError('there is nothing to seal without keys')
  const secret = held.arn
  const fresh = nextVersion(version)
  const passphrase = await open(ports, bundle, context(org, secret, version))
  try {
    const sealed = await keys.seal(passphrase, context(org, secret, fresh))
    if (sealed.copies.length < keys.keys.length)
      throw new RelayError('SERVICE_UNAVAILABLE', 'a region is out; it is tried again')
    const { passphrase: _, sealedPassphrase: __, ...rest } = bundle
    const content = encodeBundle({ ...rest, sealedPassphrase: sealed })
    const stored = await store(ports, held, fresh, content)
    await vault.move(secret, 'AWSCURRENT', version, fresh)
    if (held.versions.get(version)?.includes('DEPLOYED'))
      await vault.move(secret, 'DEPLOYED', version, fresh)
    if (stored) await note(ports, secret, fresh, keySet(keys.keys))
    return fresh
  } finally {
    passphrase.wipe()
  }
}

/** @returns false when a run that died has stored it before: the next look finds out how that one is sealed. */
async function store(
  { vault }: Needs,
  { arn }: Held,
  version: string,
  content: Secret,
): Promise<boolean> {
  try {
    await vault.put(arn, version, content, 'AWSPENDING')
    return true
  } catch (error) {
    if (!(error instanceof RelayError) || error.code !== 'VERSION_CONFLICT') throw error
    return false
  } finally {
    content.wipe()
  }
}

function setOf({ sealedPassphrase }: Bundle): string {
  return sealedPassphrase === undefined ? '' : keySet(sealedPassphrase.copies.map(({ key }) => key))
}

async function note(
  { keeper }: Needs,
  secret: string,
  version: string,
  set: string,
): Promise<void> {
  await keeper.tag(secret, writeTags({ sealed: { version, set } }))
}
