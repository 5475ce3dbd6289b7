import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ENDPOINTS } from '../../cfssl/api.ts'
import { HARDENINGS } from '../../cfssl/switches.ts'
import {
  Bench,
  CONFIG,
  DEMAND,
  freePort,
  type Programs,
  programs,
  type Serving,
} from '../support/cfssl.ts'
import { blocks, column, ROOT, read, table } from '../support/markdown.ts'
import { BUILDING } from '../tool/gobuild.ts'

const PAGE = 'docs/authority.md'
let tools: Programs | undefined
let bench: Bench
const ports = new Map<string, number>()

beforeAll(async () => {
  tools = await programs()
  bench = await Bench.begin()
  for (const port of ['8888', '8889', '8890']) ports.set(port, await freePort())
  if (tools === undefined) return
  await bench.root(tools)
  await bench.put('config.json', CONFIG)
  await bench.put('leaf.json', DEMAND)
  await bench.put(
    'client.json',
    here(blocks(PAGE, 'json').find((text) => text.includes('auth_remote')) ?? ''),
  )
}, BUILDING)

afterAll(() => bench.end())

/** A text of the page with ports that are free here. */
function here(text: string): string {
  return text.replace(/\b88(?:88|89|90)\b/g, (port) => String(ports.get(port) ?? port))
}

/** The commands of the section for users of CFSSL, in their order. */
const [, section = ''] = /^## From cfssl serve[^\n]*\n([\s\S]*?)^## /m.exec(read(PAGE)) ?? []
const commands = blocks(PAGE, 'sh')
  .filter((text) => section.includes(text))
  .flatMap((text) => text.trim().split('\n'))

/** `npx certrelay`, without npx. */
function certrelay(command: string): readonly string[] {
  return [join(ROOT, 'cli', 'main.ts'), ...here(command).split(' ').slice(2)]
}

test('every command of the page for users of CFSSL works as it is written', async ({ skip }) => {
  if (tools === undefined) return skip('no Go')
  const servers: Serving[] = []

  for (const command of commands) {
    if (command.includes(' authority serve ')) servers.push(await bench.serving(certrelay(command)))
    else if (command.startsWith('npx certrelay ')) {
      const made = await bench.run(process.execPath, certrelay(command))
      expect(made, command).toMatchObject({ code: 0 })
    } else {
      const { cfssl, cfssljson } = tools
      const placed = here(command)
        .replace(/\bcfssljson\b/g, cfssljson)
        .replace(/^cfssl\b/, cfssl)
      const ran = await bench.run('bash', ['-o', 'pipefail', '-c', placed])
      expect(ran, command).toMatchObject({ code: 0 })
    }
  }

  expect(servers.length).toBe(3)
  expect(servers[0]?.lines.join('\n')).toContain('primary on http')
  for (const name of ['leaf.pem', 'again.pem'])
    expect(new X509Certificate(await bench.read(name)).subject).toContain('www.example.com')
  const told = await fetch(`${servers[2]?.url}/api/v1/cfssl/info`, {
    method: 'POST',
    body: '{"label":"db"}',
  })
  expect(await told.text()).toContain('BEGIN CERTIFICATE')
}, 60_000)

test('the page has every endpoint, and no other', () => {
  expect(column(PAGE, 'endpoint')).toEqual([...ENDPOINTS.keys()].sort())
})

test('the page has every switch, of the server or of a profile', () => {
  const server = column(PAGE, 'switch of the server')
  const profile = table(PAGE, 'switch').flatMap((cells) =>
    [...(cells[2] ?? '').matchAll(/`([a-z-]+)`/g)].map(([, name = '']) => name),
  )
  const all = new Set([...server, ...profile.filter((name) => name in HARDENINGS)])

  expect([...all].sort()).toEqual(Object.keys(HARDENINGS).sort())
})
