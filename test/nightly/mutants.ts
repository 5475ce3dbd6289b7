import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'

const ROOT = join(import.meta.dirname, '../..')
const PLACE = join(ROOT, '.cache', 'stryker')
/** Stryker and what drives vitest with it: 60 MB that nothing else needs, so they are no dependencies of the project. */
const PACKAGES = { '@stryker-mutator/core': '9.6.1', '@stryker-mutator/vitest-runner': '9.6.1' }
/** The decisions. */
const MUTATED = 'decide due fresh labels rollout tags version'
  .split(' ')
  .map((name) => `pki/${name}.ts`)
/** What must notice: tests that need no world around the decisions, so that a change takes a second. */
const TESTS = ['test/pki/{always,decide,due,fresh,rollout,tags,version}.test.ts']

const report = v.object({
  files: v.record(
    v.string(),
    v.object({
      mutants: v.array(
        v.object({
          status: v.string(),
          replacement: v.optional(v.string(), ''),
          location: v.object({ start: v.object({ line: v.number() }) }),
        }),
      ),
    }),
  ),
})

/** Changes the decisions in every small way that Stryker knows, and counts the changes that no test notices. */
export async function mutants() {
  await install()
  const config = join(PLACE, 'stryker.config.json')
  await writeFile(join(PLACE, 'vitest.config.mjs'), `export default ${JSON.stringify(VITEST)}\n`)
  await writeFile(config, JSON.stringify(CONFIG))
  const node = process.execPath
  await run(node, [join(PLACE, 'node_modules/@stryker-mutator/core/bin/stryker.js'), 'run', config])
  const { files } = v.parse(
    report,
    JSON.parse(await readFile(CONFIG.jsonReporter.fileName, 'utf8')),
  )
  const all = Object.entries(files).flatMap(([file, { mutants }]) =>
    mutants.map(({ status, replacement, location }) => ({
      status,
      what: `${file}:${location.start.line} ${replacement.replace(/\s+/g, ' ').slice(0, 80)}`,
    })),
  )
  const count = (...states: string[]) => all.filter(({ status }) => states.includes(status)).length
  const killed = count('Killed', 'Timeout')
  const survived = count('Survived', 'NoCoverage')
  const score = Math.round((1_000 * killed) / Math.max(1, killed + survived)) / 10
  const alive = all.filter(({ status }) => status === 'Survived' || status === 'NoCoverage')
  return { ok: score >= LEAST, score, killed, survived, alive: alive.map(({ what }) => what) }
}

/** Percent of the mutants that a test must notice. */
const LEAST = 85

const VITEST = { test: { include: TESTS, testTimeout: 20_000, maxWorkers: 1 } }
const CONFIG = {
  testRunner: 'vitest',
  plugins: [join(PLACE, 'node_modules/@stryker-mutator/vitest-runner/dist/src/index.js')],
  vitest: { configFile: join(PLACE, 'vitest.config.mjs'), related: false },
  mutate: MUTATED,
  coverageAnalysis: 'perTest',
  concurrency: 1,
  timeoutMS: 10_000,
  tempDirName: join(PLACE, 'tmp'),
  ignorePatterns: ['.*', 'bench', 'docs', 'envoy', 'examples'],
  tsconfigFile: 'none.json', // the sandbox needs no compiler
  disableTypeChecks: false,
  allowEmpty: false,
  reporters: ['json', 'progress-append-only'],
  jsonReporter: { fileName: join(PLACE, 'report.json') },
}

async function install(): Promise<void> {
  if (existsSync(join(PLACE, 'node_modules', '@stryker-mutator', 'vitest-runner'))) return
  await mkdir(PLACE, { recursive: true })
  const dependencies = { ...PACKAGES, vitest: await version('vitest') }
  const manifest = { private: true, dependencies }
  await writeFile(join(PLACE, 'package.json'), JSON.stringify(manifest))
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  await run('npm', ['install', ...quiet, '--prefix', PLACE])
  await mend()
}

/**
 * Stryker's runner names a test `suite test`, vitest 5 looks for `suite > test`: without this no test of a suite is run, and every
 * change that only such tests notice seems to survive.
 */
async function mend(): Promise<void> {
  const file = join(
    PLACE,
    'node_modules/@stryker-mutator/vitest-runner/dist/src/vitest-test-runner.js',
  )
  const text = await readFile(file, 'utf8')
  const mended = text.replace(
    'escapeRegExp(name))',
    "escapeRegExp(name).replaceAll(' ', '(?: > | )'))",
  )
  if (mended === text)
    throw new Error(`${file} is not as it was: see whether it still has to be mended`)
  await writeFile(file, mended)
}

/** The version that this project has of a package. */
async function version(name: string): Promise<string> {
  const text = await readFile(join(ROOT, 'node_modules', name, 'package.json'), 'utf8')
  return v.parse(v.object({ version: v.string() }), JSON.parse(text)).version
}

/** Its output goes to standard error: standard output is for the one JSON line. @throws Error with its exit status */
function run(program: string, parameters: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, parameters, { cwd: ROOT, stdio: ['ignore', 2, 2] })
    child.once('error', reject)
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${program} ended with ${code}`)),
    )
  })
}
