import { execFile } from 'node:child_process'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { median } from './figures.ts'

const ROUNDS = 15
const FILES = { ours: 'handler.ts', bare: 'bare.ts' } as const

/**
 * What the middleware costs a cold start: time to load the bundle and answer once, and the bundle's size, against a bare
 * handler with the same two clients.
 */
export async function cold(urls: readonly string[], event: unknown) {
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-bench-'))
  try {
    const paths = { ours: join(folder, 'ours.cjs'), bare: join(folder, 'bare.cjs') }
    for (const [name, file] of Object.entries(FILES)) {
      await build({
        entryPoints: [join(import.meta.dirname, file)],
        outfile: join(folder, `${name}.cjs`),
        ...{ bundle: true, minify: true, platform: 'node', target: 'node24', format: 'cjs' },
        ...{ mainFields: ['module', 'main'], logLevel: 'error' },
      })
    }
    const bytes = { ours: (await stat(paths.ours)).size, bare: (await stat(paths.bare)).size }
    const times: { ours: number[]; bare: number[] } = { ours: [], bare: [] }
    for (let round = 0; round <= ROUNDS; round++) {
      for (const name of ['ours', 'bare'] as const) {
        const ms = await once(paths[name], urls, event)
        if (round > 0) times[name].push(ms)
      }
    }
    const ms = { ours: median(times.ours), bare: median(times.bare) }
    return {
      coldMs: { ...ms, ratio: Math.round((ms.ours / ms.bare) * 1000) / 1000 },
      bundleBytes: { ...bytes, more: bytes.ours - bytes.bare },
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

const PROGRAM = `
const began = performance.now()
const { handler } = require(process.argv[1])
const context = { getRemainingTimeInMillis: () => 10000 }
handler(JSON.parse(process.argv[2]), context).then((size) => {
  if (size !== 11) process.exit(1)
  process.stdout.write(String(performance.now() - began))
  process.exit(0)
})`

/** Milliseconds from loading to the answer, in a process of its own. */
async function once(path: string, urls: readonly string[], event: unknown): Promise<number> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['-e', PROGRAM, path, JSON.stringify(event)],
    { env: { ...process.env, BENCH_URLS: urls.join(' ') } },
  )
  return Number(stdout)
}
