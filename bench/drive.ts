import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import * as v from 'valibot'
import { KEY } from '../test/support/cfssl.ts'

const HERE = import.meta.dirname
const run = promisify(execFile)

/** A server that is measured. */
export interface Server {
  readonly port: number
  readonly pid: number
}

const figures = v.object({
  count: v.number(),
  failures: v.number(),
  perSecond: v.number(),
  p50: v.number(),
  p99: v.number(),
})
export type Figures = v.InferOutput<typeof figures>

interface Load {
  readonly port: number
  readonly concurrency: number
  /** Milliseconds. */
  readonly slice: number
}

/** Runs the load client for a slice of time. */
export async function load(folder: string, { port, concurrency, slice }: Load): Promise<Figures> {
  const most = Math.ceil(slice * 12) // bodies: more than anybody signs
  const words = [port, concurrency, slice, most, KEY].map(String)
  const { stdout } = await run(process.execPath, [join(HERE, 'load.ts'), ...words], { cwd: folder })
  return v.parse(figures, JSON.parse(stdout))
}

/** Microseconds of both cores that a server has used. */
export async function cpu({ pid }: Server): Promise<number> {
  const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10_000
}

/** How `authority serve` is started. */
export interface Start {
  readonly folder: string
  readonly children: ChildProcess[]
  readonly words: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Takes each line of its standard output; absent: they go nowhere. */
  readonly hear?: (line: string) => void
}

/** Our server, once it is ready. */
export function ours({ folder, children, words, environment = {}, hear }: Start): Promise<Server> {
  const script = join(HERE, '..', 'cli', 'serve.ts')
  const child = spawn(process.execPath, [script, '--port', '0', ...words], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdio: ['ignore', hear === undefined ? 'ignore' : 'pipe', 'pipe'],
  })
  children.push(child)
  if (child.stdout !== null && hear !== undefined)
    createInterface({ input: child.stdout }).on('line', hear)
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('authority serve ended before it was ready')))
    if (child.stderr !== null)
      createInterface({ input: child.stderr }).on('line', (line) => {
        const [, port] = / on http:\/\/[^ ]+:(\d+) /.exec(line) ?? []
        if (port !== undefined) resolve({ port: Number(port), pid: child.pid ?? 0 })
      })
  })
}
