import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { ensureEnvoy } from './envoy.ts'
import { packaged } from './package.ts'

// npm test: the linter, the compiler, then every test. Arguments go to vitest.

const ROOT = join(import.meta.dirname, '..')
const BIN = join(ROOT, 'node_modules', '.bin')
const REPORT = join(ROOT, '.cache', 'tests.json')
const filters = process.argv.slice(2)

await step('biome', [join(BIN, 'biome'), 'check', '.'])
await step('tsc', [join(BIN, 'tsc')])
await ensureEnvoy(say)
await packaged()
const vitest = [process.execPath, join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run']
const status = await run([
  ...vitest,
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${REPORT}`,
  ...filters,
])
await count()
process.exit(status)

async function step(name: string, command: readonly string[]): Promise<void> {
  const code = await run(command)
  if (code === 0) return
  say(`${name} found the faults above: mend them, or see "npm run check"`)
  process.exit(code)
}

function run([program = '', ...parameters]: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] })
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

/** The closing line that machines read. */
async function count(): Promise<void> {
  const schema = v.object({
    numPassedTests: v.number(),
    numFailedTests: v.number(),
    numPendingTests: v.number(),
  })
  const totals = v.parse(schema, JSON.parse(await readFile(REPORT, 'utf8')))
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = totals
  process.stdout.write(
    `\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`,
  )
}

function say(line: string): void {
  process.stderr.write(`certrelay: ${line}\n`)
}
