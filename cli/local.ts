import { parseArgs } from 'node:util'
import { type Local, start } from '../local/index.ts'
import { untilAsked } from './ending.ts'
import { findEnvoy } from './envoy.ts'
import { packaged } from './package.ts'
import { image, REGIONS } from './scene.ts'
import { bundleSidecar } from './sidecar.ts'

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `certrelay local`: one local AWS for a person, until Ctrl-C. Data goes to standard output, the rest to standard error. */
export async function local(words: readonly string[]): Promise<number> {
  const asked = untilAsked()
  const { values } = parseArgs({
    args: [...words],
    options: {
      port: { type: 'string' },
      region: { type: 'string', multiple: true },
      start: { type: 'string' },
      still: { type: 'boolean' },
      seed: { type: 'string' },
    },
  })
  const envoy = await findEnvoy()
  const aws = await start({
    port: number(values.port ?? '0', 'port'),
    seed: number(values.seed ?? '1', 'seed'),
    regions: values.region ?? REGIONS,
    clock: { start: moment(values.start), flow: values.still !== true },
    artifacts: await packaged(),
    images: envoy === undefined ? {} : image({ envoy, sidecar: await bundleSidecar() }),
    note: say,
  })
  const control = steer(aws)
  for (const [name, value] of Object.entries(aws.environment()))
    process.stdout.write(`export ${name}=${value}\n`)
  say(
    `the local AWS is at ${aws.url}, it is ${new Date(aws.clock.now()).toISOString()} there; Ctrl-C ends it`,
  )
  say(
    `export the lines above, then use the AWS CLI or any SDK; to move its clock: curl -d 60d ${control}`,
  )
  if (envoy === undefined)
    say(
      'no Envoy was found: tasks with the image certrelay/envoy cannot start; npm start fetches one',
    )
  await asked
  await aws.close()
  return 0
}

/** Moves the clock by the length that is posted, like `90s`, `12h` or `60d`. */
function steer(aws: Local): string {
  return aws.route('/_local/advance', async ({ method, body }) => {
    const [, count = '', unit = ''] = /^(\d{1,6})([smhd])$/.exec(body.toString('utf8').trim()) ?? []
    if (method !== 'POST' || count === '')
      return { status: 400, body: 'post a length of time like 90s, 12h or 60d\n' }
    await aws.clock.advance(Number(count) * (UNITS[unit] ?? 0))
    return { status: 200, body: `${new Date(aws.clock.now()).toISOString()}\n` }
  })
}

function number(text: string, name: string): number {
  const value = Number(text)
  if (Number.isInteger(value) && value >= 0 && value <= 2 ** 31) return value
  throw new Error(`--${name} is not a whole number: give one like --${name} 4510`)
}

function moment(text: string | undefined): number {
  if (text === undefined) return Date.now()
  const time = Date.parse(text)
  if (!Number.isNaN(time)) return time
  throw new Error('--start is not a time: give one like --start 2026-01-31T00:00:00Z')
}

function say(line: string): void {
  process.stderr.write(`certrelay: ${line}\n`)
}
