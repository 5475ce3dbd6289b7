import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'

const SCRIPT = join(import.meta.dirname, '../../envoy/start.sh')
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
  [['health'], 'health'],
])('the image called with %j becomes the sidecar', async (words, command) => {
  const PATH = `${folder}:${process.env['PATH']}`

  const ended = promisify(execFile)(SCRIPT, words, { env: { PATH } })

  await expect(ended).rejects.toMatchObject({
    code: 77,
    stdout: `${process.pid} 0077 ${command}\n`,
  })
})
