import { parseArgs } from 'node:util'
import { untilAsked } from './ending.ts'
import { bad, hot } from './hot.ts'
import { lost, reject, rollback } from './mishaps.ts'
import { False, type Plot, unharmed, why } from './plot.ts'
import { printer, type Told } from './print.ts'
import { region } from './region.ts'
import { prepare, type Scene, scene } from './scene.ts'
import { sign } from './sign.ts'
import { PAST, STEPS } from './steps.ts'

// npm start: the product's main job, on real parts, in less than a minute.

const HELP = `npm start [-- --json | --keep]
  --json  one JSON object on standard output, the steps on standard error
  --keep  leave it running, and say how to look around`

const options = read()
const { json = false, keep = false } = options ?? {}
const print = printer(json ? process.stderr : process.stdout)
const asked = untilAsked()
let over = false
void asked.then(() => {
  over = true
})

if (options === undefined) process.exitCode = 2
else if (options.help === true) print.line(HELP)
else process.exit(await main())

function read() {
  try {
    return parseArgs({
      options: {
        json: { type: 'boolean' },
        keep: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    say(`${message(error)}\n${HELP}`)
    return undefined
  }
}

/** Resolves with the exit status once everything has ended. */
async function main(): Promise<number> {
  const props = await Promise.race([asked, prepare(say).catch((error) => say(message(error)))])
  if (typeof props === 'number') return props
  if (props === undefined) return report([], 0)
  const began = performance.now()
  const notes: string[] = []
  const stage = await scene(props, {
    clock: { start: Date.now() - PAST, flow: true },
    note: (line) => void notes.push(line),
  })
  try {
    return await Promise.race([asked, tell(stage, began, notes)])
  } finally {
    await stage.close()
  }
}

async function tell(stage: Scene, began: number, notes: readonly string[]): Promise<number> {
  print.title('certrelay: from a private CA to two Envoys, on a local AWS')
  const steps = await play({ scene: stage, outputs: {} })
  if (over) return asked
  const seconds = Math.round((performance.now() - began) / 100) / 10
  const ok = steps.every((step) => step.ok)
  if (!ok) for (const line of [...notes, ...why(stage)].slice(-10)) print.line(`      ${line}`)
  print.line(`\n  ${ok ? `all true, ${seconds} s` : 'a fact is false: see the line with ✗'}\n`)
  const status = report(steps, seconds)
  if (!keep || !ok) return status
  around(stage)
  return asked
}

/** What `--json` promises, also when it was over before it began. */
function report(steps: readonly Told[], seconds: number): number {
  const ok = steps.length > 0 && steps.every((step) => step.ok)
  if (json) process.stdout.write(`${JSON.stringify({ story: 'certrelay', ok, seconds, steps })}\n`)
  return ok ? 0 : 1
}

async function play(plot: Plot): Promise<Told[]> {
  const steps: Told[] = []
  for (const [name, step] of Object.entries({
    ...STEPS,
    region,
    reject,
    rollback,
    lost,
    hot,
    bad,
    sign,
  })) {
    const began = performance.now()
    const since = () => Math.round(performance.now() - began)
    try {
      const { facts, line } = await step(plot)
      await unharmed(plot.scene)
      const told = { name, ok: true, ms: since(), facts }
      steps.push(told)
      print.step(told, line)
    } catch (error) {
      if (over) return steps // it is being taken down around us
      const failure = error instanceof False ? error.message : `unexpected: ${message(error)}`
      const told = { name, ok: false, ms: since(), facts: {}, failure }
      print.step(told, failure)
      await plot.load?.stop()
      return [...steps, told]
    }
  }
  return steps
}

function around({ aws }: Scene): void {
  print.line('  It goes on running until Ctrl-C. In another terminal:\n')
  for (const [name, value] of Object.entries(aws.environment()))
    print.line(`    export ${name}=${value}`)
  print.line(
    '\n    aws secretsmanager list-secrets\n    aws ecs describe-services --cluster mesh --services gateway color\n',
  )
}

/** The stack of a programming mistake, the message of everything else. */
function message(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const isMistake = error instanceof TypeError && !('code' in error)
  return isMistake ? (error.stack ?? error.message) : error.message
}

function say(line: string): void {
  process.stderr.write(`certrelay: ${line}\n`)
}
