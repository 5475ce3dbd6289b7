import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { generateKeyPairSync, sign as signature } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CONFIG, freePort, REAL } from '../test/support/cfssl.ts'
import { CFSSL, goProgram } from '../test/tool/gobuild.ts'
import { custodies, ended } from './custody.ts'
import { cpu, type Figures, load, ours, type Server } from './drive.ts'
import { median } from './figures.ts'

const CONCURRENCY = [1, 8, 32] as const
const ROUNDS = 5
const SLICE = 2_000 // milliseconds
const WARM = 30_000 // certificates
const MEMORY = 100_000 // certificates
const FILES = ['--ca', 'ca.pem', '--ca-key', 'ca-key.pem', '--config', 'config.json']
const run = promisify(execFile)

/**
 * `authority serve` beside the real `cfssl serve`: the same CA, configuration, load client and body, in turn in short slices, so that
 * what else runs here costs both the same. Both write what they log to nowhere. `ratio` is the median of the rounds' own. Then ours
 * alone with keys that are in KMS, or sealed by it.
 */
export async function sign() {
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-sign-'))
  const children: ChildProcess[] = []
  try {
    const cfssl = await goProgram(...CFSSL)
    await material(folder)
    const own = await ours({ folder, children, words: FILES })
    const real = cfssl === undefined ? undefined : await theirs(cfssl, folder, children)
    await warm(folder, own)
    const rows = []
    for (const concurrency of CONCURRENCY) rows.push(await row(folder, { own, real, concurrency }))
    const memory = await grown(folder, own)
    await ended(children)
    rows.push(...(await custodies(folder, CONCURRENCY)))
    return { rows, rawSignsPerSecond: raw(), ...memory, loadAverage: round(loadavg()[0] ?? 0) }
  } finally {
    await ended(children)
    await rm(folder, { recursive: true })
  }
}

interface Pair {
  readonly own: Server
  readonly real: Server | undefined
  readonly concurrency: number
}

async function row(folder: string, { own, real, concurrency }: Pair) {
  const mine: Figures[] = []
  const other: Figures[] = []
  const used = { own: 0, real: 0 }
  for (let turn = 0; turn < ROUNDS; turn++) {
    const slice = { concurrency, slice: SLICE }
    const before = await cpu(own)
    mine.push(await load(folder, { port: own.port, ...slice }))
    used.own += (await cpu(own)) - before
    if (real === undefined) continue
    const start = await cpu(real)
    other.push(await load(folder, { port: real.port, ...slice }))
    used.real += (await cpu(real)) - start
  }
  const of = (all: readonly Figures[], name: 'perSecond' | 'p50' | 'p99') =>
    all.length === 0 ? undefined : median(all.map((one) => one[name]))
  const count = (all: readonly Figures[]) => all.reduce((sum, one) => sum + one.count, 0)
  return {
    mode: 'plain',
    concurrency,
    oursPerSecond: of(mine, 'perSecond'),
    p50: of(mine, 'p50'),
    p99: of(mine, 'p99'),
    cpuUs: Math.round(used.own / count(mine)),
    cfsslPerSecond: of(other, 'perSecond'),
    cfsslP50: of(other, 'p50'),
    cfsslP99: of(other, 'p99'),
    cfsslCpuUs: real === undefined ? undefined : Math.round(used.real / count(other)),
    ratio:
      real === undefined
        ? undefined
        : median(mine.map(({ perSecond }, at) => perSecond / (other[at]?.perSecond ?? Number.NaN))),
    failures: [...mine, ...other].reduce((sum, one) => sum + one.failures, 0),
  }
}

/** V8 compiles what runs often, on both threads: a server that has just begun is not what is measured. */
async function warm(folder: string, { port }: Server): Promise<void> {
  for (let made = 0; made < WARM; )
    made += (await load(folder, { port, concurrency: 8, slice: 5_000 })).count
}

/** Megabytes of our server over so many certificates. */
async function grown(folder: string, own: Server) {
  const rssMb = [await rss(own)]
  let made = 0
  while (made < MEMORY) {
    const { count } = await load(folder, { port: own.port, concurrency: 8, slice: 5_000 })
    if (count === 0) throw new Error('the server does not answer any more')
    made += count
    rssMb.push(await rss(own))
  }
  return { certificates: made, rssMb }
}

/** A CA's key, certificate and configuration, for both servers. */
async function material(folder: string): Promise<void> {
  const subject = '/O=acme/CN=bench'
  const made = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '30',
  ]
  await run('openssl', [...made, '-subj', subject, '-keyout', 'ca-key.pem', '-out', 'ca.pem'], {
    cwd: folder,
  })
  await writeFile(join(folder, 'config.json'), JSON.stringify(CONFIG))
}

async function theirs(cfssl: string, folder: string, children: ChildProcess[]): Promise<Server> {
  const port = await freePort()
  const words = REAL.map((word) => (word === 'PORT' ? String(port) : word))
  const child = spawn(cfssl, words, { cwd: folder, stdio: 'ignore' })
  children.push(child)
  while (!(await healthy(port)) && child.exitCode === null);
  return { port, pid: child.pid ?? 0 }
}

async function healthy(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/api/v1/cfssl/health`).then(
    ({ ok }) => ok,
    () => false,
  )
}

async function rss({ pid }: Server): Promise<number> {
  const [, kilobytes] = /VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kilobytes) / 1_024)
}

/** P-256 signatures of one thread: what no server of one thread can pass. */
function raw(): number {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const text = Buffer.alloc(400, 1)
  const began = performance.now()
  let count = 0
  for (; performance.now() - began < 1_000; count++) signature('sha256', text, privateKey)
  return count
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
