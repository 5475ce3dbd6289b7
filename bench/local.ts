import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CreateKeyCommand, DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import {
  CreateSecretCommand,
  DescribeSecretCommand,
  SecretsManagerClient,
} from '@aws-sdk/client-secrets-manager'
import * as v from 'valibot'

const ROUNDS = 1_500
const WARM_UP = 300

/**
 * The local AWS's own cost: DescribeSecret and KMS Decrypt through the real SDK, and in turn the same calls against a bare
 * `node:http` server that answers a constant. Both servers are processes of their own.
 */
export async function local() {
  const ours = await server('ours')
  const bare = await server('bare')
  try {
    const here = await calls(ours.told)
    const there = await calls({ ...bare.told, constant: true })
    const mine: number[] = []
    const theirs: number[] = []
    for (let round = 0; round < ROUNDS + WARM_UP; round++) {
      for (const [index, call] of here.calls.entries()) {
        const [a, b] = [await timed(call), await timed(there.calls[index] ?? call)]
        if (round >= WARM_UP) {
          mine.push(a)
          theirs.push(b)
        }
      }
    }
    const [callP50Ms, bareP50Ms] = [quantile(mine, 0.5), quantile(theirs, 0.5)]
    return {
      startMs: round(ours.told.startMs),
      callP50Ms: round(callP50Ms),
      callP99Ms: round(quantile(mine, 0.99)),
      callsPerSecond: Math.round(1_000 / (mine.reduce((sum, ms) => sum + ms, 0) / mine.length)),
      rssMb: Math.round((await rss(ours.child)) / 1_048_576),
      bareP50Ms: round(bareP50Ms),
      bareP99Ms: round(quantile(theirs, 0.99)),
      ratio: round(callP50Ms / bareP50Ms),
      calls: mine.length,
    }
  } finally {
    for (const { child } of [ours, bare]) {
      child.kill('SIGTERM')
      if (child.exitCode === null) await once(child, 'exit')
    }
  }
}

const schema = v.object({
  url: v.string(),
  startMs: v.number(),
  accessKeyId: v.string(),
  secretAccessKey: v.string(),
  sessionToken: v.string(),
})
type Told = v.InferOutput<typeof schema> & { readonly constant?: boolean }

/** Starts bench/server.ts and reads the one line that it prints. */
async function server(kind: 'ours' | 'bare') {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'server.ts'), kind], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  for await (const line of createInterface({ input: child.stdout }))
    return { child, told: v.parse(schema, JSON.parse(line)) }
  throw new Error(`the server ${kind} ended before it was ready`)
}

async function calls({ url, accessKeyId, secretAccessKey, sessionToken, constant }: Told) {
  const settings = {
    region: 'us-east-1',
    endpoint: url,
    credentials: { accessKeyId, secretAccessKey, sessionToken },
  }
  const secrets = new SecretsManagerClient(settings)
  const kms = new KMSClient(settings)
  const context = { org: 'acme', purpose: 'bench' }
  if (constant === true) {
    return {
      calls: [
        () => secrets.send(new DescribeSecretCommand({ SecretId: 'bench/describe' })),
        () =>
          kms.send(
            new DecryptCommand({ CiphertextBlob: Buffer.alloc(150), EncryptionContext: context }),
          ),
      ],
    }
  }
  await secrets.send(new CreateSecretCommand({ Name: 'bench/describe', SecretString: 'x' }))
  const { KeyMetadata } = await kms.send(new CreateKeyCommand({}))
  const KeyId = KeyMetadata?.Arn
  const { CiphertextBlob } = await kms.send(
    new EncryptCommand({ KeyId, Plaintext: Buffer.alloc(43, 1), EncryptionContext: context }),
  )
  return {
    calls: [
      () => secrets.send(new DescribeSecretCommand({ SecretId: 'bench/describe' })),
      () => kms.send(new DecryptCommand({ KeyId, CiphertextBlob, EncryptionContext: context })),
    ],
  }
}

async function timed(call: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await call()
  return performance.now() - began
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

/** Asks the server, which knows it best: resident memory in bytes. */
async function rss(child: ChildProcess): Promise<number> {
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new TypeError('the server has pipes')
  stdin.write('rss\n')
  for await (const line of createInterface({ input: stdout })) return Number(line)
  throw new Error('the server ended')
}
