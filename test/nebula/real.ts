import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Certificate } from '../../nebula/certificate.ts'
import { certificatePem } from '../../nebula/pem.ts'
import { goProgram, NEBULA_CERT } from '../tool/gobuild.ts'

const run = promisify(execFile)

/** The real nebula-cert, over files in a folder of its own. */
export interface Real {
  readonly folder: string
  path(name: string): string
  put(name: string, text: string | Certificate | readonly Certificate[]): Promise<string>
  /** Status and what it said. */
  cert(...words: readonly string[]): Promise<{ status: number; said: string }>
  /** Whether it takes a certificate under these CAs. */
  takes(cas: readonly Certificate[], one: Certificate): Promise<{ status: number; said: string }>
  close(): Promise<void>
}

/** `undefined` where it cannot be built, which is said. */
export async function real(): Promise<Real | undefined> {
  const binary = await goProgram(...NEBULA_CERT)
  if (binary === undefined) return undefined
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-nebula-'))
  const path = (name: string) => join(folder, name)
  const put = async (name: string, what: string | Certificate | readonly Certificate[]) => {
    const text = typeof what === 'string' ? what : [what].flat().map(certificatePem).join('')
    await writeFile(path(name), text, { mode: 0o600 })
    return path(name)
  }
  const cert = async (...words: readonly string[]) => {
    const options = { cwd: folder, env: { TZ: 'UTC', PATH: '/usr/bin' }, maxBuffer: 1 << 26 }
    const done = await run(binary, words, options).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    )
    return { status: done.code, said: `${done.stdout}${done.stderr}`.trim() }
  }
  return {
    folder,
    path,
    put,
    cert,
    takes: async (cas, one) =>
      cert('verify', '-ca', await put('pool.crt', cas), '-crt', await put('one.crt', one)),
    close: () => rm(folder, { recursive: true }),
  }
}
