import type { ChildProcess, StdioOptions } from 'node:child_process'
import type { EventEmitter } from 'node:events'
import { constants } from 'node:os'
import { RelayError } from '../pki/error.ts'
import type { Admin } from './admin.ts'
import { drain } from './drain.ts'

/** An Envoy to run, and how to stop it. */
export interface Job {
  readonly command: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly admin: Admin
  /** Milliseconds that requests under way get. */
  readonly drain: number
  /** Milliseconds between SIGTERM and SIGKILL (default 4,000). */
  readonly grace?: number
  /** Emits the names of signals; in production: the process. */
  readonly signals: Pick<EventEmitter, 'on' | 'off'>
  readonly stdio: StdioOptions
  readonly say: (line: string) => void
}

/** What Envoy may see of our environment: no credentials, and nothing that names secrets. */
const ALLOWED = /^(PATH|HOME|LANG|LC_ALL|TZ|TMPDIR|LD_LIBRARY_PATH|LD_PRELOAD|CLOCK_OFFSET_FILE)$/
const GRACE = 4_000
const STOP = ['SIGTERM', 'SIGINT'] as const
/** Logs are reopened; SIGHUP is for the watch, and nothing to Envoy. */
const PASS = ['SIGUSR1'] as const

/**
 * Runs Envoy as a child until it ends; returns its exit code (128 + number for a signal). SIGTERM or SIGINT drains, then
 * stops it; a second one does not wait for the drain; if it does not obey in time, it is killed.
 *
 * @throws RelayError CONFIG_INVALID when it cannot be started.
 */
export async function supervise(job: Job): Promise<number> {
  const { spawn } = process.getBuiltinModule('node:child_process') // init needs none
  const child = spawn(job.command, job.args, {
    stdio: job.stdio,
    env: Object.fromEntries(Object.entries(job.environment).filter(([name]) => ALLOWED.test(name))),
  })
  const ended = end(child, job.command)
  const hurry = new AbortController()
  let stopping = false
  const stop = () => {
    if (stopping) hurry.abort()
    else void halt(job, child, hurry.signal)
    stopping = true
  }
  const pass = PASS.map((name) => [name, () => void child.kill(name)] as const)
  for (const name of STOP) job.signals.on(name, stop)
  for (const [name, forward] of pass) job.signals.on(name, forward)
  try {
    return await ended
  } finally {
    for (const name of STOP) job.signals.off(name, stop)
    for (const [name, forward] of pass) job.signals.off(name, forward)
  }
}

function end(child: ChildProcess, command: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      const message = `cannot start ${command}: put Envoy there, or name its path in CERTRELAY_ENVOY`
      reject(new RelayError('CONFIG_INVALID', message, { cause }))
    })
    child.once('exit', (code, signal) =>
      resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)),
    )
  })
}

async function halt(job: Job, child: ChildProcess, hurry: AbortSignal): Promise<void> {
  job.say(`stopping: requests under way get ${job.drain / 1000} s`)
  const why = await drain(job.admin, job.drain, hurry)
  if (why === 'limit') job.say('stopping now: connections are still open')
  child.kill('SIGTERM')
  const timer = setTimeout(() => {
    job.say('Envoy did not stop: killing it')
    child.kill('SIGKILL')
  }, job.grace ?? GRACE)
  child.once('exit', () => clearTimeout(timer))
}
