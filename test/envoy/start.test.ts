import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HADOLINT, INSTALLING, program, SHELLCHECK } from '../support/python.ts'

const SCRIPT = join(import.meta.dirname, '../../envoy/start.sh')
const CLEAN = { status: 0, stdout: '', stderr: '' }
const execute = promisify(execFile)
let folder = ''

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'certrelay-start-'))
  const fake = `#!/bin/sh\necho "$PPID $(umask) $*"\nexit 77\n`
  await writeFile(join(folder, 'certrelay-sidecar'), fake, { mode: 0o700 })
})
afterAll(() => rm(folder, { recursive: true }))

test.each([
  [[], 'run -- envoy'],
  [['envoy', '--concurrency', '1'], 'run -- envoy --concurrency 1'],
  [['--concurrency', '1'], 'run -- envoy --concurrency 1'],
  [['init'], 'init'],
  [['watch'], 'watch'],
  [['health'], 'health'],
  [['bootstrap', '--role', 'client'], 'bootstrap --role client'],
  [['run', '--', 'envoy'], 'run -- envoy'],
])('the image called with %j becomes the sidecar', async (words, command) => {
  const PATH = `${folder}:${process.env['PATH']}`

  const ended = execute(SCRIPT, words, { env: { PATH } })

  await expect(ended).rejects.toMatchObject({
    code: 77,
    stdout: `${process.pid} 0077 ${command}\n`,
  })
})

describe('called with exec', () => {
  const task = {
    CERTRELAY_DIR: '/run/own',
    CERTRELAY_DRAIN: '7',
    STATUS: '0',
    AWS_SECRET_ACCESS_KEY: 'x',
  }
  let PATH = ''
  beforeAll(async () => {
    const own = join(folder, 'exec')
    PATH = `${own}:${process.env['PATH']}`
    await mkdir(own)
    const init = '#!/bin/sh\necho "$CERTRELAY_DIR $*"\nexit $STATUS\n'
    await writeFile(join(own, 'certrelay-sidecar'), init, { mode: 0o700 })
    const envoy = '#!/bin/sh\necho "$$ $PPID $(umask) $*"\nenv\nexit 5\n'
    await writeFile(join(own, 'envoy'), envoy, { mode: 0o700 })
  })

  test('Envoy takes the place of the shell, without its environment', async () => {
    const child = execute(SCRIPT, ['exec', '--concurrency', '1'], { env: { PATH, ...task } })

    const failure = await child.catch((error: { readonly stdout: string }) => error)
    const { stdout } = failure
    const [laidOut, envoy, ...environment] = stdout.trim().split('\n')
    expect(failure).toMatchObject({ code: 5 })
    expect(laidOut).toBe('/run/own init')
    expect(envoy).toBe(
      `${child.child.pid} ${process.pid} 0077 -c /run/own/bootstrap.json --disable-hot-restart ` +
        '--drain-time-s 7 --drain-strategy immediate --concurrency 1',
    )
    expect(environment.join()).toContain(`PATH=${PATH}`)
    expect(environment.join()).not.toMatch(/CERTRELAY|AWS/)
  })

  test('Envoy is not started when nothing was laid out, and the status says why', async () => {
    const ended = execute(SCRIPT, ['exec'], { env: { PATH, ...task, STATUS: '66' } })

    await expect(ended).rejects.toMatchObject({ code: 66, stdout: '/run/own init\n' })
  })
})

describe('a linter', { timeout: INSTALLING }, () => {
  test('finds nothing in start.sh', async () => {
    const { run } = await program(...SHELLCHECK)

    expect(await run(['--enable=all', '--shell=sh', SCRIPT])).toEqual(CLEAN)
  })

  test('finds nothing in the Dockerfile', async () => {
    const { run } = await program(...HADOLINT)

    expect(await run(['--no-color', 'envoy/Dockerfile'])).toEqual(CLEAN)
  })

  test('finds what is wrong', async () => {
    const script = join(folder, 'wrong.sh')
    const image = join(folder, 'Dockerfile')
    await writeFile(script, '#!/bin/sh\nrm $1\n')
    await writeFile(image, 'FROM debian\nRUN cd /x && sudo ls\n')

    expect((await (await program(...SHELLCHECK)).run([script])).stdout).toContain('SC2086')
    expect((await (await program(...HADOLINT)).run([image])).stdout).toContain('DL3004')
  })
})
