import { mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { facts } from '../pki/bundle.ts'
import { RelayError } from '../pki/error.ts'
import { pemBlocks } from '../pki/pem.ts'
import type { SdsFile, SecretName } from './api.ts'
import { absent, create, places, replace, shred, temporaryName, text } from './folder.ts'
import type { Material } from './source.ts'

/** What is laid out, for health checks and people: `meta.json`. Public. */
export interface Meta {
  /** Version id of the secret. */
  readonly version: string
  /** Version id of the trust bundle. */
  readonly trust: string
  /** Lower-case hex without leading zeros. */
  readonly serial: string
  /** ISO 8601, UTC. */
  readonly notBefore: string
  readonly notAfter: string
  /** SHA-256 of the leaf's DER, lower-case hex. */
  readonly fingerprint256: string
  readonly names: readonly string[]
}

const SECRET = 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret'
/** A version id names a folder. */
const VERSION = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/
/** The version that serves and the one before it. */
const KEPT = 2

/**
 * Publishes one version: an immutable folder first, then the SDS files that name it, each in one rename. Envoy never
 * sees a key beside another version's passphrase. The passphrase is written as it is, without a newline.
 *
 * @throws RelayError BUNDLE_INVALID when the version id cannot name a folder.
 */
export async function publish(
  dir: string,
  material: Material,
  names: readonly SecretName[],
): Promise<Meta> {
  if (!VERSION.test(material.version)) {
    throw new RelayError('BUNDLE_INVALID', 'the version id of the secret cannot name a folder')
  }
  const at = places(dir)
  const before = await absent(() => readlink(at.current))
  const meta = describe(material)
  const folder = await write(at.versions, material, meta)
  for (const name of names) {
    await replace(join(at.sds, `${name}.json`), JSON.stringify(sdsFile(name, folder, meta)))
  }
  await point(at.current, folder)
  await clean(dir, [basename(folder), before && basename(before)], names)
  return meta
}

/** What is laid out now; `undefined` before the first version. */
export async function current(dir: string): Promise<Meta | undefined> {
  const found = await text(join(places(dir).current, 'meta.json'))
  if (found === undefined) return undefined
  const value: unknown = JSON.parse(found)
  if (isMeta(value)) return value
  throw new RelayError('CONFIG_INVALID', `${dir} was laid out by another program`)
}

/** The content of one SDS file. `version_info` shows up as `sds.<name>.version_text`. */
export function sdsFile(
  name: SecretName,
  folder: string,
  { version, trust }: Pick<Meta, 'version' | 'trust'>,
): SdsFile {
  const file = (filename: string) => ({ filename: join(folder, filename) })
  const content =
    name === 'peer_ca'
      ? { validation_context: { trusted_ca: file('ca.pem') } }
      : {
          tls_certificate: {
            certificate_chain: file('cert_chain.pem'),
            private_key: file('key.pem'),
            password: file('passphrase'),
          },
        }
  return {
    version_info: name === 'peer_ca' ? trust : version,
    resources: [{ '@type': SECRET, name, ...content }],
  }
}

function describe({ version, bundle, trust }: Material): Meta {
  const { serial, notBefore, notAfter, fingerprint256, names } = facts('', bundle.certificate)
  return { version, trust: trust.version, serial, notBefore, notAfter, fingerprint256, names }
}

/** Writes a folder under a temporary name and renames it when whole; returns its path. */
async function write(versions: string, material: Material, meta: Meta): Promise<string> {
  const { bundle, passphrase, trust } = material
  const files: readonly [string, string | Uint8Array][] = [
    ['cert_chain.pem', tidy(`${bundle.certificate}\n${bundle.chain}`)],
    ['key.pem', bundle.privateKey],
    ['passphrase', passphrase.reveal()],
    ['ca.pem', tidy(trust.anchors)],
    ['meta.json', `${JSON.stringify(meta, null, 2)}\n`],
  ]
  const temporary = temporaryName(join(versions, meta.version))
  await mkdir(temporary, { mode: 0o700 })
  for (const [name, content] of files) await create(join(temporary, name), content)
  const folder = await vacant(versions, meta.version)
  await rename(temporary, folder)
  return folder
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
  keep: readonly (string | undefined)[],
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
}

function tidy(certificates: string): string {
  return (pemBlocks(certificates) ?? []).map(({ pem }) => pem).join('')
}

function isMeta(value: unknown): value is Meta {
  if (typeof value !== 'object' || value === null) return false
  const fields = ['version', 'trust', 'serial', 'notBefore', 'notAfter', 'fingerprint256']
  const entries = new Map<string, unknown>(Object.entries(value))
  return (
    fields.every((name) => typeof entries.get(name) === 'string') &&
    Array.isArray(entries.get('names'))
  )
}
