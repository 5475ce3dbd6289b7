import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import {
  CreateSecretCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import * as v from 'valibot'
import { ensureEnvoy } from '../cli/envoy.ts'
import { bundleSidecar } from '../cli/sidecar.ts'
import { servedSerial } from '../cli/traffic.ts'
import { admin } from '../envoy/admin.ts'
import { hammer } from '../test/support/hammer.ts'
import { AWS_CLI, program } from '../test/support/python.ts'
import { encrypted, freePort, material, root, textOf } from '../test/support/sidecar.ts'
import { median, quantile } from './figures.ts'

const ROUNDS = 25
const WARM_UP = 2
const ROTATIONS = 40 // of twenty the slowest one would be the p95
const RATE = 50 // requests a second while certificates rotate
const PAUSE = 300 // milliseconds between two rotations
const STEP = 2 // milliseconds between two handshakes that look: without a pause they would take a core from Envoy
const RIVAL = join(import.meta.dirname, 'sidecar.sh')
const execute = promisify(execFile)

/**
 * `init` from the start of the process to its end, files written, against bench/sidecar.sh, in turn and both against the local
 * AWS; and rotations of a real Envoy under load, from SIGHUP to the first handshake with the new serial.
 */
export async function sidecar() {
  const folder = await mkdtemp(join(await memory(), 'certrelay-bench-'))
  const server = await local()
  try {
    const bundle = await bundleSidecar()
    const ca = await root()
    const shop = await secrets(server.told, await material(ca))
    const peer = await material(ca, { names: ['gateway.local'] })
    const identity = {
      ...{ ca: ca.certificate, cert: peer.bundle.certificate, key: peer.plainKey },
      servername: 'color.local',
    }
    const ours = { ...shop.environment, CERTRELAY_SECRET: 'bench/ours', CERTRELAY_PEER_NAMES: '*' }
    const init = () =>
      run(process.execPath, [bundle, 'init'], { ...ours, CERTRELAY_DIR: join(folder, 'ours') })
    const path = await withAws(folder)
    const rival = { ...shop.environment, SECRET: 'bench/rival', DIR: join(folder, 'rival') }
    const [mine, theirs]: [number[], number[]] = [[], []]
    for (let round = 0; round < ROUNDS + WARM_UP; round++) {
      const [a, b] = [
        await timed(init),
        await timed(() => run(RIVAL, [], { ...rival, PATH: path })),
      ]
      if (round < WARM_UP) continue
      mine.push(a)
      theirs.push(b)
    }
    const rotated = await rotations(
      bundle,
      { ...ours, CERTRELAY_DIR: join(folder, 'run') },
      identity,
      async () => shop.put(await material(ca)),
    )
    return {
      oursMsP50: median(mine),
      oursMsP95: quantile(mine, 0.95),
      rivalMsP50: median(theirs),
      ratio: Math.round((median(mine) / median(theirs)) * 1_000) / 1_000,
      rssMb: await most(bundle, { ...ours, CERTRELAY_DIR: join(folder, 'rss') }),
      bundleBytes: (await stat(bundle)).size,
      ...rotated,
    }
  } finally {
    await end(server.child)
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Starts Envoy under the sidecar and renews its certificate again and again. */
async function rotations(
  bundle: string,
  environment: Readonly<Record<string, string>>,
  identity: Readonly<Record<string, string>>,
  renew: () => Promise<string>,
) {
  const port = await freePort()
  const child = spawn(process.execPath, [bundle, 'run', '--', 'envoy', '--concurrency', '1'], {
    env: {
      ...{ ...environment, CERTRELAY_LISTEN: String(port), CERTRELAY_POLL: '0' },
      CERTRELAY_ENVOY: await ensureEnvoy((line) => void process.stderr.write(`${line}\n`)),
    },
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  try {
    const socket = admin(join(environment['CERTRELAY_DIR'] ?? '', 'admin.sock'))
    while ((await socket.state()) !== 'LIVE')
      if (child.exitCode !== null) throw new Error('the sidecar ended before Envoy was live')
    const load = hammer(port, RATE, identity)
    const took: number[] = []
    for (let count = 0; count < ROTATIONS; count++) {
      const serial = await renew()
      const began = performance.now()
      child.kill('SIGHUP')
      while ((await servedSerial('127.0.0.1', port)) !== serial) await sleep(STEP)
      took.push(performance.now() - began)
      await sleep(PAUSE)
    }
    const { requests, failed, failures } = await load.stop()
    for (const failure of failures) process.stderr.write(`failed: ${failure}\n`)
    return {
      watchRssMb: await peak(child),
      rotateMsP50: median(took),
      rotateMsP95: quantile(took, 0.95),
      failedRequests: failed,
      requests,
    }
  } finally {
    await end(child)
  }
}

const told = v.object({
  url: v.string(),
  accessKeyId: v.string(),
  secretAccessKey: v.string(),
  sessionToken: v.string(),
})
type Told = v.InferOutput<typeof told>

/** Starts bench/server.ts and reads the one line that it prints. */
async function local(): Promise<{ readonly child: ChildProcess; readonly told: Told }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'server.ts'), 'ours'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: child.stdout }))
    return { child, told: v.parse(told, JSON.parse(line)) }
  throw new Error('the local AWS ended before it was ready')
}

/** Stores the same certificate for both, in the form that each reads; `put` renews ours and returns its serial. */
async function secrets(
  { url, accessKeyId, secretAccessKey, sessionToken }: Told,
  first: Awaited<ReturnType<typeof material>>,
) {
  const credentials = { accessKeyId, secretAccessKey, sessionToken }
  const client = new SecretsManagerClient({ region: 'us-east-1', endpoint: url, credentials })
  const create = (Name: string, SecretString: string) =>
    client.send(new CreateSecretCommand({ Name, SecretString }))
  await create('bench/ours', textOf(first))
  const Passphrase = 'correct horse battery staple'
  const walkthrough = {
    Passphrase,
    GatewayCertificate: first.bundle.certificate,
    GatewayCertificateChain: first.bundle.anchors,
    GatewayPrivateKey: encrypted(first.plainKey, Buffer.from(Passphrase).toString('base64')),
  }
  await create('bench/rival', JSON.stringify(walkthrough))
  return {
    environment: {
      ...{ AWS_ENDPOINT_URL: url, AWS_REGION: 'us-east-1', AWS_DEFAULT_REGION: 'us-east-1' },
      ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
      ...{ AWS_SESSION_TOKEN: sessionToken, CERTRELAY_ALLOW_DISK: '1' },
      PATH: process.env['PATH'] ?? '',
    },
    async put(next: typeof first): Promise<string> {
      const put = new PutSecretValueCommand({ SecretId: 'bench/ours', SecretString: textOf(next) })
      await client.send(put)
      return next.bundle.facts.serial
    },
  }
}

/** A PATH on which `aws` is the CLI itself, by the interpreter that runs it: no version manager's shim in between. */
async function withAws(folder: string): Promise<string> {
  const { stdout } = await execute('python3', ['-c', 'import sys; print(sys.executable)'])
  await program(...AWS_CLI)
  const own = join(import.meta.dirname, '..', '.cache', AWS_CLI[0])
  const lines = [
    '#!/bin/sh',
    `PYTHONPATH='${own}' exec '${stdout.trim()}' '${join(own, 'bin', AWS_CLI[2])}' "$@"`,
  ]
  await writeFile(join(folder, 'aws'), `${lines.join('\n')}\n`, { mode: 0o700 })
  return `${folder}:${process.env['PATH']}`
}

/** @throws Error with what it said when it fails: a benchmark of failures would be fast */
async function run(
  file: string,
  words: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<void> {
  await execute(file, [...words], { env })
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

const TELL =
  "process.on('exit', () => process.stderr.write('\\n' + process.resourceUsage().maxRSS + ' kB'))"

/** The most resident memory that `init` has had when it ends, megabytes. */
async function most(bundle: string, env: Readonly<Record<string, string>>): Promise<number> {
  const tell = join(env['CERTRELAY_DIR'] ?? '', '..', 'tell.cjs')
  await writeFile(tell, TELL)
  const { stderr } = await execute(process.execPath, ['--require', tell, bundle, 'init'], { env })
  return Math.round(Number(/(\d+) kB$/.exec(stderr)?.[1]) / 1_024)
}

/** The most resident memory that a process has had so far, megabytes. */
async function peak({ pid }: ChildProcess): Promise<number> {
  const [, kilobytes] =
    /VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? []
  return Math.round(Number(kilobytes) / 1_024)
}

/** Both write to memory where there is some, as tmpfs in a container. */
async function memory(): Promise<string> {
  const there = await access('/dev/shm').then(
    () => true,
    () => false,
  )
  return there ? '/dev/shm' : tmpdir()
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}
