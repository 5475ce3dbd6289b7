import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { fileSystem, prepare } from '../../envoy/folder.ts'
import { current, isWhole, publish } from '../../envoy/layout.ts'
import type { Material } from '../../envoy/source.ts'
import { encodeBundle } from '../../pki/bundle.ts'
import { check } from '../../pki/check.ts'
import { Secret } from '../../pki/secret.ts'
import { material, root } from '../support/sidecar.ts'

const NAMES = ['server_cert', 'peer_ca'] as const
const WIDTH = 2
let folder = ''
let program = ''
let versions: readonly Material[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(await memory(), 'certrelay-killed-'))
  program = join(folder, 'mortal.mjs')
  const entry = join(import.meta.dirname, '../support/mortal.ts')
  const common = { bundle: true, platform: 'node', format: 'esm', logLevel: 'error' } as const
  await build({ ...common, entryPoints: [entry], outfile: program })
  const ca = await root()
  versions = await Promise.all(
    ['v1', 'v2', 'v3', 'v4'].map((version) => material(ca, { version, trustVersion: version })),
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test.each([
  ['settle', 25],
  ['undo', 29],
] as const)(
  'killed at any change of a file (%s), Envoy never sees a mixture and the next start repairs it',
  async (how, changes) => {
    const total = await whole(how)
    const lane = async (from: number) => {
      for (let at = from; at <= total; at += WIDTH) await killedAt(at, how)
    }

    await Promise.all(Array.from({ length: WIDTH }, (_, index) => lane(index + 1)))

    expect(total).toBe(changes)
  },
  60_000,
)

/** How many changes there are when nobody is killed. */
async function whole(how: string): Promise<number> {
  const dir = await laidOut(`${how}-whole`)
  const { said } = await lay(dir, 0, how)
  expect((await current(dir))?.version).toBe(how === 'settle' ? 'v3' : 'v2')
  expect(await isWhole(dir, NAMES)).toBe(true)
  return Number(said)
}

async function killedAt(at: number, how: string): Promise<void> {
  const dir = await laidOut(`${how}-${at}`)

  const { signal } = await lay(dir, at, how)
  const seen = await Promise.all(NAMES.map((name) => faultsOf(dir, name)))
  const shown = await current(dir)
  await prepare(dir, true, fileSystem)
  await publish(dir, fresh(3), NAMES)

  const where = `${how}, change ${at}`
  expect(signal, where).toBe('SIGKILL')
  expect(seen, where).toEqual([[], []])
  expect(['v2', 'v3'], where).toContain(shown?.version)
  expect(await isWhole(dir, NAMES), where).toBe(true)
  expect((await current(dir))?.version, where).toBe('v4')
  expect((await readdir(dir)).sort(), where).toEqual(['current', 'sds', 'v'])
  expect((await readdir(join(dir, 'sds'))).sort(), where).toEqual([
    'peer_ca.json',
    'server_cert.json',
  ])
  expect(await readdir(join(dir, 'v')), where).toHaveLength(2)
  await rm(dir, { recursive: true })
}

/** A folder with v2 that serves and v1 before it. */
async function laidOut(name: string): Promise<string> {
  const dir = join(folder, name)
  await prepare(dir, true, fileSystem)
  await publish(dir, fresh(0), NAMES)
  await publish(dir, fresh(1), NAMES)
  return dir
}

/** Lays out v3 in a process that dies at its nth change of a file. */
async function lay(dir: string, at: number, how: string) {
  const { version, bundle, passphrase } = fresh(2)
  const child = spawn(process.execPath, [program, dir, String(at), how], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const content = Buffer.from(encodeBundle({ ...bundle, passphrase }).reveal()).toString()
  child.stdin.end(JSON.stringify({ version, text: content }))
  const [said, [, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  return { said, signal }
}

/** What Envoy would find wrong with what an SDS file names. */
async function faultsOf(dir: string, name: string): Promise<unknown[]> {
  const file = await readFile(join(dir, 'sds', `${name}.json`), 'utf8')
  const paths = [...file.matchAll(/"filename":"([^"]+)"/g)].map(([, path = '']) => path)
  const contents = await Promise.all(paths.map((path) => readFile(path, 'utf8')))
  if (name === 'peer_ca') return contents[0]?.includes('BEGIN CERTIFICATE') ? [] : ['no anchors']
  const [certificate = '', privateKey = '', passphrase = ''] = contents
  const anchors = versions[0]?.bundle.anchors ?? ''
  const secret = Secret.from(passphrase)
  const usages = ['serverAuth'] as const
  return check(
    { certificate, chain: '', privateKey, passphrase: secret, anchors, usages },
    Date.now(),
  )
}

function fresh(index: number): Material {
  const one = versions[index]
  if (one === undefined) throw new TypeError('no such version')
  return { ...one, passphrase: Secret.of(Uint8Array.from(one.passphrase.reveal())) }
}

/** A file system in memory, as the sidecar asks for, where there is one. */
async function memory(): Promise<string> {
  const there = await access('/dev/shm').then(
    () => true,
    () => false,
  )
  return there ? '/dev/shm' : tmpdir()
}
