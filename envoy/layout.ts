import { mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { RelayError } from '../pki/error.ts'
import { pemBlocks } from '../pki/pem.ts'
import type { SecretName } from './api.ts'
import { absent, create, places, replace, shred, temporaryName, text } from './folder.ts'
import { describe, isMeta, type Meta } from './meta.ts'
import { sdsFile } from './sds.ts'
import type { Identity, Material } from './source.ts'

/** A version id names a folder. */
const VERSION = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/
/** The version that serves and the one before it. */
const KEPT = 2

/** A version that is written and that nothing names yet. */
export interface Written {
  /** Path of its folder, never written to again. */
  readonly folder: string
  readonly meta: Meta
}

/**
 * Publishes one version for an Envoy that is not running yet: an immutable folder first, then the SDS files that name
 * it, each in one rename. Envoy never sees a key beside another version's passphrase.
 *
 * @throws RelayError BUNDLE_INVALID when the version id cannot name a folder.
 */
export async function publish(
  dir: string,
  material: Material,
  names: readonly SecretName[],
): Promise<Meta> {
  const written = await write(dir, material)
  await swap(dir, written, names)
  await settle(dir, written, names)
  return written.meta
}

/**
 * Writes a folder under a temporary name and renames it when whole. The passphrase is written as it is, without a newline.
 *
 * @throws RelayError BUNDLE_INVALID
 */
export async function write(dir: string, material: Material): Promise<Written> {
  const { second, trust } = material
  if (!VERSION.test(material.version)) {
    throw new RelayError('BUNDLE_INVALID', 'the version id of the secret cannot name a folder')
  }
  const { versions } = places(dir)
  const meta = describe(material, Date.now())
  const temporary = temporaryName(join(versions, meta.version))
  await mkdir(temporary, { mode: 0o700 })
  await lay(temporary, material)
  if (second) {
    await mkdir(join(temporary, 'second'), { mode: 0o700 })
    await lay(join(temporary, 'second'), second)
  }
  await create(join(temporary, 'ca.pem'), tidy(trust.anchors))
  if (trust.crl !== undefined) await create(join(temporary, 'crl.pem'), tidy(trust.crl))
  if (material.made !== undefined)
    await create(join(temporary, 'made.json'), JSON.stringify(material.made))
  await create(join(temporary, 'meta.json'), `${JSON.stringify(meta, null, 2)}\n`)
  const folder = await vacant(versions, meta.version)
  await rename(temporary, folder)
  return { folder, meta }
}

async function lay(folder: string, { bundle, passphrase }: Identity): Promise<void> {
  await create(join(folder, 'cert_chain.pem'), tidy(`${bundle.certificate}\n${bundle.chain}`))
  await create(join(folder, 'key.pem'), bundle.privateKey)
  await create(join(folder, 'passphrase'), passphrase.reveal())
}

/** Names a version in the SDS files, each in one rename. Returns what puts back what they said before. */
export async function swap(
  dir: string,
  { folder, meta }: Written,
  names: readonly SecretName[],
): Promise<() => Promise<void>> {
  const { sds } = places(dir)
  const before: (readonly [string, string | undefined])[] = []
  for (const name of names) {
    const path = join(sds, `${name}.json`)
    before.push([path, await text(path)])
    await replace(path, JSON.stringify(sdsFile(name, folder, meta)))
  }
  return async () => {
    for (const [path, content] of before) {
      if (content === undefined) await rm(path, { force: true })
      else await replace(path, content)
    }
  }
}

/** Points `current` at a version that serves, and cleans away all but that and the one before. */
export async function settle(
  dir: string,
  { folder }: Written,
  names: readonly SecretName[],
): Promise<void> {
  const { current: link } = places(dir)
  const before = await absent(() => readlink(link))
  await point(link, folder)
  await clean(dir, [basename(folder), ...(before === undefined ? [] : [basename(before)])], names)
}

/** What is laid out now; `undefined` before the first version. */
export async function current(dir: string): Promise<Meta | undefined> {
  const found = await text(join(places(dir).current, 'meta.json'))
  if (found === undefined) return undefined
  const value: unknown = JSON.parse(found)
  if (isMeta(value)) return value
  throw new RelayError('CONFIG_INVALID', `${dir} was laid out by another program`)
}

/** Whether every SDS file names the version that `current` points at: not so when a hand-over was cut short. */
export async function isWhole(dir: string, names: readonly SecretName[]): Promise<boolean> {
  const at = places(dir)
  const link = await absent(() => readlink(at.current))
  const meta = await current(dir)
  if (link === undefined || meta === undefined) return false
  const folder = join(at.versions, basename(link))
  for (const name of names) {
    const found = await text(join(at.sds, `${name}.json`))
    if (found !== JSON.stringify(sdsFile(name, folder, meta))) return false
  }
  return true
}

/**
 * Envoy does not read a folder again that it has read, so one that exists is never written to: a restart, or new
 * anchors for the same certificate, get `<version>.2` and so on.
 */
async function vacant(versions: string, version: string): Promise<string> {
  const taken = new Set(await readdir(versions))
  let name = version
  for (let count = 2; taken.has(name); count++) name = `${version}.${count}`
  return join(versions, name)
}

/** `current` is for readers other than Envoy, whose paths hold no link. */
async function point(link: string, folder: string): Promise<void> {
  const temporary = temporaryName(link)
  await symlink(join('v', basename(folder)), temporary)
  await rename(temporary, link)
}

async function clean(
  dir: string,
  keep: readonly string[],
  names: readonly SecretName[],
): Promise<void> {
  const { versions, sds } = places(dir)
  const kept = new Set(keep.slice(0, KEPT))
  for (const name of await readdir(versions)) {
    if (!kept.has(name)) await shred(join(versions, name))
  }
  const files = new Set(names.map((name) => `${name}.json`))
  for (const name of await readdir(sds)) {
    if (!files.has(name)) await rm(join(sds, name), { force: true })
  }
  for (const name of await readdir(dir)) {
    if (name.endsWith('.new')) await rm(join(dir, name), { force: true })
  }
}

function tidy(pem: string): string {
  return (pemBlocks(pem) ?? []).map((block) => block.pem).join('')
}
