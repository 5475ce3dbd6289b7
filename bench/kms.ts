import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { buildClient, CommitmentPolicy, KMS, KmsKeyringNode } from '@aws-crypto/client-node'
import { DecryptCommand, KMSClient } from '@aws-sdk/client-kms'
import * as v from 'valibot'
import { keyhole } from '../aws/kms.ts'
import { failover } from '../middleware/failover.ts'
import { memory } from '../middleware/memory.ts'
import { time } from '../middleware/time.ts'
import type { Context } from '../pki/sealed.ts'
import { Secret } from '../pki/secret.ts'
import { cold } from './cold.ts'
import { median, quantile } from './figures.ts'
import { redraw } from './page.ts'
import { words as inWords, picture, type Row } from './picture.ts'
import { KEYS, settings } from './places.ts'

const CASES = ['healthy', 'hangs', 'refuses', '500', 'throttles', 'slow', 'recovers'] as const
type Case = (typeof CASES)[number]

/** Each trial is a warm process: it has opened once when the first region changes its mood, and then opens so often. */
const TRIALS = 6
const OPENS = 32 // of the last 28 of each trial settledP99 is told: fewer would make it the slowest one
const PAIRS = 400
const RIVAL_OPENS = 20
/** A rival that says nothing for so long is cut off. Milliseconds. */
const CUT_OFF = 5_000
const context: Context = { org: 'acme', purpose: 'passphrase', secret: 'arn:secret', version: 'v1' }
const PLAIN = 'open sesame'

/**
 * Opening a sealed value over two stand-ins for KMS, 5 and 70 ms away, while the first one has a mood: this project, the
 * bare client with one region, and the AWS Encryption SDK with a multi-region keyring. With `--page` docs/kms.md gets the new
 * picture.
 */
export async function kms(words: readonly string[]) {
  const standIn = await start()
  try {
    const value = await opener().seal(Secret.from(PLAIN), context)
    const esdk = await rival()
    const bare = bareClient(value, 0)
    const away = await floor(bareClient(value, 1))
    const rows: Row[] = []
    let healthyRatio = Number.NaN
    for (const one of CASES) {
      if (one === 'healthy') {
        const { figures, ratio } = await healthy(value, bare, esdk)
        healthyRatio = ratio
        rows.push({ case: one, ...figures })
      } else {
        const ours = await trials(standIn, one, value)
        await standIn.mood(one === 'recovers' ? 'healthy' : one)
        const theirs = { bare: await several(bare), esdk: await several(esdk) }
        rows.push({ case: one, ours, ...theirs })
      }
      await standIn.mood('healthy')
    }
    const cost = { healthyRatio, away, ...(await cold(standIn.urls, value)) }
    const drawn = `${picture(rows)}\n\n${inWords(cost)}`
    process.stderr.write(`${drawn}\n`)
    if (words.includes('--page')) await redraw('docs/kms.md', 'npm run bench -- kms', drawn)
    return { rows, ...cost }
  } finally {
    await standIn.stop()
  }
}

type Open = () => Promise<unknown>
type Value = Parameters<ReturnType<typeof opener>['open']>[0]

/** A failover with clients and a memory of its own, as a fresh process has. */
function opener() {
  const holes = KEYS.map((key, index) => {
    const { region, ...rest } = settings(index)
    return keyhole(new KMSClient({ region, ...rest }), region, key)
  })
  return failover(holes, {
    audit: (fields, attempts) => void JSON.stringify({ audit: true, ...fields, attempts }),
    warn: () => {},
    count: () => {},
    time,
    memory: memory(time.random),
    remaining: () => 10_000,
  })
}

async function healthy(value: Value, bare: Open, esdk: Open) {
  const keys = opener()
  const times: { ours: number[]; bare: number[]; esdk: number[] } = { ours: [], bare: [], esdk: [] }
  for (let round = -20; round < PAIRS; round++) {
    const ours = () => keys.open(value, context)
    const order = round % 2 === 0 ? ([ours, bare] as const) : ([bare, ours] as const)
    const [first, second] = [await timed(order[0]), await timed(order[1])]
    if (round < 0) continue
    times.ours.push(round % 2 === 0 ? first : second)
    times.bare.push(round % 2 === 0 ? second : first)
    if (round % 4 === 0) times.esdk.push(await timed(esdk))
  }
  const ratios = times.ours.map((ms, at) => ms / (times.bare[at] ?? Number.NaN))
  const figures = {
    ours: summary(times.ours, 0),
    bare: summary(times.bare, 0),
    esdk: summary(times.esdk, 0),
  }
  return { figures, ratio: quantile(ratios, 0.5) }
}

/** Ours: some fresh processes, one after the other. */
async function trials(standIn: StandIn, mood: Case, value: Value) {
  const all = Array.from({ length: TRIALS }, opener)
  await Promise.all(all.map((keys) => keys.open(value, context)))
  const run = async () => {
    const found: { readonly times: number[]; readonly failed: number }[] = []
    for (const keys of all) {
      const times: number[] = []
      let failed = 0
      for (let count = 0; count < OPENS; count++)
        times.push(await timed(() => keys.open(value, context).catch(() => failed++)))
      found.push({ times, failed })
    }
    return found
  }
  await standIn.mood(mood === 'recovers' ? 'refuses' : mood)
  let found = await run()
  if (mood === 'recovers') {
    await standIn.mood('healthy')
    await new Promise((resolve) => setTimeout(resolve, 2_500)) // the cool-down of the last one's breaker
    found = await run()
  }
  const times = found.flatMap((one) => one.times)
  const failed = found.reduce((sum, one) => sum + one.failed, 0)
  const first = found.map((one) => one.times[0] ?? Number.NaN)
  const settled = found.flatMap((one) => one.times.slice(4)) // its breaker is open by then
  return {
    ...summary(times, failed),
    firstP50: median(first),
    settledP99: quantile(settled, 0.99),
  }
}

/** A rival, four at a time; one that hangs is asked four times only, because each costs five seconds. */
async function several(open: Open) {
  const times: number[] = []
  let failed = 0
  let cutOff = 0
  const one = async () => {
    const began = performance.now()
    const end = await Promise.race([
      open().then(
        () => 'ok',
        () => 'failed',
      ),
      new Promise<string>((resolve) => setTimeout(resolve, CUT_OFF, 'cut off').unref()),
    ])
    times.push(performance.now() - began)
    if (end !== 'ok') failed++
    if (end === 'cut off') cutOff++
  }
  for (let count = 0; count < RIVAL_OPENS && cutOff === 0; count += 4)
    await Promise.all([one(), one(), one(), one()])
  return {
    ...summary(times, failed),
    ...(cutOff > 0 && { cutOffAfterMs: CUT_OFF }),
    of: times.length,
  }
}

/** What an open in the second region takes at least: nobody who has lost the first one can do better. */
async function floor(open: Open) {
  const times: number[] = []
  for (let count = -4; count < 60; count++) {
    const took = await timed(open)
    if (count >= 0) times.push(took)
  }
  const { p50, p95, p99 } = summary(times, 0)
  return { p50, p95, p99 }
}

/** The SDK's client for one region, as it comes. */
function bareClient({ copies }: Value, index: number): Open {
  const { region, endpoint, credentials } = settings(index)
  const client = new KMSClient({ region, endpoint, credentials })
  const input = {
    KeyId: KEYS[index],
    CiphertextBlob: Buffer.from(copies[index]?.blob ?? '', 'base64'),
  }
  return () => client.send(new DecryptCommand({ ...input, EncryptionContext: { ...context } }))
}

/** The AWS Encryption SDK as its documentation shows it: one keyring over both keys. */
async function rival(): Promise<Open> {
  const { encrypt, decrypt } = buildClient(CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT)
  const clients = [0, 1].map((index) => {
    const { region, endpoint, credentials } = settings(index)
    return complete(new KMS({ region, endpoint, credentials }))
  })
  const clientProvider = (region: string) => clients[region === settings(0).region ? 0 : 1] ?? false
  const [generatorKeyId = '', ...keyIds] = KEYS
  const keyring = new KmsKeyringNode({ generatorKeyId, keyIds, clientProvider })
  const encryptionContext = { ...context }
  const { result } = await encrypt(keyring, Buffer.from(PLAIN), { encryptionContext })
  return () => decrypt(keyring, result)
}

/** The SDK's own client, with members that the keyring's types want to be there. */
function complete(client: KMS) {
  return {
    async generateDataKey(input: Parameters<typeof client.generateDataKey>[0]) {
      const { CiphertextBlob, Plaintext, KeyId } = await client.generateDataKey(input)
      return {
        CiphertextBlob: there(CiphertextBlob),
        Plaintext: there(Plaintext),
        KeyId: there(KeyId),
      }
    },
    async encrypt(input: Parameters<typeof client.encrypt>[0]) {
      const { CiphertextBlob, KeyId } = await client.encrypt(input)
      return { CiphertextBlob: there(CiphertextBlob), KeyId: there(KeyId) }
    },
    async decrypt(input: Parameters<typeof client.decrypt>[0]) {
      const { Plaintext, KeyId } = await client.decrypt(input)
      return { Plaintext: there(Plaintext), KeyId: there(KeyId) }
    },
  }
}

function there<T>(value: T | undefined): T {
  if (value === undefined) throw new TypeError('the stand-in answers it')
  return value
}

async function timed(work: Open): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

function summary(times: readonly number[], failed: number) {
  const at = (share: number) => quantile(times, share)
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), failed }
}

interface StandIn {
  readonly urls: readonly string[]
  readonly mood: (word: string) => Promise<void>
  readonly stop: () => Promise<void>
}

async function start(): Promise<StandIn> {
  const child: ChildProcess = spawn(process.execPath, [join(import.meta.dirname, 'standin.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new TypeError('the stand-in has pipes')
  const lines: Interface = createInterface({ input: stdout })
  const waiting: ((line: string) => void)[] = []
  lines.on('line', (line) => waiting.shift()?.(line))
  const next = () => new Promise<string>((resolve) => void waiting.push(resolve))
  const { urls } = v.parse(v.object({ urls: v.array(v.string()) }), JSON.parse(await next()))
  process.env['BENCH_URLS'] = urls.join(' ')
  return {
    urls,
    async mood(word) {
      const answered = next()
      stdin.write(`${word}\n`)
      await answered
    },
    async stop() {
      stdin.end()
      if (child.exitCode === null) await once(child, 'exit')
    },
  }
}
