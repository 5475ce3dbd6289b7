import type { StdioOptions } from 'node:child_process'
import type { EventEmitter } from 'node:events'
import { admin } from './admin.ts'
import { bootstrap, secrets } from './bootstrap.ts'
import { EXIT, Exit, explain, status } from './exit.ts'
import { type FileSystem, places, prepare, replace } from './folder.ts'
import { ailments } from './health.ts'
import { HELP } from './help.ts'
import { current, publish } from './layout.ts'
import { patiently } from './patience.ts'
import { plan } from './plan.ts'
import { type Settings, settings } from './settings.ts'
import type { Source } from './source.ts'
import { supervise } from './supervise.ts'
import { ownAddress } from './task.ts'
import { verify } from './verify.ts'

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
  /** Of Envoy. */
  readonly stdio: StdioOptions
}

type Command = (around: Surroundings, rest: readonly string[]) => Promise<number>

const COMMANDS: Readonly<Record<string, Command>> = { init, run, health, bootstrap: show }

/** Runs one command; returns the exit status and never throws. */
export async function program(argv: readonly string[], around: Surroundings): Promise<number> {
  try {
    const { command, rest, help } = parse(argv)
    if (!help) return await command(around, rest)
    around.print(HELP)
    return 0
  } catch (error) {
    around.say(explain(error))
    return status(error)
  }
}

function parse(argv: readonly string[]) {
  const split = argv.indexOf('--')
  const own = split < 0 ? argv : argv.slice(0, split)
  const rest = split < 0 ? [] : argv.slice(split + 1)
  const name = own[0] ?? ''
  const help = own.some((word) => word === '--help' || word === '-h')
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (help) return { command: show, rest, help }
  if (command === undefined || own.length > 1 || (rest.length > 0 && command !== run)) {
    throw new Exit(
      EXIT.usage,
      'use init, run [-- envoy ARGUMENTS], health or bootstrap; see --help',
    )
  }
  return { command, rest, help }
}

async function init(around: Surroundings): Promise<number> {
  await layOut(around, settings(around.environment))
  return 0
}

async function run(around: Surroundings, rest: readonly string[]): Promise<number> {
  const { environment, signals, stdio, say } = around
  const parsed = settings(environment)
  const { command, args } = envoyCommand(parsed, rest)
  await interruptible(signals, () => layOut(around, parsed))
  const socket = admin(places(parsed.dir).admin)
  return supervise({
    command,
    args,
    environment,
    signals,
    stdio,
    say,
    admin: socket,
    drain: parsed.drain,
  })
}

async function health({ environment, print, say }: Surroundings): Promise<number> {
  const { dir } = settings(environment)
  const laidOut = await current(dir)
  const found = await ailments(admin(places(dir).admin), laidOut, Date.now())
  if (found.length === 0) {
    print(`serving certificate ${laidOut?.serial} until ${laidOut?.notAfter}\n`)
    return 0
  }
  say(`unhealthy: ${found.join('; ')}`)
  return 1
}

async function show({ environment, print }: Surroundings): Promise<number> {
  print(await render(settings(environment), environment))
  return 0
}

/** Fetches, checks and publishes; nothing is published, and Envoy not started, unless all of it is good. */
async function layOut(around: Surroundings, parsed: Settings): Promise<void> {
  const { environment, source, fileSystem, say } = around
  const { dir, disk, secret, deadline } = parsed
  await prepare(dir, disk, fileSystem)
  const from = source(parsed)
  let text: string | undefined
  const fetch = async () => {
    text ??= await render(parsed, environment)
    return from.fetch()
  }
  const material = await patiently(`secret ${secret}`, deadline, fetch, say)
  try {
    verify(material, parsed, Date.now())
    await replace(places(dir).bootstrap, text ?? '')
    const { version, serial, notAfter } = await publish(dir, material, secrets(plan(parsed, '')))
    say(
      `laid out secret ${secret} version ${version}, certificate ${serial}, valid until ${notAfter}`,
    )
  } finally {
    material.passphrase.wipe()
  }
}

async function render(parsed: Settings, environment: Surroundings['environment']): Promise<string> {
  const address = await ownAddress(environment)
  return `${JSON.stringify(bootstrap(plan(parsed, address)), null, 2)}\n`
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

const QUIET = ['-l', 'warning', '--component-log-level', 'main:error']
const OURS = ['-c', '--config-path', '--config-yaml', '--drain-time-s', '--drain-strategy']

/** Envoy's command line: the user's arguments, and ours that make it start and stop as it should. */
function envoyCommand({ envoy, dir, drain }: Settings, rest: readonly string[]) {
  const [first = 'envoy', ...given] = rest
  const taken = OURS.find((option) =>
    given.some((word) => word === option || word.startsWith(`${option}=`)),
  )
  if (taken !== undefined) {
    throw new Exit(EXIT.usage, `leave ${taken} out: certrelay-sidecar writes Envoy's configuration`)
  }
  const chatty = given.some((word) => /^(-l|--log-level)(=|$)/.test(word))
  return {
    command: first === 'envoy' ? envoy : first,
    args: [
      ...given,
      ...['-c', places(dir).bootstrap, '--disable-hot-restart'],
      ...['--drain-time-s', String(Math.ceil(drain / 1000)), '--drain-strategy', 'immediate'],
      ...(chatty ? [] : QUIET),
    ],
  }
}
