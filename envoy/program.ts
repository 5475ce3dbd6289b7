import type { StdioOptions } from 'node:child_process'
import type { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { RelayError } from '../pki/error.ts'
import type { Fields } from '../ports/log.ts'
import { admin } from './admin.ts'
import { begin } from './begin.ts'
import { envoyCommand } from './command.ts'
import { EXIT, Exit, explain, status } from './exit.ts'
import { type FileSystem, places, prepare } from './folder.ts'
import { examine } from './health.ts'
import { HELP } from './help.ts'
import { current } from './layout.ts'
import { handOverTo, nginxAdmin } from './nginx.ts'
import { sdsNames } from './plan.ts'
import { render } from './render.ts'
import { NAMES, type Settings, settings } from './settings.ts'
import type { Source, Versions } from './source.ts'
import { readState } from './state.ts'
import { supervise } from './supervise.ts'
import { type Watching, watch } from './watch.ts'
import { words } from './words.ts'

/** What surrounds the program; in production: the process, AWS and the machine. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly source: (settings: Settings) => Source
  readonly fileSystem: FileSystem
  /** Emits the names of signals. */
  readonly signals: Pick<EventEmitter, 'on' | 'off'>
  /** Takes data. */
  readonly print: (text: string) => void
  /** Takes one line for a person. */
  readonly say: (line: string) => void
  /** Takes one record for each use of material. */
  readonly audit: (fields: Fields) => void
  /** Tells ECS which versions this task serves. */
  readonly prove: (versions: Versions) => Promise<void>
  /** Of Envoy. */
  readonly stdio: StdioOptions
  /** Called when a watch begins; what it returns is called after each look. */
  readonly frugal?: () => () => void
}

type Command = (around: Surroundings, rest: readonly string[]) => Promise<number>

const COMMANDS: Readonly<Record<string, Command>> = {
  init,
  run,
  watch: stay,
  health,
  bootstrap: show,
}
/** After Envoy has ended, a look under way gets so many milliseconds; whenever it ends, what it leaves is mended. */
const LAST = 500

/** Runs one command; returns the exit status and never throws. */
export async function program(argv: readonly string[], around: Surroundings): Promise<number> {
  try {
    const { command: name, rest, help, environment } = words(argv, around.environment, NAMES)
    if (help) {
      around.print(HELP)
      return 0
    }
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    if (command === undefined || (rest.length > 0 && command !== run)) {
      const usage = 'use init, run [-- envoy ARGUMENTS], watch, health or bootstrap; see --help'
      throw new Exit(EXIT.usage, usage)
    }
    return await command({ ...around, environment }, rest)
  } catch (error) {
    around.say(explain(error))
    return status(error)
  }
}

async function init(around: Surroundings): Promise<number> {
  await interruptible(around.signals, () => begin(around, settings(around.environment)))
  return 0
}

async function run(around: Surroundings, rest: readonly string[]): Promise<number> {
  const { environment, signals, stdio, say } = around
  const parsed = settings(environment)
  if (parsed.target === 'nginx') {
    throw new Exit(EXIT.usage, 'run is for Envoy: let nginx run beside init and watch')
  }
  const { command, args } = envoyCommand(parsed, rest)
  const source = await interruptible(signals, () => begin(around, parsed))
  return watched(around, parsed, source, async (watching) => {
    const socket = admin(places(parsed.dir).admin)
    const { drain } = parsed
    const job = { command, args, environment, signals, stdio, say, admin: socket, drain }
    const ended = await supervise(job)
    await Promise.race([watching.end(), sleep(LAST)])
    return ended
  })
}

async function stay(around: Surroundings): Promise<number> {
  const parsed = settings(around.environment)
  const { dir, disk } = parsed
  await prepare(dir, disk, around.fileSystem)
  if ((await current(dir)) === undefined) {
    const message = `nothing is laid out in ${dir}: run certrelay-sidecar init before Envoy starts`
    throw new RelayError('CONFIG_INVALID', message)
  }
  return watched(around, parsed, around.source(parsed), async ({ over }) => {
    await over
    return 0
  })
}

/** Watches while `work` is done, until the first signal to stop. */
async function watched(
  { signals, say, audit, prove, frugal }: Surroundings,
  parsed: Settings,
  source: Source,
  work: (watching: { over: Promise<void>; end(): Promise<void> }) => Promise<number>,
): Promise<number> {
  const { dir, hot } = parsed
  const stop = new AbortController()
  const end = () => stop.abort()
  for (const name of ['SIGTERM', 'SIGINT']) signals.on(name, end)
  const receiver = { dir, names: sdsNames(parsed), ...targetOf(parsed) }
  const rest = frugal?.() ?? (() => {})
  const told = { signals, say, audit, prove: hot ? prove : async () => {}, rest }
  const over = watch({ ...receiver, ...told, settings: parsed, source }, stop.signal)
  try {
    return await work({
      over,
      end() {
        end()
        return over
      },
    })
  } finally {
    end()
    for (const name of ['SIGTERM', 'SIGINT']) signals.off(name, end)
  }
}

/** Who takes what is handed over, and how it is asked what it serves. */
function targetOf({ target, dir, pid, listen: port }: Settings): Pick<Watching, 'admin' | 'hand'> {
  if (target === 'envoy') return { admin: admin(places(dir).admin) }
  const server = { dir, pid, host: '127.0.0.1', port }
  return { admin: nginxAdmin(server), hand: (_, material) => handOverTo(server, material) }
}

async function health({ environment, print, say }: Surroundings): Promise<number> {
  const parsed = settings(environment)
  const { dir } = parsed
  const laidOut = await current(dir)
  const state = await readState(dir)
  const { ailments, remarks } = await examine(targetOf(parsed).admin, laidOut, state, Date.now())
  if (ailments.length > 0) {
    say(`unhealthy: ${[...ailments, ...remarks].join('; ')}`)
    return 1
  }
  const serving = `serving certificate ${laidOut?.serial} until ${laidOut?.notAfter}`
  print(`${[serving, ...remarks].join('; ')}\n`)
  return 0
}

async function show({ environment, print }: Surroundings): Promise<number> {
  print(await render(settings(environment), environment))
  return 0
}

/** A signal before Envoy runs ends the program at once: as PID 1 it would otherwise be ignored. */
async function interruptible<T>(
  signals: Surroundings['signals'],
  work: () => Promise<T>,
): Promise<T> {
  let stop = () => {}
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(new Exit(143, 'stopped before Envoy was started'))
  })
  signals.on('SIGTERM', stop)
  signals.on('SIGINT', stop)
  try {
    return await Promise.race([work(), stopped])
  } finally {
    signals.off('SIGTERM', stop)
    signals.off('SIGINT', stop)
  }
}
