// Runs on any Node from 20.19: installs what the lock file says, then hands over to Node 24.
// usage: node cli/setup.mjs SCRIPT.ts [ARGUMENT…]
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { exclusively } from './lock.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const bin = join(root, 'node_modules', '.bin')
const stamp = join(root, '.cache', 'installed')
const parent = process.ppid
const WATCH = 500 // milliseconds between two looks at whether our parent lives
const say = (line) => process.stderr.write(`certrelay: ${line}\n`)

/** SHA-256 of the lock file: what the stamp says when all of it is installed. */
function wanted() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
}

function isDone() {
  if (!existsSync(stamp) || !existsSync(join(root, 'node_modules', 'vitest'))) return false
  return readFileSync(stamp, 'utf8').trim() === wanted()
}

/** Whoever set up first may have done it for us meanwhile. */
async function install() {
  if (isDone()) return
  say('installing what package-lock.json names (once, about a minute)')
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
  const all = ['--include=dev', '--include=optional'] // whatever NODE_ENV or the user's settings leave out
  rmSync(stamp, { force: true }) // from here on half of it may be there
  const status = await run('npm', ['ci', ...quiet, ...all], ['ignore', 2, 2]).catch((error) => {
    say(`cannot start npm: ${error.message}`)
    return 1
  })
  if (status > 128) process.exit(status) // a person pressed Ctrl-C
  if (status !== 0) {
    say(
      'npm ci failed: mend what it says above (is there a network, a disk with 1 GB left, npm on the PATH?) and run the command again',
    )
    process.exit(status)
  }
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted())
}

function runtime() {
  const own = join(bin, 'node')
  if (existsSync(own)) return own
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath
  say('this platform has no Node 24 among the packages: install Node 24 and run the command again')
  return process.exit(1)
}

/**
 * Resolves with the exit status, 128 + n after signal n, as a shell says it. Signals to us go on to the program; so does the
 * end of our parent when npm started us: SIGTERM to npm ends only the shell between npm and us.
 */
function run(program, parameters, stdio) {
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` }
  const child = spawn(program, parameters, { cwd: root, env, stdio })
  const pass = (signal) => void child.kill(signal)
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, pass)
  const orphaned = () => process.env.npm_execpath && process.ppid !== parent && pass('SIGTERM')
  const watch = setInterval(orphaned, WATCH)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]))
  }).finally(() => {
    clearInterval(watch)
    for (const signal of signals) process.off(signal, pass)
  })
}

if (!isDone()) {
  await exclusively(stamp, install, () => say('waiting for another set-up of this folder'))
}
const [script, ...rest] = process.argv.slice(2)
const node = runtime()
const status = await run(node, [join(root, script), ...rest], 'inherit').catch((error) => {
  say(`cannot start ${node}: ${error.message}`)
  return 1
})
process.exit(status)
