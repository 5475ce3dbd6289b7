import '../local/x509/reflect.ts'
import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import * as peculiar from '@peculiar/x509'
import { parseCertificate } from '../pki/certificate.ts'
import { isFault } from '../pki/der.ts'
import { pemBlocks } from '../pki/pem.ts'
import type { Case } from '../test/pki/limbo.ts'
import { ask, askOpenssl, buildGo, buildOurs } from '../test/pki/second.ts'

const FILE = join(import.meta.dirname, '..', '..', 'shared', 'limbo', 'limbo-dev.json')
/** How long one case may take before it counts as a hang. */
const PATIENCE_MS = 5_000

interface Outcome {
  readonly id: string
  readonly result: string
  readonly ms: number
}

/** How often ours and Go's verifier run, in turn; the run of the median counts. */
const ROUNDS = 5

/**
 * Certificate paths over the x509-limbo suite in ../shared/limbo: ours and Go's crypto/x509 (where there is Go) in one process
 * each, which is started anew for every run, so nothing is warm; PKI.js with a limit a case; `openssl verify` (a process a case);
 * and what reading one certificate costs. `seconds` of ours and of Go: to read the file, its JSON and PEM, and answer every case;
 * `wholeSeconds`: with start and end of the process.
 */
export async function paths() {
  if (!existsSync(FILE))
    throw new Error('../shared/limbo/limbo-dev.json is not there: nothing to measure')
  const cases: readonly Case[] = JSON.parse(readFileSync(FILE, 'utf8')).testcases
  const rows: Row[] = await race(cases)
  const pki = performance.now()
  rows.push(row('pkijs', cases, await pkijs(cases), performance.now() - pki))
  const ssl = performance.now()
  rows.push(row('openssl', cases, await askOpenssl(cases), performance.now() - ssl))
  return { cases: cases.length, rows, parseUs: parsing(cases) }
}

/** Ours and Go in turn, so that what else the machine does meets both. */
async function race(cases: readonly Case[]) {
  const [ours, go] = [await buildOurs(), await buildGo()]
  const runs: Record<string, Awaited<ReturnType<typeof ask>>[]> = { ours: [], go: [] }
  for (let round = 0; round < ROUNDS; round++) {
    runs['ours']?.push(await ask(ours, FILE))
    if (go !== undefined) runs['go']?.push(await ask(go, FILE))
  }
  return Object.entries(runs).flatMap(([name, list]) => {
    const middle = list.toSorted((a, b) => a.seconds - b.seconds)[ROUNDS >> 1]
    if (middle === undefined) return []
    const { seconds, whole, opinions } = middle
    return [{ ...row(name, cases, opinions, seconds * 1_000), wholeSeconds: hundredths(whole) }]
  })
}

type Row = ReturnType<typeof row> & { readonly wholeSeconds?: number }

function row(validator: string, cases: readonly Case[], outcomes: readonly Outcome[], ms: number) {
  const expected = new Map(cases.map((one) => [one.id, one.expected_result]))
  const answered = outcomes.filter(({ result }) => ['SUCCESS', 'FAILURE'].includes(result))
  const wrong = answered.filter(({ id, result }) => result !== expected.get(id))
  return {
    validator,
    right: answered.length - wrong.length,
    falseAccepts: wrong.filter(({ result }) => result === 'SUCCESS').length,
    falseRejects: wrong.filter(({ result }) => result === 'FAILURE').length,
    hangs: outcomes.filter(({ result }) => result === 'HANG').length,
    seconds: hundredths(ms / 1_000),
    slowestMs: Math.round(Math.max(...outcomes.map((one) => one.ms))),
  }
}

function hundredths(seconds: number): number {
  return Math.round(seconds * 100) / 100
}

/** PKI.js in a thread of its own, which is ended and replaced when a case takes too long. */
async function pkijs(cases: readonly Case[]): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  let worker = new Worker(new URL('./pkijs.ts', import.meta.url))
  for (const one of cases) {
    const start = performance.now()
    const result = await answerOf(worker, one)
    outcomes.push({ id: one.id, result, ms: performance.now() - start })
    if (result !== 'HANG') continue
    await worker.terminate()
    worker = new Worker(new URL('./pkijs.ts', import.meta.url))
  }
  await worker.terminate()
  return outcomes
}

function answerOf(worker: Worker, one: Case): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => done('HANG'), PATIENCE_MS)
    const heard = (result: unknown) => done(String(result))
    const done = (result: string) => {
      clearTimeout(timer)
      worker.off('message', heard).off('error', reject)
      resolve(result)
    }
    worker.once('message', heard).once('error', reject)
    worker.postMessage(one)
  })
}

/** Median microseconds to read one certificate with all its extensions. */
function parsing(cases: readonly Case[]) {
  const texts = [...new Set(cases.flatMap((one) => [one.peer_certificate, ...one.trusted_certs]))]
  const ders = texts.flatMap((text) => pemBlocks(text)?.[0]?.der ?? []).slice(0, 1_000)
  const readable = ders.filter((der) => {
    const one = parseCertificate(der)
    return !isFault(one) && !isFault(one.known()) && der.length < 4_096
  })
  const ours = (der: Buffer) => {
    const one = parseCertificate(der)
    if (!isFault(one)) one.known()
  }
  return {
    ours: median(readable, ours),
    x509Certificate: median(readable, (der) => new X509Certificate(der)),
    peculiar: median(readable, (der) => new peculiar.X509Certificate(der).extensions),
  }
}

function median(ders: readonly Buffer[], read: (der: Buffer) => unknown): number {
  const times: number[] = []
  for (let round = 0; round < 5; round++)
    for (const der of ders) {
      const start = performance.now()
      read(der)
      if (round > 0) times.push(performance.now() - start)
    }
  const sorted = times.toSorted((a, b) => a - b)
  return Math.round((sorted[Math.floor(sorted.length / 2)] ?? Number.NaN) * 10_000) / 10
}
