import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { check, run } from './check.ts'
import { ensureEnvoy } from './envoy.ts'
import { packaged } from './package.ts'

// npm test: the linter, the compiler, then every test. Arguments go to vitest.

const ROOT = join(import.meta.dirname, '..')
const REPORT = join(ROOT, '.cache', 'tests.json')

const schema = v.object({
  numPassedTests: v.number(),
  numFailedTests: v.number(),
  numPendingTests: v.number(),
  testResults: v.array(
    v.object({
      status: v.string(),
      assertionResults: v.array(v.object({ status: v.string() })),
    }),
  ),
})

process.exitCode = await main(process.argv.slice(2))

async function main(words: readonly string[]): Promise<number> {
  if ((await check()) !== 0) {
    say('mend the faults above; npm run check looks again without the tests')
    return 1
  }
  try {
    await ensureEnvoy(say)
    await packaged()
  } catch (error) {
    say(error instanceof Error ? error.message : String(error))
    return 1
  }
  await rm(REPORT, { force: true })
  const vitest = [process.execPath, join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run']
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${REPORT}`]
  const status = await run([...vitest, ...reporters, ...words])
  await count()
  return status
}

/**
 * The closing line that machines read; none when vitest ended without a report. A file that failed beside its tests, in a
 * hook or while it was loaded, counts as one failure more.
 */
async function count(): Promise<void> {
  const text = await readFile(REPORT, 'utf8').catch(() => '{}')
  const totals = v.safeParse(schema, JSON.parse(text))
  if (!totals.success) return
  const { numPassedTests: passed, numPendingTests: skipped, testResults: files } = totals.output
  const beside = files.filter(
    (file) =>
      file.status === 'failed' && file.assertionResults.every((test) => test.status !== 'failed'),
  )
  const failed = totals.output.numFailedTests + beside.length
  process.stdout.write(
    `\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`,
  )
}

function say(line: string): void {
  process.stderr.write(`certrelay: ${line}\n`)
}
