import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import * as v from 'valibot'
import type { Case } from './limbo.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '..', '..')
const TOOL = join(ROOT, 'test', 'tool')

/** What another validator says of a case: whether it found a path, and why not in its own words. */
export interface Opinion {
  readonly id: string
  readonly valid: boolean
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

/** Builds the Go program of test/tool; `undefined` where there is no Go. */
export async function buildGo(): Promise<string | undefined> {
  const program = join(ROOT, '.cache', 'tool', 'paths')
  await mkdir(join(ROOT, '.cache', 'tool'), { recursive: true })
  try {
    await run('go', ['build', '-o', program, '.'], { cwd: TOOL })
    return program
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

/** Go's crypto/x509 over a file of cases, in one process. */
export async function askGo(program: string, file: string) {
  const { stdout } = await run(program, [file], { maxBuffer: 1 << 28 })
  const { seconds, results } = v.parse(answers, JSON.parse(stdout))
  const opinions = results.map(({ id, result, why, ms }) => ({
    id,
    why,
    ms,
    valid: result === 'SUCCESS',
  }))
  return { seconds, opinions }
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
  const done = (valid: boolean, why: string) => ({
    id: one.id,
    valid,
    why,
    ms: performance.now() - began,
  })
  try {
    await run('openssl', [...words, leaf])
    return done(true, '')
  } catch (error) {
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : ''
    return done(false, /error \d+ at .*/.exec(text)?.[0] ?? text.split('\n')[0] ?? '')
  }
}
