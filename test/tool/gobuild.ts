import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { exclusively } from '../../cli/lock.mjs'

const CACHE = join(import.meta.dirname, '..', '..', '.cache')
const execute = promisify(execFile)

/** How long the first build may take, milliseconds: give it to the hook that calls `goProgram`. */
export const BUILDING = 600_000

/** Pinned: the programs whose behavior the tests take for the truth. */
export const NEBULA = ['github.com/slackhq/nebula/cmd/nebula', 'v1.11.1'] as const
export const NEBULA_CERT = ['github.com/slackhq/nebula/cmd/nebula-cert', 'v1.11.1'] as const
export const CFSSL = ['github.com/cloudflare/cfssl/cmd/cfssl', 'v1.6.5'] as const
export const CFSSLJSON = ['github.com/cloudflare/cfssl/cmd/cfssljson', 'v1.6.5'] as const
export const MULTIROOTCA = ['github.com/cloudflare/cfssl/cmd/multirootca', 'v1.6.5'] as const

/**
 * Path of a Go program, built once from the Go module proxy into `.cache/go/NAME@VERSION` and reused. Processes that ask
 * at the same time wait for one of them, and half a build is never seen. `undefined` where it cannot be built, which is
 * said on standard error: the caller then skips.
 *
 * @throws Error in CI (variable `CI`) when it cannot be built
 */
export async function goProgram(path: string, version: string): Promise<string | undefined> {
  const folder = join(CACHE, 'go', `${basename(path)}@${version}`)
  const binary = join(folder, basename(path))
  await mkdir(join(CACHE, 'go'), { recursive: true })
  const failure = await exclusively(`${folder}.lock`, async () =>
    (await exists(binary)) ? undefined : build(`${path}@${version}`, folder),
  )
  if (failure === undefined) return binary
  const message = `${path}@${version} cannot be built; install Go 1.26 or later and let it reach its module proxy`
  if (process.env['CI']) throw new Error(message, { cause: failure })
  process.stderr.write(`SKIPPED: ${message}: ${failure.message.split('\n')[0]}\n`)
  return undefined
}

/** Into a temporary folder, then renamed. Returns what went wrong: no Go, or no network. */
async function build(target: string, folder: string): Promise<Error | undefined> {
  const work = await mkdtemp(`${folder}-`)
  try {
    await execute('go', ['install', target], { env: { ...process.env, GOBIN: work } })
    await rename(work, folder)
    return undefined
  } catch (error) {
    await rm(work, { recursive: true, force: true })
    return error instanceof Error ? error : new Error(String(error))
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
