import { spawn } from 'node:child_process'
import { join } from 'node:path'

// npm run check: the linter, then the compiler. npm test begins with it.

const ROOT = join(import.meta.dirname, '..')
const BIN = join(ROOT, 'node_modules', '.bin')

if (process.argv[1] === import.meta.filename) process.exit(await check())

/** Exit status of the first of the two that finds a fault, or 0. What they find they say themselves. */
export async function check(): Promise<number> {
  return (await run([join(BIN, 'biome'), 'check', '.'])) || (await run([join(BIN, 'tsc')]))
}

/** Runs a program in the repository and shows what it says. Returns its exit status. */
export function run([program = '', ...parameters]: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}
