import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import * as v from 'valibot'
import type { Case } from './limbo.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '..', '..')
const TOOL = join(ROOT, 'test', 'tool')
const BUILT = join(ROOT, '.cache', 'tool')

/** What a validator says of a case, and why there is no path in its own words. */
export interface Opinion {
  readonly id: string
  /** `SUCCESS`, `FAILURE` or `SKIPPED`. */
  readonly result: string
  readonly why: string
  readonly ms: number
}

const answers = v.object({
  seconds: v.number(),
  results: v.array(
    v.object({
      id: v.string(),
      result: v.string(),
      why: v.optional(v.string(), ''),
      ms: v.number(),
    }),
  ),
})

/** A program, with its arguments, that answers the cases of a file: what test/tool/verify.go prints is what it prints. */
export type Program = readonly [file: string, ...words: readonly string[]]

/** Builds the Go program of test/tool; `undefined` where there is no Go. */
export async function buildGo(): Promise<Program | undefined> {
  const program = join(BUILT, 'paths')
  await mkdir(BUILT, { recursive: true })
  try {
    await run('go', ['build', '-o', program, '.'], { cwd: TOOL })
    return [program]
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Builds the same program of ours: one file, as what we deploy is one. */
export async function buildOurs(): Promise<Program> {
  const outfile = join(BUILT, 'paths.mjs')
  const entryPoints = [join(TOOL, 'verify.ts')]
  await build({ entryPoints, outfile, bundle: true, platform: 'node', format: 'esm' })
  return [process.execPath, outfile]
}

/**
 * A program over a file of cases, in one process. What V8 compiled of ours is kept from run to run, as what Go compiled is. `seconds`: as it says, to read the file and answer every case; `whole`: with the
 * start and the end of its process, as seen from here.
 */
export async function ask([program, ...words]: Program, file: string) {
  const began = performance.now()
  const env = { ...process.env, NODE_COMPILE_CACHE: join(BUILT, 'compiled') }
  const { stdout } = await run(program, [...words, file], { maxBuffer: 1 << 28, env })
  const whole = (performance.now() - began) / 1_000
  const { seconds, results } = v.parse(answers, JSON.parse(stdout))
  return { seconds, whole, opinions: results satisfies Opinion[] }
}

/** `openssl verify` over cases, a process each. */
export async function askOpenssl(cases: readonly Case[]): Promise<Opinion[]> {
  const folder = await mkdtemp(join(tmpdir(), 'certrelay-verify-'))
  try {
    const opinions: Opinion[] = []
    for (const one of cases) opinions.push(await openssl(folder, one))
    return opinions
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function openssl(folder: string, one: Case): Promise<Opinion> {
  const began = performance.now()
  const place = async (name: string, list: readonly string[]) => {
    await writeFile(join(folder, name), list.join('\n'))
    return join(folder, name)
  }
  const anchors = await place('anchors', one.trusted_certs)
  const others = await place('others', one.untrusted_intermediates)
  const leaf = await place('leaf', [one.peer_certificate])
  const at = Math.floor(
    one.validation_time ? Date.parse(one.validation_time) / 1_000 : Date.now() / 1_000,
  )
  const peer = one.expected_peer_name
  const peerName =
    peer?.kind === 'IP' ? ['-verify_ip', peer.value] : ['-verify_hostname', peer?.value ?? '']
  const words = [
    ...['verify', '-x509_strict', '-partial_chain', '-no-CAfile', '-no-CApath', '-no-CAstore'],
    ...['-attime', String(at), '-purpose', 'sslserver', '-trusted', anchors],
    ...(one.untrusted_intermediates.length > 0 ? ['-untrusted', others] : []),
    ...(peer ? peerName : []),
  ]
  const done = (result: string, why: string) => ({
    id: one.id,
    result,
    why,
    ms: performance.now() - began,
  })
  try {
    await run('openssl', [...words, leaf])
    return done('SUCCESS', '')
  } catch (error) {
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
    return done('FAILURE', /error \d+ at .*/.exec(text)?.[0] ?? text.split('\n')[0] ?? '')
  }
}
