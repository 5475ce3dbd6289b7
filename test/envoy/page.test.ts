import { expect, test } from 'vitest'
import { bootstrap } from '../../envoy/bootstrap.ts'
import { isObject } from '../../envoy/json.ts'
import { merge } from '../../envoy/merge.ts'
import { nginxConf } from '../../envoy/nginx.ts'
import { plan } from '../../envoy/plan.ts'
import { NAMES, settings } from '../../envoy/settings.ts'
import { mistakes } from '../../envoy/strict.ts'
import { parseYaml } from '../../envoy/yaml.ts'
import { blocks, column, quoted, read } from '../support/markdown.ts'

const PAGE = 'docs/envoy.md'

test('docs/envoy.md has every code of a mistake', () => {
  const [, mistake = ''] =
    /interface Mistake \{([\s\S]*?)readonly path/.exec(read('envoy/strict.ts')) ?? []
  const [, refusal = ''] =
    /interface Refusal \{([\s\S]*?)readonly rule/.exec(read('envoy/scalars.ts')) ?? []
  const codes = [...`${mistake} ${refusal}`.matchAll(/'([A-Z_]+)'/g)].map(([, code]) => code)

  expect(column(PAGE, 'code').filter((word) => /^[A-Z_]+$/.test(word))).toEqual(codes.sort())
})

test('the bootstrap on the page is one that certrelay takes, and needs nothing more', () => {
  const [text = ''] = blocks(PAGE, 'yaml')
  const own = parseYaml(text)
  const [, lines = ''] = /ENV ([^\n]+)/.exec(blocks(PAGE, 'dockerfile').join()) ?? []
  const given = Object.fromEntries(lines.split(' ').map((pair) => pair.split('=')))
  const variables = { ...given, CERTRELAY_SECRET: 'color', CERTRELAY_PEER_NAMES: 'a.local' }

  const parsed = settings(variables)
  const wanted = plan(parsed, '0.0.0.0')
  const { listeners, clusters } = parsed
  if (!isObject(own)) throw new TypeError('no bootstrap')
  const merged = merge(own, bootstrap(wanted), { plan: wanted, listeners, clusters })

  expect(mistakes(own)).toEqual([])
  expect(merged.conflicts).toEqual([])
  expect(mistakes(merged.bootstrap)).toEqual([])
})

test('the pages name variables that there are', () => {
  const pages = [PAGE, 'docs/migrate.md']
  const words = pages.flatMap((page) => [
    ...quoted(page).flatMap((span) => [...span.matchAll(/CERTRELAY_([A-Z_]+)/g)]),
  ])

  expect(words.length).toBeGreaterThan(10)
  expect(words.map(([, name]) => name).filter((name) => !NAMES.includes(name ?? ''))).toEqual([])
})

test('the file that nginx includes is where the page says', () => {
  expect(blocks(PAGE, 'nginx').join()).toContain('include /run/certrelay/nginx.conf;')
  expect(nginxConf('/run/certrelay', false)).toContain(' /run/certrelay/current/key.pem;')
})
