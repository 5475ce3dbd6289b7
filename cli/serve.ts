import { Worker } from 'node:worker_threads'
import type { Samples } from '../cfssl/counts.ts'
import { memoryFor } from '../cfssl/replay.ts'
import { answer, type Down, type Up } from './asking.ts'
import { configurationOf, held, stored, weakKeysOf } from './office.ts'
import { type Settings, settingsOf } from './ordered.ts'
import { type Root, roots } from './roots.ts'
import { type State, state } from './state.ts'
import type { Start } from './thread.ts'

export const SERVE_HELP = `  npx certrelay authority serve --ca FILE --ca-key FILE [--config FILE] [OPTIONS]
                                  a signing authority on CFSSL's protocol, as cfssl serve is one (docs/authority.md); audit lines
                                  go to standard output; SIGHUP reads the files anew, SIGTERM lets requests end
    --folder DIR | --secrets   instead: the authorities of certrelay authority create, in a folder or in Secrets Manager, with --org NAME
                   and, where keys are sealed, --keys ARN,…
    --roots FILE   several CAs by label, in a file of multirootca; --label names the one of requests without a label
    --address 127.0.0.1, --port 8888, --threads N, --limit OCTETS, --grace 10s
    --tls-cert FILE, --tls-key FILE, --min-tls-version 1.2, --mutual-tls-ca FILE, --mutual-tls-cn PATTERN
    --like serve|multirootca, --disable ENDPOINT,…, --compatible SWITCH,…|all
    --clock-skew 5m, --replay-window 10m, --replays N, --ca-bundle FILE, --int-bundle FILE, --state FILE, --weak-keys FILE
`

/** `certrelay authority serve`: until SIGTERM or SIGINT. @throws Error that names what is wrong and the next step */
export async function serve(words: readonly string[]): Promise<number> {
  const settings = settingsOf(words)
  const { found, labels } = await checked(settings)
  const kept = settings.state === undefined ? undefined : await state(settings.state)
  const server = new Threads(settings, found, kept)
  const stopped = untilStopped(async () => {
    server.send({
      kind: 'records',
      records: (await checked(settings)).found.map(({ record }) => record),
    })
    say('the files were read anew')
  })
  try {
    const port = await server.start()
    const scheme = settings.tls === undefined ? 'http' : 'https'
    const host = settings.address.includes(':') ? `[${settings.address}]` : settings.address
    say(`${labels.join(', ')} on ${scheme}://${host}:${port} with ${settings.threads} threads`)
    const code = await Promise.race([stopped, server.failed])
    server.send({ kind: 'stop' })
    await server.ended()
    return code
  } finally {
    await server.kill()
    await kept?.close()
  }
}

/** Reads all files, opens every key once, and says what it doubts. @throws Error */
async function checked(settings: Settings): Promise<Checked> {
  weakKeysOf(settings)
  const found = settings.records === undefined ? await roots(settings) : []
  const own = found.map(({ record }) => record)
  const { store, labels } =
    settings.records === undefined ? held(own, settings) : await stored(settings)
  const every = await Promise.all((await labels()).map((label) => store.record(label)))
  const all = every.filter(({ kind }) => kind === 'x509')
  if (all.length === 0)
    throw new Error('there is no authority: make one with certrelay authority create')
  for (const record of all) {
    for (const warning of configurationOf(record, settings).warnings)
      say(`${record.label}: ${warning}`)
    const { signer } = await store.open(record.label)
    signer.close()
  }
  return { found, labels: all.map(({ label }) => label) }
}

interface Checked {
  readonly found: readonly Root[]
  readonly labels: readonly string[]
}

/** Resolves with 0 when somebody asks to end; SIGHUP calls `again`, whose failure changes nothing. */
function untilStopped(again: () => Promise<void>): Promise<number> {
  process.on('SIGHUP', () => {
    again().catch((error: unknown) => {
      say(`${error instanceof Error ? error.message : String(error)}; the former files stay in use`)
    })
  })
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(0))
  })
}

/** Room for what lives as long as a request: it is collected less often. */
const YOUNG = { maxYoungGenerationSizeMb: 64 }

/** The threads of a server: each listens on the same port, and the kernel gives connections to them in turn. */
class Threads {
  readonly #settings: Settings
  readonly #roots: readonly Root[]
  readonly #state: State | undefined
  readonly #workers: Worker[] = []
  readonly #memory: SharedArrayBuffer
  readonly #samples = new Map<number, { readonly all: Samples[]; readonly done: () => void }>()
  readonly #broken = Promise.withResolvers<number>()
  #asked = 0

  constructor(settings: Settings, found: readonly Root[], kept: State | undefined) {
    this.#settings = settings
    this.#roots = found
    this.#state = kept
    this.#memory = memoryFor({ slots: settings.replays, window: settings.replayWindow })
  }

  /** The port. @throws Error when nobody can listen there */
  async start(): Promise<number> {
    const port = await this.#begin(this.#settings.port)
    await Promise.all(Array.from({ length: this.#settings.threads - 1 }, () => this.#begin(port)))
    return port
  }

  /** Resolves with an exit status when a thread is lost. */
  get failed(): Promise<number> {
    return this.#broken.promise
  }

  send(message: Down): void {
    for (const worker of this.#workers) worker.postMessage(message)
  }

  async ended(): Promise<void> {
    await Promise.all(
      this.#workers.map((one) =>
        one.threadId < 0 ? undefined : new Promise((resolve) => one.once('exit', resolve)),
      ),
    )
  }

  async kill(): Promise<void> {
    await Promise.all(this.#workers.map((one) => one.terminate()))
  }

  #begin(port: number): Promise<number> {
    const start: Start = {
      settings: this.#settings,
      roots: this.#roots,
      memory: this.#memory,
      port,
      shared: this.#settings.threads > 1,
    }
    const worker = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: start,
      resourceLimits: YOUNG,
    })
    this.#workers.push(worker)
    return new Promise((resolve, reject) => {
      const lost = (error: Error) => {
        say(`a thread ended: ${error.message}`)
        reject(error)
        this.#broken.resolve(1)
      }
      worker.once('error', lost)
      worker.on('message', (message: Up) => {
        if (message.kind === 'listening') resolve(message.port)
        else if (message.kind === 'failed') reject(new Error(message.message))
        else this.#take(worker, message)
      })
    })
  }

  #take(worker: Worker, message: Extract<Up, { id: number }>): void {
    if (message.kind === 'samples') {
      const waiting = this.#samples.get(message.id)
      waiting?.all.push(message.samples)
      if (waiting?.all.length === this.#workers.length) waiting.done()
    } else {
      void answer(worker, message, { state: this.#state, samples: () => this.#collect() })
    }
  }

  async #collect(): Promise<readonly Samples[]> {
    const id = ++this.#asked
    const all: Samples[] = []
    await new Promise<void>((done) => {
      this.#samples.set(id, { all, done })
      this.send({ kind: 'samples', id })
    })
    this.#samples.delete(id)
    return all
  }
}

function say(line: string): void {
  process.stderr.write(`certrelay: ${line}\n`)
}

if (process.argv[1] === import.meta.filename) process.exitCode = await serve(process.argv.slice(2))
