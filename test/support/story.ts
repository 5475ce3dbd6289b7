import { type ChildProcess, spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'

const ROOT = join(import.meta.dirname, '../..')

const schema = v.object({
  story: v.literal('certrelay'),
  ok: v.boolean(),
  seconds: v.number(),
  steps: v.array(
    v.object({
      name: v.string(),
      ok: v.boolean(),
      ms: v.number(),
      facts: v.record(v.string(), v.unknown()),
    }),
  ),
})
export type Story = v.InferOutput<typeof schema>

/** A run of `npm start -- --json`, without npm. */
export interface Run {
  readonly child: ChildProcess
  /** Resolves when the person's lines show this step as done. */
  passed(step: string): Promise<void>
  /** Exit status, the JSON object, and what a person sees. */
  readonly ended: Promise<{
    readonly status: number | null
    readonly story: Story
    readonly lines: string
  }>
}

export function play(): Run {
  const child = spawn(process.execPath, [join(ROOT, 'cli', 'story.ts'), '--json'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let json = ''
  let lines = ''
  const waiting = new Set<() => void>()
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    json += part
  })
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    lines += part
    for (const look of waiting) look()
  })
  const ended = new Promise<{ status: number | null; story: Story; lines: string }>(
    (resolve, reject) => {
      child.once('error', reject)
      child.once('close', (status) => {
        const parsed = v.safeParse(schema, parse(json))
        if (parsed.success) resolve({ status, story: parsed.output, lines })
        else reject(new Error(`the story printed no JSON object; it said:\n${lines}`))
      })
    },
  )
  return {
    child,
    ended,
    passed: (step) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!new RegExp(`✓ ${step} `).test(lines)) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        child.once('close', () => reject(new Error(`the story ended before ${step}:\n${lines}`)))
        look()
      }),
  }
}

/** Ids of the real Envoys among the descendants of a process, by /proc. */
export async function envoysOf(ancestor: number): Promise<number[]> {
  const parents = new Map<number, number>()
  const envoys: number[] = []
  for (const name of await readdir('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid)) continue
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    const [, program = '', rest = ''] = /\((.*)\) (.*)$/s.exec(stat) ?? []
    parents.set(pid, Number(rest.split(' ')[1]))
    if (program === 'envoy') envoys.push(pid)
  }
  const belongs = (pid: number): boolean => {
    const parent = parents.get(pid)
    return parent !== undefined && parent > 1 && (parent === ancestor || belongs(parent))
  }
  return envoys.filter(belongs)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
