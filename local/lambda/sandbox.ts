import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { World } from '../service.ts'
import { type Handed, serveRapid } from './runtime-api.ts'

/** One event for a function. */
export interface Invocation {
  /** UUID; the same for every retry of an asynchronous invocation. */
  readonly requestId: string
  /** JSON. */
  readonly payload: string
  /** ARN as the caller wrote it, with its qualifier. */
  readonly arn: string
  /** `Root=…;Parent=…;Sampled=…`. */
  readonly trace: string
}

/** What came of an invocation. `failed` is AWS's `FunctionError`. */
export interface Outcome {
  /** JSON: the answer, or `{ errorType, errorMessage, trace }`. */
  readonly payload: string
  readonly failed: boolean
  /** The last lines of its log, base64, at most 4 KB. */
  readonly tail: string
}

/** What an environment is built from. */
export interface Plan {
  readonly region: string
  /** `$LATEST` or a number. */
  readonly version: string
  readonly logGroup: string
  /** Seconds of real time. */
  readonly timeout: number
  /** MB; reported, not enforced. */
  readonly memory: number
  /** Everything but the Runtime API's address and the log stream. */
  readonly environment: Readonly<Record<string, string>>
}

/** A warm execution environment: one Node.js process that handles one invocation at a time. */
export interface Sandbox {
  readonly pid: number | undefined
  /** False once the process has ended; it then takes no more invocations. */
  alive(): boolean
  /** `undefined` when a process that had served before ended without having seen this invocation. */
  run(invocation: Invocation): Promise<Outcome | undefined>
  stop(): Promise<void>
}

const INIT_SECONDS = 30
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))

interface Running {
  readonly invocation: Invocation
  readonly lines: string[]
  handed: boolean
  readonly finish: (payload: string, failed: boolean) => void
}

/** Starts a process; its initialization runs until it first asks for an invocation. */
export async function sandbox(world: World, plan: Plan): Promise<Sandbox> {
  const id = world.random.hex(32)
  const day = new Date(world.clock.now()).toISOString().slice(0, 10).replaceAll('-', '/')
  const stream = `${day}/[${plan.version}]${id}`
  const begun = performance.now()
  let initialized: number | undefined
  let initError: string | undefined
  let running: Running | undefined
  let waiting: ((handed: Handed) => void) | undefined

  const print = (line: string) => {
    running?.lines.push(line)
    world.log(plan.region, plan.logGroup, stream, line)
  }

  const hand = () => {
    if (running === undefined || running.handed || waiting === undefined) return
    const { invocation } = running
    running.handed = true
    const deadline = world.clock.now() + plan.timeout * 1_000
    waiting({
      headers: {
        'Lambda-Runtime-Aws-Request-Id': invocation.requestId,
        'Lambda-Runtime-Deadline-Ms': String(deadline),
        'Lambda-Runtime-Invoked-Function-Arn': invocation.arn,
        'Lambda-Runtime-Trace-Id': invocation.trace,
      },
      body: invocation.payload,
    })
    waiting = undefined
    started()
  }
  let started = () => {}

  const api = await serveRapid({
    next(gone) {
      initialized ??= performance.now() - begun
      return new Promise((resolve, reject) => {
        waiting = resolve
        gone.addEventListener('abort', () => {
          if (waiting === resolve) waiting = undefined
          reject(gone.reason)
        })
        hand()
      })
    },
    answer(requestId, body, failed) {
      if (running?.invocation.requestId !== requestId) return false
      running.finish(body, failed)
      return true
    },
    initFailed(body) {
      initError = body
    },
  })

  const child = spawn(process.execPath, ['--import', here('../preload.mjs'), here('runtime.mjs')], {
    cwd: plan.environment['LAMBDA_TASK_ROOT'],
    env: {
      ...plan.environment,
      AWS_LAMBDA_LOG_STREAM_NAME: stream,
      AWS_LAMBDA_RUNTIME_API: api.address,
      CERTRELAY_LOCAL_CLOCK: world.clock.file,
    },
    stdio: 'pipe',
  })
  print(`INIT_START Runtime Version: nodejs:${process.versions.node}`)
  child.stdin.on('error', () => {}) // it ends with the process
  for (const output of [child.stdout, child.stderr]) onLine(output, print)
  const ended = end(child)
  void ended.then((how) => {
    api.close()
    if (running === undefined) return
    const { requestId } = running.invocation
    running.finish(
      initError ?? failure('Runtime.ExitError', `RequestId: ${requestId} Error: ${how}`),
      true,
    )
  })

  async function run(invocation: Invocation): Promise<Outcome | undefined> {
    const lines: string[] = []
    const cold = initialized === undefined
    const current = { invocation, lines, handed: false }
    let clocked = performance.now()
    const { requestId } = invocation
    const result = await new Promise<{ payload: string; failed: boolean }>((resolve) => {
      const expire = (seconds: number, text: string) =>
        setTimeout(() => {
          print(`${new Date(world.clock.now()).toISOString()} ${requestId} ${text}`)
          finish(failure('Sandbox.Timedout', `RequestId: ${requestId} Error: ${text}`), true)
          child.kill('SIGKILL')
        }, seconds * 1_000)
      let timer = expire(INIT_SECONDS, `Init timed out after ${INIT_SECONDS} seconds`)
      const finish = (payload: string, failed: boolean) => {
        clearTimeout(timer)
        resolve({ payload, failed })
      }
      started = () => {
        clearTimeout(timer)
        clocked = performance.now()
        timer = expire(plan.timeout, `Task timed out after ${plan.timeout.toFixed(2)} seconds`)
      }
      running = Object.assign(current, { finish })
      print(`START RequestId: ${requestId} Version: ${plan.version}`)
      if (child.exitCode !== null || child.signalCode !== null) {
        finish(initError ?? failure('Runtime.ExitError', `RequestId: ${requestId}`), true)
      }
      hand()
    })
    if (!cold && !current.handed) return undefined
    // What the function printed has left its process; this lets it arrive.
    await new Promise<void>((resolve) => setImmediate(resolve))
    print(`END RequestId: ${requestId}`)
    print(report(requestId, performance.now() - clocked, cold ? initialized : undefined))
    running = undefined
    const tail = Buffer.from(`${lines.join('\n')}\n`)
      .subarray(-4_096)
      .toString('base64')
    return { ...result, tail }
  }

  function report(requestId: string, duration: number, init: number | undefined): string {
    const parts = [
      `REPORT RequestId: ${requestId}`,
      `Duration: ${duration.toFixed(2)} ms`,
      `Billed Duration: ${Math.ceil(duration + (init ?? 0))} ms`,
      `Memory Size: ${plan.memory} MB`,
      `Max Memory Used: ${peak(child.pid) ?? plan.memory} MB`,
    ]
    return [...parts, ...(init === undefined ? [] : [`Init Duration: ${init.toFixed(2)} ms`])].join(
      '\t',
    )
  }

  return {
    pid: child.pid,
    alive: () => child.exitCode === null && child.signalCode === null && !child.killed,
    run,
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Line feeds end a line; a carriage return stands for one inside of a message. */
function onLine(output: Readable, print: (line: string) => void) {
  let rest = ''
  output.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) print(line)
  })
  output.on('end', () => {
    if (rest !== '') print(rest)
  })
}

/** Says how a process ended, in AWS's words. */
async function end(child: ChildProcess): Promise<string> {
  try {
    await once(child, 'exit')
  } catch (error) {
    return `Runtime failed to start: ${error instanceof Error ? error.message : String(error)}`
  }
  if (child.signalCode !== null) {
    return `Runtime exited with error: signal: ${SIGNALS[child.signalCode] ?? child.signalCode}`
  }
  return child.exitCode === 0
    ? 'Runtime exited without providing a reason'
    : `Runtime exited with error: exit status ${child.exitCode}`
}

/** Peak resident memory in MB, where the system tells. */
function peak(pid: number | undefined): number | undefined {
  try {
    const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return kilobytes === undefined ? undefined : Math.ceil(Number(kilobytes) / 1_024)
  } catch {
    return undefined // the process has ended, or this is not Linux
  }
}

const SIGNALS: Readonly<Record<string, string>> = {
  SIGKILL: 'killed',
  SIGTERM: 'terminated',
  SIGSEGV: 'segmentation fault',
  SIGABRT: 'aborted',
}
const failure = (errorType: string, errorMessage: string) =>
  JSON.stringify({ errorType, errorMessage })
