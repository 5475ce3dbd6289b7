import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { readRules } from '../../authority/entitle.ts'
import { PROFILE } from '../../nebula/desk.ts'
import { REFUSALS } from '../../nebula/pool.ts'
import { blocks, column, ROOT, read, table } from '../support/markdown.ts'

const PAGE = 'docs/nebula.md'
const execute = promisify(execFile)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'certrelay-page-'))
})
afterAll(() => rm(folder, { recursive: true }))

describe(PAGE, () => {
  test('shows commands that work, in their order', async () => {
    const lines = blocks(PAGE, 'sh')
      .flatMap((text) => text.split('\n'))
      .filter((line) => /^npx certrelay nebula (?!.*--authority)/.test(line))
    const said: string[] = []
    for (const line of lines) {
      const [, , ...words] = line.split(' ')
      const { stdout } = await execute(process.execPath, [join(ROOT, 'cli', 'main.ts'), ...words], {
        cwd: folder,
      })
      said.push(stdout)
    }

    expect(lines.length).toBeGreaterThan(7)
    expect(said.join('')).toMatch(/"name": "web"[\s\S]*^add: [\s\S]*^remove: /m)
    expect(await readdir(folder)).toEqual(
      expect.arrayContaining(['ca.crt', 'ca.key', 'web.crt', 'both.crt', 'web-2.crt']),
    )
  }, 120_000)

  test('has every member of a request', () => {
    const [, words = ''] = /const MEMBERS\s*=\s*'([^']*)'/.exec(read('nebula/ask.ts')) ?? []
    const members = table(PAGE, 'member').flatMap(([cell = '']) =>
      [...cell.matchAll(/`(\w+)`/g)].map(([, one]) => one),
    )

    expect(members.toSorted()).toEqual(words.split(' ').sort())
  })

  test('shows rules that can be read', () => {
    const [rules = ''] = blocks(PAGE, 'json')
    const [one] = readRules(JSON.parse(rules))

    expect(one).toMatchObject({
      profiles: [PROFILE],
      names: ['{role}', '10.1.0.*/16', 'group:web'],
    })
  })

  test('has every reason of a refusal', () => {
    expect(column(PAGE, '`verify` says')).toEqual(Object.keys(REFUSALS).sort())
  })

  test('has every step of a rotation', () => {
    const [, union = ''] = /readonly step: ([^\n]*)/.exec(read('nebula/rotation.ts')) ?? []

    expect(column(PAGE, 'step')).toEqual(
      [...union.matchAll(/'([a-z-]+)'/g)].map(([, step]) => step).sort(),
    )
  })

  test('has options that the help has', async () => {
    const { stdout } = await execute(process.execPath, [join(ROOT, 'cli', 'main.ts'), '--help'])

    for (const option of column(PAGE, 'option'))
      if (option.startsWith('--')) expect(stdout).toContain(option)
  })
})
