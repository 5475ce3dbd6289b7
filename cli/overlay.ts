import { access, chmod, open, readFile, rename, rm } from 'node:fs/promises'
import type { Certificate } from '../nebula/certificate.ts'
import type { Curve } from '../nebula/curve.ts'
import { fileSigner } from '../nebula/file.ts'
import { isFlaw } from '../nebula/flaw.ts'
import { readCertificates, readPrivate, readPublic } from '../nebula/pem.ts'
import type { NebulaCa } from '../nebula/sign.ts'
import { rawKey } from '../nebula/spki.ts'
import { Secret } from '../pki/secret.ts'

/** A file to be written. */
export interface Written {
  readonly path: string
  readonly text: string
  /** Mode 0600 in place of 0644. */
  readonly secret?: boolean
}

/** Writes all of them or none; one that exists is overwritten only when `force` says so. @throws Error naming the file */
export async function place(files: readonly Written[], force: boolean): Promise<void> {
  const paths = files.map(({ path }) => path)
  if (new Set(paths).size < paths.length)
    throw new Error(`${paths.join(' and ')} are the same file`)
  await absent(paths, force)
  const fresh = files.map((file) => ({ ...file, next: `${file.path}.${process.pid}.new` }))
  try {
    for (const { next, text, secret = false } of fresh)
      await create(next, text, secret ? 0o600 : 0o644)
    for (const { next, path } of fresh) await rename(next, path)
  } finally {
    for (const { next } of fresh) await rm(next, { force: true })
  }
}

/** @throws Error naming the first file that exists, unless `force` says that it may */
export async function absent(paths: readonly string[], force: boolean): Promise<void> {
  for (const path of force ? [] : paths)
    if (await exists(path))
      throw new Error(`${path} exists: name another file, or overwrite it with --force`)
}

async function create(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await chmod(path, mode) // whatever the umask
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Every certificate of a file. @throws Error naming the file and what is wrong with it */
export async function certificates(path: string): Promise<readonly Certificate[]> {
  const all = readCertificates(await readFile(path, 'utf8'))
  if (isFlaw(all)) throw new Error(`${path}: ${all.what}`)
  return all
}

/** The CA of two files as nebula-cert writes them, ready to sign. @throws Error naming the file and what is wrong with it */
export async function caKey(crt: string, key: string): Promise<NebulaCa> {
  const [certificate, ...more] = await certificates(crt)
  if (certificate === undefined || more.length > 0)
    throw new Error(`${crt} holds more than one CA: name the file of the one that signs`)
  const read = readPrivate(await readFile(key, 'utf8'), 'sign')
  if (isFlaw(read)) throw new Error(`${key}: ${read.what}`)
  const signer = fileSigner(read.curve, Secret.of(read.key))
  const own = rawKey(signer.publicKey)?.key
  if (own !== undefined && Buffer.compare(own, certificate.publicKey) === 0)
    return { certificate, signer }
  signer.close()
  throw new Error(`${key} is not the key of ${crt}`)
}

/** The public key that a host made. @throws Error naming the file and what is wrong with it */
export async function hostKey(path: string, curve: Curve): Promise<Uint8Array> {
  const read = readPublic(await readFile(path, 'utf8'), 'agree')
  if (isFlaw(read)) throw new Error(`${path}: ${read.what}`)
  if (read.curve !== curve) throw new Error(`${path} is of curve ${read.curve}, the CA of ${curve}`)
  return read.key
}
