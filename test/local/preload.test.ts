import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Clock, clock } from '../../local/clock.ts'

const preload = fileURLToPath(new URL('../../local/preload.mjs', import.meta.url))
const start = Date.parse('2030-01-02T03:04:05.678Z')
let folder: string
let local: Clock

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'preload-'))
})
afterEach(async () => {
  local.close()
  await rm(folder, { recursive: true })
})

const make = (flow: boolean) => {
  local = clock({ start, flow, file: join(folder, 'clock'), report: () => {} })
}
async function run(expression: string, CERTRELAY_LOCAL_CLOCK: string | undefined = local.file) {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', preload, '-e', `console.log(JSON.stringify(${expression}))`],
    { env: { ...process.env, CERTRELAY_LOCAL_CLOCK } },
  )
  const answer: unknown = JSON.parse(stdout)
  return answer
}

test('a process sees the local time in every way of asking for it', async () => {
  make(false)
  await local.advance(1_000)

  const answer = await run(
    '[Date.now(), +new Date(), new Date().toISOString(), Date().slice(11, 15), new Date instanceof Date]',
  )

  expect(answer).toEqual([start + 1_000, start + 1_000, '2030-01-02T03:04:06.678Z', '2030', true])
})

test('a date that is given is left as it is', async () => {
  make(false)

  const answer = await run(
    '[new Date(5).getTime(), new Date(2001, 1, 3).getDate(), Date.UTC(1970, 0, 2), Date.parse("1970-01-01T00:00:01Z"), new (class extends Date {})(7).getTime()]',
  )

  expect(answer).toEqual([5, 3, 86_400_000, 1_000, 7])
})

test('a process that is already running sees a jump', async () => {
  make(false)
  const child = execFile(
    process.execPath,
    [
      '--import',
      preload,
      '-e',
      'console.log(Date.now()); process.stdin.once("data", () => { console.log(Date.now()); process.exit() })',
    ],
    { env: { ...process.env, CERTRELAY_LOCAL_CLOCK: local.file } },
  )
  const next = () =>
    new Promise<number>((resolve) => {
      child.stdout?.once('data', (chunk: Buffer | string) => resolve(Number(String(chunk))))
    })

  const before = await next()
  await local.advance(86_400_000)
  child.stdin?.write('go\n')
  const after = await next()

  expect([before, after]).toEqual([start, start + 86_400_000])
})

test('a flowing clock flows in the process too', async () => {
  make(true)

  const answer = Number(await run('Date.now()'))

  expect(answer).toBeGreaterThan(start)
  expect(answer).toBeLessThanOrEqual(local.now())
})

test('without a clock the process keeps the real time', async () => {
  make(false)

  const answer = Number(await run('Date.now()', ''))

  expect(Math.abs(answer - Date.now())).toBeLessThan(60_000)
})
