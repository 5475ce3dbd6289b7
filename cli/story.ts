import { parseArgs } from 'node:util'
import { type Facts, printer, type Told } from './print.ts'
import { prepare, type Scene, scene } from './scene.ts'
import { BEFORE, False, type Plot, STEPS, unharmed } from './steps.ts'

// npm start: the product's main job, on real parts, in about half a minute.

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    keep: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  },
})
const { json = false, keep = false, help = false } = values
const print = printer(json ? process.stderr : process.stdout)

if (help)
  print.line(
    'npm start [-- --json | --keep]\n  --json  one JSON object on standard output, the steps on standard error\n  --keep  leave it running, and say how to look around',
  )
else process.exitCode = await main()

async function main(): Promise<number> {
  const props = await prepare((line) => process.stderr.write(`certrelay: ${line}\n`))
  const began = performance.now()
  const start = Date.now() - BEFORE
  const notes: string[] = []
  const stage = await scene(props, {
    clock: { start, flow: true },
    note: (line) => void notes.push(line),
  })
  const leave = ending(stage)
  try {
    print.title('certrelay: from a private CA to two Envoys, on a local AWS')
    const steps = await play({ scene: stage, outputs: {} })
    const ok = steps.every((step) => step.ok)
    const seconds = Math.round((performance.now() - began) / 100) / 10
    if (!ok) for (const line of notes.slice(-10)) print.line(`    ${line}`)
    print.line(`\n  ${ok ? `all true, ${seconds} s` : 'a fact is false: see the line with ✗'}\n`)
    if (json)
      process.stdout.write(`${JSON.stringify({ story: 'certrelay', ok, seconds, steps })}\n`)
    if (keep && ok) await linger(stage, leave)
    return ok ? 0 : 1
  } finally {
    await leave.close()
  }
}

async function play(plot: Plot): Promise<Told[]> {
  const steps: Told[] = []
  for (const [name, step] of Object.entries(STEPS)) {
    const began = performance.now()
    const since = () => Math.round(performance.now() - began)
    try {
      const { facts, line } = await step(plot)
      await unharmed(plot.scene)
      const told = { name, ok: true, ms: since(), facts }
      steps.push(told)
      print.step(told, line)
    } catch (error) {
      const failure =
        error instanceof False
          ? error.message
          : `unexpected: ${error instanceof Error ? error.stack : error}`
      const facts: Facts = { false: failure }
      const told = { name, ok: false, ms: since(), facts, failure }
      print.step(told, failure)
      await plot.load?.stop()
      return [...steps, told]
    }
  }
  return steps
}

/** Closes once, also when a person presses Ctrl-C: no process may stay behind. */
function ending(stage: Scene) {
  let closing: Promise<void> | undefined
  let told: (() => void) | undefined
  const asked = new Promise<void>((resolve) => {
    told = resolve
  })
  const close = () => {
    closing ??= stage.close()
    return closing
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      told?.()
      void close().then(() => process.exit(130))
    })
  }
  return { close, asked }
}

async function linger({ aws }: Scene, { asked }: { asked: Promise<void> }): Promise<void> {
  print.line('  It goes on running until Ctrl-C. In another terminal:\n')
  for (const [name, value] of Object.entries(aws.environment()))
    print.line(`    export ${name}=${value}`)
  print.line(
    '\n    aws secretsmanager list-secrets\n    aws ecs describe-services --cluster mesh --services gateway color\n',
  )
  await asked
}
