import { describe, expect, test } from 'vitest'
import { REVOKED_TAG } from '../authority/register.ts'
import { CODES } from '../pki/error.ts'
import { LISTENS } from '../pki/listens.ts'
import { writeRoles } from '../pki/roles.ts'
import { writeTags } from '../pki/tags.ts'
import { column, found, read, table } from './support/markdown.ts'
import { ofType, packagedTemplate } from './support/template.ts'

describe('docs/errors.md', () => {
  test('has every code under its remedy', () => {
    const rows = table('docs/errors.md', 'remedy').flatMap(([remedy = '', codes = '']) =>
      [...codes.matchAll(/`(\w+)`/g)].map(([, code]) => [code, remedy.replaceAll('`', '')]),
    )

    expect(Object.fromEntries(rows)).toEqual(CODES)
    expect(rows.length).toBe(Object.keys(CODES).length)
  })
})

describe('docs/bundle.md', () => {
  test('has every finding of the check', () => {
    const [, union = ''] =
      /interface Finding \{\s+readonly code:([\s\S]*?)\/\*\*/.exec(read('pki/check.ts')) ?? []
    const codes = [...union.matchAll(/'(\w+)'/g)].map(([, code]) => code).sort()

    expect(codes.length).toBeGreaterThan(5)
    expect(column('docs/bundle.md', 'code')).toEqual(codes)
  })

  test('has every member of a bundle', () => {
    const [, body = ''] = /interface Bundle \{([\s\S]*?)\n\}/.exec(read('pki/bundle.ts')) ?? []
    const members = [...body.matchAll(/readonly (\w+)\??:/g)].map(([, name]) => name).sort()

    expect(column('docs/bundle.md', 'member')).toEqual(members)
  })

  test('has every label that is set', () => {
    const labels = found('workflows/*.ts', /'(AWS[A-Z]+|REJECTED|DEPLOYED|ROLLEDBACK)'/g)

    expect(column('docs/bundle.md', 'label')).toEqual(
      [...new Set([...labels, 'AWSPREVIOUS'])].sort(),
    )
  })
})

describe('docs/operate.md', () => {
  const FUNCTIONS = '{workflows,middleware,functions,authority}/*.ts'

  test('has every word that the functions log, and no others', () => {
    const steps = found('pki/decide.ts', /step: '([a-z]+)'/g)
    const words = found(FUNCTIONS, /\b(?:log\.)?(?:info|warn|error)\(\s*'([a-z-]+)'/g)
    const either = found(FUNCTIONS, /log\.\w+\([\w]+ \? '([a-z-]+)'/g)
    const or = found(FUNCTIONS, /log\.\w+\([\w]+ \? '[a-z-]+' : '([a-z-]+)'/g)

    expect(words.length).toBeGreaterThan(20)
    expect(column('docs/operate.md', '`message`')).toEqual(
      [...new Set([...steps, ...words, ...either, ...or, 'audit'])].sort(),
    )
  })

  test('has every metric', () => {
    const metrics = found('{workflows,middleware,aws,authority}/*.ts', /\bcount\(\s*'(\w+)'/g)
    const all = '{workflows,middleware,functions,authority}/*.ts'
    const either = found(all, /\bcount\([^,()?]+ \? '(\w+)'/g)
    const or = found(all, /\bcount\([^,()?]+ \? '\w+' : '(\w+)'/g)

    expect(column('docs/operate.md', 'metric')).toEqual(
      [...new Set([...metrics, ...either, ...or])].sort(),
    )
  })

  test('says for every alarm what to do', async () => {
    const stacks = [await packagedTemplate(), await packagedTemplate('authority')]
    const alarms = stacks
      .flatMap(({ resources }) => ofType(resources, 'AWS::CloudWatch::Alarm'))
      .map(([, { Properties }]) => String(Properties['AlarmName']))

    expect(alarms.length).toBeGreaterThan(3)
    expect(column('docs/operate.md', 'alarm')).toEqual(alarms.sort())
    for (const row of table('docs/operate.md', 'alarm')) expect(row[2]?.length).toBeGreaterThan(40)
  }, 60_000)

  test('has every variable of the environment', () => {
    const parsed = found('aws/config.ts', /^ {2}([A-Z_]+):/gm)
    const read = found('aws/config.ts', /environment\['([A-Z_]+)'\]/g)

    expect(column('docs/operate.md', 'variable')).toEqual([...parsed, ...read].sort())
  })
})

test('docs/tags.md has every tag', () => {
  const services = Array.from({ length: 60 }, (_, index) => `cluster-of-a-team/service-${index}`)
  const every = {
    source: 'x',
    services,
    renewBefore: 1,
    hot: true as const,
    layout: 'walkthrough' as const,
    owner: 'x',
    promoted: { version: 'x', at: 0 },
    sealed: { version: 'x', set: 'x' },
    previous: { version: 'x' },
    attempts: { version: 'x', count: 1, at: 0 },
    rotated: { token: 'x', of: 'x' },
    notBefore: 0,
    notAfter: 0,
    looked: 0,
    attention: 0,
    told: { version: 'x', days: 1 },
    replaces: ['arn:x'],
    names: ['x'],
    keyAlgorithm: 'RSA_2048' as const,
    trust: 'x',
  }
  const all = { ...writeTags(every), ...writeRoles(['x']) }
  const lists = [LISTENS, REVOKED_TAG]
  const written = [...Object.keys(all), ...lists].filter((tag) => !/-\d$/.test(tag))

  expect(column('docs/tags.md', 'tag')).toEqual(written.sort())
})
