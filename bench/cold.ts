import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import * as v from 'valibot'
import { median } from './figures.ts'

const ROUNDS = 15
export const FILES = { ours: 'handler.ts', bare: 'bare.ts' } as const

/**
 * What the middleware costs a cold start: time to load the bundle and answer once, and the bundle's size, against a bare
 * handler with the same two clients.
 */
export async function cold(urls: readonly string[], event: unknown) {
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-bench-'))
  try {
    const [ours, bare] = [await bundled(FILES.ours), await bundled(FILES.bare)]
    const paths = { ours: join(folder, 'ours.cjs'), bare: join(folder, 'bare.cjs') }
    await writeFile(paths.ours, ours)
    await writeFile(paths.bare, bare)
    const starts: { ours: Start[]; bare: Start[] } = { ours: [], bare: [] }
    for (let round = 0; round <= ROUNDS; round++) {
      for (const name of ['ours', 'bare'] as const) {
        const start = await once(paths[name], urls, event)
        if (round > 0) starts[name].push(start)
      }
    }
    const compare = (what: keyof Start) => {
      const middle = (all: readonly Start[]) => median(all.map((one) => one[what]))
      const [ours, bare] = [middle(starts.ours), middle(starts.bare)]
      return { ours, bare, ratio: Math.round((ours / bare) * 1_000) / 1_000 }
    }
    return {
      coldMs: compare('ms'),
      coldCpuMs: compare('cpuMs'),
      bundleBytes: { ours: ours.length, bare: bare.length, more: ours.length - bare.length },
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** A handler as it is deployed: one file. */
export async function bundled(file: string): Promise<Uint8Array> {
  const { outputFiles } = await build({
    entryPoints: [join(import.meta.dirname, file)],
    ...{ bundle: true, minify: true, platform: 'node', target: 'node24', format: 'cjs' },
    ...{ mainFields: ['module', 'main'], logLevel: 'error', write: false },
  })
  const [only] = outputFiles
  if (only === undefined) throw new TypeError('esbuild writes one file')
  return only.contents
}

const PROGRAM = `
const [began, before] = [performance.now(), process.threadCpuUsage()]
const { handler } = require(process.argv[1])
const context = { getRemainingTimeInMillis: () => 10000 }
handler(JSON.parse(process.argv[2]), context).then((size) => {
  if (size !== 11) process.exit(1)
  const { user, system } = process.threadCpuUsage(before)
  const cpuMs = (user + system) / 1_000
  process.stdout.write(JSON.stringify({ ms: performance.now() - began, cpuMs }))
  process.exit(0)
})`

const start = v.object({ ms: v.number(), cpuMs: v.number() })
/** From loading to the answer; `cpuMs`: what the main thread computed, which a busy machine changes less. */
type Start = v.InferOutput<typeof start>

/** One start, in a process of its own. */
async function once(path: string, urls: readonly string[], event: unknown): Promise<Start> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['-e', PROGRAM, path, JSON.stringify(event)],
    { env: { ...process.env, BENCH_URLS: urls.join(' ') } },
  )
  return v.parse(start, JSON.parse(stdout))
}
