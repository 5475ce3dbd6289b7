import { randomBytes } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename, rm, stat, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { RelayError } from '../pki/error.ts'

/** Where things are inside CERTRELAY_DIR. Readers may rely on these names. */
export function places(dir: string) {
  return {
    versions: join(dir, 'v'),
    sds: join(dir, 'sds'),
    current: join(dir, 'current'),
    bootstrap: join(dir, 'bootstrap.json'),
    nginx: join(dir, 'nginx.conf'),
    admin: join(dir, 'admin.sock'),
    state: join(dir, 'state.json'),
  }
}

/** TMPFS_MAGIC and RAMFS_MAGIC of linux/magic.h. */
const MEMORY = new Set([0x0102_1994, 0x8584_58f6])

/** How to learn the type of a file system (`f_type` of statfs(2)); tests of refusal bring their own. */
export type FileSystem = (path: string) => Promise<number>

export const fileSystem: FileSystem = async (path) => (await statfs(path)).type

/**
 * Makes CERTRELAY_DIR and its folders, all 0700.
 *
 * @throws RelayError CONFIG_INVALID when it is on a disk, and that was not allowed, or belongs to somebody else.
 */
export async function prepare(dir: string, disk: boolean, type: FileSystem): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  if (!disk && !MEMORY.has(await type(dir))) {
    throw new RelayError(
      'CONFIG_INVALID',
      `${dir} is not in memory: mount a tmpfs there, or set CERTRELAY_ALLOW_DISK=1 if a disk may hold an encrypted key and its passphrase`,
    )
  }
  const { uid } = await stat(dir)
  if (process.getuid !== undefined && uid !== process.getuid()) {
    throw new RelayError(
      'CONFIG_INVALID',
      `${dir} belongs to user ${uid}: mount it with uid=${process.getuid()},mode=0700`,
    )
  }
  await chmod(dir, 0o700)
  await mkdir(places(dir).versions, { recursive: true, mode: 0o700 })
  await mkdir(places(dir).sds, { recursive: true, mode: 0o700 })
}

/** Creates a file of mode 0600 that must not exist, and waits until it is stored. */
export async function create(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Puts a file in place in one step: a reader, or Envoy's watch, sees the old content or the new. */
export async function replace(path: string, content: string): Promise<void> {
  const temporary = temporaryName(path)
  await create(temporary, content)
  await rename(temporary, path)
}

/** A name beside `path` that nobody else uses. */
export function temporaryName(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}.new`
}

/** The text of a file, `undefined` when there is none. */
export async function text(path: string): Promise<string | undefined> {
  return absent(() => readFile(path, 'utf8'))
}

/** Removes a version folder; its passphrases and encrypted keys are overwritten first. */
export async function shred(folder: string): Promise<void> {
  for (const inside of ['', 'second'])
    for (const name of ['passphrase', 'key.pem'])
      await absent(() => overwrite(join(folder, inside, name)))
  await rm(folder, { recursive: true, force: true })
}

async function overwrite(path: string): Promise<void> {
  const { size } = await stat(path)
  const file = await open(path, 'r+')
  try {
    await file.write(new Uint8Array(size), 0, size, 0)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** What `read` gives, `undefined` when the file is not there. */
export async function absent<T>(read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
