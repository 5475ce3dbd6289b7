import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const CLI = join(import.meta.dirname, '..', 'cli')
/** Records its words and makes what setup looks for; `npm.status` in the folder makes it fail, a pipe `npm.gate` holds it up. */
const NPM = `#!/bin/sh
echo "$@" >> npm.log
if [ -p npm.gate ]; then read _ < npm.gate; fi
if [ -f npm.status ]; then echo 'npm error: no network' >&2; exit "$(/bin/cat npm.status)"; fi
/bin/mkdir -p node_modules/vitest
`
const SCRIPT = `
const [word, ...rest] = process.argv.slice(2)
if (word === 'say') console.log(JSON.stringify(rest))
if (word === 'exit') process.exit(Number(rest[0]))
if (word === 'die') process.kill(process.pid, 'SIGKILL')
if (word === 'wait') {
  process.on('SIGTERM', () => process.exit(7))
  setInterval(() => {}, 1000)
  console.log('ready')
}
`

let root: string
const children: ChildProcess[] = []

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'certrelay setup '))
  await mkdir(join(root, 'cli'))
  await mkdir(join(root, 'bin'))
  for (const name of ['setup.mjs', 'lock.mjs'])
    await copyFile(join(CLI, name), join(root, 'cli', name))
  await writeFile(join(root, 'bin', 'npm'), NPM, { mode: 0o755 })
  await writeFile(join(root, 'script.ts'), SCRIPT)
  await lock('one')
})

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.kill('SIGKILL')) await once(child, 'exit')
  }
  await rm(root, { recursive: true, force: true })
})

describe('setup', () => {
  test('installs once what the lock file says, and is quiet from then on', async () => {
    const first = await setup('say')
    const second = await setup('say')

    expect(first.stderr).toBe(
      'certrelay: installing what package-lock.json names (once, about a minute)\n',
    )
    expect(second).toEqual({ status: 0, stdout: '[]\n', stderr: '' })
    expect(await installed()).toEqual([expect.stringMatching(/^ci --ignore-scripts /)])
  })

  test('installs tools and Node too, also where NODE_ENV is production', async () => {
    await setup('say')

    const [words = ''] = await installed()
    expect(words.split(' ')).toEqual(
      expect.arrayContaining(['--include=dev', '--include=optional']),
    )
  })

  test('installs again when the lock file has changed, or the packages are gone', async () => {
    await setup('say')
    await lock('two')
    await setup('say')
    await rm(join(root, 'node_modules'), { recursive: true })
    await setup('say')

    expect((await installed()).length).toBe(3)
  })

  test('hands over to the Node among the packages', async () => {
    await setup('say')
    await mkdir(join(root, 'node_modules', '.bin'))
    const own = `#!/bin/sh\necho own\nexec '${process.execPath}' "$@"\n`
    await writeFile(join(root, 'node_modules', '.bin', 'node'), own, { mode: 0o755 })

    const { stdout } = await setup('say')

    expect(stdout).toBe('own\n[]\n')
  })

  test('passes every argument on as it is', async () => {
    const words = ['--json', 'two words', '', '$HOME', '*']

    const { stdout } = await setup('say', ...words)

    expect(JSON.parse(stdout)).toEqual(words)
  })

  test.each([
    ['exit', '0', 0],
    ['exit', '3', 3],
    ['die', '', 137],
  ])('exits as its script does: %s %s is %i', async (word, rest, expected) => {
    const { status } = await setup(word, rest)

    expect(status).toBe(expected)
  })

  test('passes SIGTERM on, and waits for the end of the script', async () => {
    const child = start('wait')
    await says(child, 'ready')

    child.kill('SIGTERM')
    const [status] = await once(child, 'exit')

    expect(status).toBe(7)
  })

  test('ends the script when the shell is killed through which npm started it', async () => {
    await setup('say')
    const words = [process.execPath, join(root, 'cli', 'setup.mjs'), 'script.ts', 'wait']
    const line = `${words.map((word) => `'${word}'`).join(' ')}; exit 0`
    const shell = spawn('/bin/sh', ['-c', line], {
      env: { PATH: join(root, 'bin'), npm_execpath: 'npm' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    children.push(shell)
    const closed = once(shell, 'close') // when nobody holds its output any more
    await says(shell, 'ready')

    shell.kill('SIGKILL')

    await closed
  })

  test('lets one of two install that run at the same time', async () => {
    execFileSync('mkfifo', [join(root, 'npm.gate')])
    const two = [start('say', 'first'), start('say', 'second')]
    const both = Promise.all(two.map(ended))
    await Promise.race(two.map((one) => says(one, 'waiting for another set-up of this folder')))

    await writeFile(join(root, 'npm.gate'), '\n')
    const found = await both

    expect(found.map(({ status }) => status)).toEqual([0, 0])
    expect(found.map(({ stdout }) => stdout).sort()).toEqual(['["first"]\n', '["second"]\n'])
    expect((await installed()).length).toBe(1)
  })
})

describe('setup says what to do', () => {
  test('when npm fails, runs nothing, and tries again the next time', async () => {
    await writeFile(join(root, 'npm.status'), '5')
    const failed = await setup('say')
    await rm(join(root, 'npm.status'))
    const again = await setup('say')

    expect(failed).toMatchObject({ status: 5, stdout: '' })
    expect(failed.stderr).toContain('npm error: no network\ncertrelay: npm ci failed: mend what')
    expect(again.stdout).toBe('[]\n')
  })

  test('when npm fails half way, also after the lock file is back to what it was', async () => {
    await setup('say')
    await lock('two')
    await writeFile(join(root, 'npm.status'), '1')
    await setup('say')
    await lock('one')
    await rm(join(root, 'npm.status'))

    const { status, stderr } = await setup('say')

    expect(status).toBe(0)
    expect(stderr).toContain('installing')
  })

  test('when there is no npm', async () => {
    await rm(join(root, 'bin', 'npm'))

    const { status, stderr } = await setup('say')

    expect(status).toBe(1)
    expect(stderr).toContain('certrelay: cannot start npm: ')
    expect(stderr).toContain('npm on the PATH?')
  })
})

function lock(content: string): Promise<void> {
  return writeFile(join(root, 'package-lock.json'), content)
}

/** The words of every call of npm. */
async function installed(): Promise<string[]> {
  const log = await readFile(join(root, 'npm.log'), 'utf8').catch(() => '')
  return log.split('\n').filter(Boolean)
}

function start(...words: string[]): ChildProcess {
  const child = spawn(process.execPath, [join(root, 'cli', 'setup.mjs'), 'script.ts', ...words], {
    cwd: tmpdir(),
    env: { PATH: join(root, 'bin') },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  return child
}

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

function ended(child: ChildProcess): Promise<Ended> {
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (part: string) => {
      said[name] += part
    })
  }
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, ...said })))
}

function setup(...words: string[]): Promise<Ended> {
  return ended(start(...words))
}

/** Resolves when a line with these words has been printed. */
function says({ stdout, stderr }: ChildProcess, words: string): Promise<void> {
  return new Promise((resolve) => {
    for (const input of [stdout, stderr]) {
      if (input === null) throw new TypeError('the streams are pipes')
      createInterface({ input }).on('line', (line) => line.includes(words) && resolve())
    }
  })
}
