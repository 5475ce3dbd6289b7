import { type ChildProcess, execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import * as v from 'valibot'
import { type Local, start } from '../local/index.ts'
import { client } from '../test/support/client.ts'
import { signingKeys } from '../test/support/founded.ts'
import { EAST, WEST } from '../test/support/regions.ts'
import { cpu, load, ours, type Server } from './drive.ts'
import { quantile } from './figures.ts'

const SLICE = 4_000 // milliseconds
const MAIN = join(import.meta.dirname, '..', 'cli', 'main.ts')
const run = promisify(execFile)

/**
 * `authority serve --secrets` with a key that KMS opens for each signature, or signs with, against a local AWS in this process.
 * `ownP50` is a certificate's time in the server without that of its KMS call, both as its audit line tells them. CFSSL keeps its
 * keys in files: it has no such rows.
 */
export async function custodies(folder: string, concurrencies: readonly number[]) {
  const rows = []
  for (const mode of ['sealed', 'kms'] as const)
    rows.push(...(await custody({ folder, mode, concurrencies })))
  return rows
}

interface Wanted {
  readonly folder: string
  readonly mode: 'sealed' | 'kms'
  readonly concurrencies: readonly number[]
}

async function custody({ folder, mode, concurrencies }: Wanted) {
  const aws = await start()
  const children: ChildProcess[] = []
  const lines: string[] = []
  try {
    const environment = await founded(aws, folder, mode)
    const words = ['--secrets', '--label', 'primary']
    const hear = (line: string) => void lines.push(line)
    const server = await ours({ folder, children, words, environment, hear })
    await load(folder, { port: server.port, concurrency: 8, slice: SLICE }) // V8 compiles what runs often
    const rows = []
    for (const concurrency of concurrencies) {
      lines.length = 0
      const figures = await measured(folder, server, concurrency)
      rows.push({ mode, concurrency, ...figures, ...shares(lines), ...NO_CFSSL })
    }
    return rows
  } finally {
    await ended(children)
    await aws.close()
  }
}

const NO_CFSSL = { cfsslPerSecond: null, cfsslP50: null, cfsslP99: null, ratio: null }

/** Makes the authority with the commands that a person uses; answers the environment of its server. */
async function founded(aws: Local, folder: string, mode: Wanted['mode']) {
  const keys = mode === 'kms' ? await signingKeys(aws, 'P-256') : await sealingKeys(aws)
  const environment = {
    ...aws.environment(aws.iam.administrator, EAST),
    CERTRELAY_ORG: 'acme',
    CERTRELAY_CA_KEYS: keys.join(','),
  }
  const words = ['--label', 'primary', '--mode', mode, '--config', 'config.json']
  await run(process.execPath, [MAIN, 'authority', 'create', ...words, '--keys', keys.join(',')], {
    cwd: folder,
    env: { ...process.env, ...environment },
  })
  return environment
}

function sealingKeys(aws: Local): Promise<readonly string[]> {
  return Promise.all(
    [EAST, WEST].map(async (region) => {
      const kms = new KMSClient(client(aws, region))
      const { KeyMetadata } = await kms.send(new CreateKeyCommand({}))
      kms.destroy()
      return KeyMetadata?.Arn ?? ''
    }),
  )
}

async function measured(folder: string, server: Server, concurrency: number) {
  const before = await cpu(server)
  const { count, failures, perSecond, p50, p99 } = await load(folder, {
    port: server.port,
    concurrency,
    slice: SLICE,
  })
  const cpuUs = Math.round(((await cpu(server)) - before) / count)
  return { certificates: count, oursPerSecond: perSecond, p50, p99, cpuUs, failures }
}

const signed = v.object({
  message: v.literal('audit'),
  action: v.literal('sign'),
  outcome: v.literal('ok'),
  ms: v.number(),
  kmsMs: v.number(),
})

/** What part of a certificate's time was KMS's, and what ours. Milliseconds. */
function shares(lines: readonly string[]) {
  const all = lines.flatMap((line) => {
    const { success, output } = v.safeParse(signed, JSON.parse(line))
    return success ? [output] : []
  })
  const own = all.map(({ ms, kmsMs }) => ms - kmsMs)
  return {
    kmsP50: quantile(
      all.map(({ kmsMs }) => kmsMs),
      0.5,
    ),
    ownP50: quantile(own, 0.5),
    ownP99: quantile(own, 0.99),
  }
}

/** Ends children that were started, and waits for them. */
export async function ended(children: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    children.map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exit = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await exit
    }),
  )
}
