import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { CFSSL, CFSSLJSON, goProgram, MULTIROOTCA } from '../tool/gobuild.ts'

export const KEY = '0123456789ABCDEF0123456789ABCDEF'
export const FORMER = 'FEDCBA9876543210FEDCBA9876543210'
const SERVE = join(import.meta.dirname, '..', '..', 'cli', 'serve.ts')

/** A configuration that both servers read. */
export const CONFIG = {
  signing: {
    default: { usages: ['signing', 'key encipherment', 'server auth'], expiry: '8760h' },
    profiles: {
      client: {
        usages: ['signing', 'client auth'],
        expiry: '24h',
        auth_key: 'k',
        prev_auth_key: 'old',
      },
    },
  },
  auth_keys: { k: { type: 'standard', key: KEY }, old: { type: 'standard', key: FORMER } },
}

/** `cfssl serve` over the files of a `Bench`; `PORT` stands for the port. */
export const REAL = [
  ...['serve', '-port', 'PORT'],
  ...['-ca', 'ca.pem', '-ca-key', 'ca-key.pem', '-config', 'config.json'],
] as const

/** The real programs; `undefined` where they cannot be built. */
export async function programs() {
  const [cfssl, cfssljson, multirootca] = await Promise.all([
    goProgram(...CFSSL),
    goProgram(...CFSSLJSON),
    goProgram(...MULTIROOTCA),
  ])
  if (cfssl === undefined || cfssljson === undefined || multirootca === undefined) return undefined
  return { cfssl, cfssljson, multirootca }
}

export type Programs = NonNullable<Awaited<ReturnType<typeof programs>>>

/** A folder for files, and all that runs in it; `end` takes both away. */
export class Bench {
  readonly folder: string
  readonly #children: ChildProcess[] = []

  private constructor(folder: string) {
    this.folder = folder
  }

  static async begin(): Promise<Bench> {
    return new Bench(await mkdtemp(join(tmpdir(), 'certrelay-cfssl-')))
  }

  /** Writes a file, objects as JSON. Returns its path. */
  async put(name: string, content: unknown): Promise<string> {
    const path = join(this.folder, name)
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
    return path
  }

  read(name: string): Promise<string> {
    return readFile(join(this.folder, name), 'utf8')
  }

  /** Runs a program in the folder, with an input if it wants one. */
  run(program: string, words: readonly string[], input = ''): Promise<Ran> {
    return new Promise((resolve) => {
      const child = execFile(program, words, { cwd: this.folder }, (_, stdout, stderr) =>
        resolve({ code: child.exitCode ?? -1, stdout, stderr }),
      )
      child.stdin?.end(input)
    })
  }

  /** A root, made by the real cfssl: `NAME.pem` and `NAME-key.pem`. */
  async root(
    { cfssl, cfssljson }: Programs,
    name = 'ca',
    key: unknown = { algo: 'ecdsa', size: 256 },
  ): Promise<void> {
    const names = [{ O: 'acme', C: 'US' }]
    const demand = await this.put(`${name}.json`, {
      CN: `${name} of acme`,
      names,
      key,
      ca: { expiry: '87600h' },
    })
    const { stdout } = await this.run(cfssl, ['genkey', '-initca', demand])
    await this.run(cfssljson, ['-bare', name], stdout)
  }

  /** Our server, on a port of the system's choice. */
  ours(...words: readonly string[]): Promise<Serving> {
    return this.serving([SERVE, '--port', '0', ...words])
  }

  /** Node with the words of a command that serves. */
  async serving(words: readonly string[]): Promise<Serving> {
    const child = spawn(process.execPath, words, {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const serving = this.#watch(child)
    return { ...serving, url: await serving.said(/ on (https?:\/\/[^ ]+) with /) }
  }

  /** A real server: the program gets a free port where a word says PORT. */
  async real(program: string, ...words: readonly string[]): Promise<Serving> {
    const port = await freePort()
    const child = spawn(
      program,
      words.map((word) => word.replace('PORT', String(port))),
      { cwd: this.folder, stdio: ['ignore', 'pipe', 'pipe'] },
    )
    const serving = this.#watch(child)
    const scheme = words.some((word) => word.startsWith('-tls-cert')) ? 'https' : 'http'
    await serving.said(/(Now listening)/)
    await reachable(port)
    return { ...serving, url: `${scheme}://127.0.0.1:${port}` }
  }

  #watch(
    child: ChildProcess & {
      stdout: NonNullable<ChildProcess['stdout']>
      stderr: NonNullable<ChildProcess['stderr']>
    },
  ) {
    this.#children.push(child)
    const lines: string[] = []
    const waiting = new Set<() => void>()
    const note = (line: string) => {
      lines.push(line)
      for (const one of waiting) one()
    }
    createInterface({ input: child.stdout }).on('line', note)
    createInterface({ input: child.stderr }).on('line', note)
    const exit = once(child, 'exit')
    const said = (pattern: RegExp): Promise<string> =>
      new Promise((resolve, reject) => {
        const look = () => {
          const found = lines
            .map((line) => pattern.exec(line)?.[1])
            .find((one) => one !== undefined)
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
        void exit.then(() => reject(new Error(`the server ended: ${lines.join('\n')}`)))
      })
    return {
      lines,
      said,
      signal: (name: NodeJS.Signals) => void child.kill(name),
      stop: async (): Promise<number | null> => {
        if (child.exitCode === null) child.kill('SIGTERM')
        await exit
        return child.exitCode
      },
    }
  }

  async end(): Promise<void> {
    for (const child of this.#children)
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
    await rm(this.folder, { recursive: true, force: true })
  }
}

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Serving {
  readonly url: string
  /** All that it wrote, of both streams. */
  readonly lines: readonly string[]
  /** The first group of the first line that matches, once there is one. */
  said(pattern: RegExp): Promise<string>
  signal(name: NodeJS.Signals): void
  /** Asks it to end. Returns its exit status. */
  stop(): Promise<number | null>
}

/** A port that nobody had a moment ago: programs that cannot choose one themselves get it. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function reachable(port: number): Promise<void> {
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch((error: unknown) => error)
    const cause = answer instanceof Error ? String(answer.cause) : ''
    if (!cause.includes('ECONNREFUSED')) return
  }
}

/** A demand for a key and certificate, as cfssl reads it. */
export const DEMAND = {
  CN: 'www.example.com',
  hosts: ['www.example.com', '10.0.0.1', 'ops@example.com', 'spiffe://example.com/web'],
  key: { algo: 'ecdsa', size: 256 },
  names: [{ C: 'US', ST: 'California', L: 'San Francisco', O: 'acme', OU: 'web' }],
}
