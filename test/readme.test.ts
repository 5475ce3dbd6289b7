import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import * as v from 'valibot'
import { beforeAll, describe, expect, test } from 'vitest'
import { serviceAuthority } from '../events/authority.ts'
import { clientCertificate } from '../events/certificate.ts'
import { trustBundle } from '../events/trust.ts'
import { parse } from '../local/formation/template.ts'
import {
  blocks,
  column,
  exists,
  found,
  PAGES,
  quoted,
  ROOT,
  read,
  table,
} from './support/markdown.ts'
import { AWS_CLI, INSTALLING, type Program, program } from './support/python.ts'

const manifest = v.parse(
  v.object({ scripts: v.record(v.string(), v.string()), bin: v.record(v.string(), v.string()) }),
  JSON.parse(read('package.json')),
)
const ACCOUNT = '111122223333'
const place = { region: 'us-east-1', account: ACCOUNT }
const AUTHORITY = `arn:aws:acm-pca:us-east-1:${ACCOUNT}:certificate-authority/11111111-2222-3333-4444-555555555555`

/** One command of a block or between backticks. */
interface Command {
  readonly page: string
  readonly line: string
}

const shown: readonly Command[] = PAGES.flatMap((page) =>
  blocks(page, 'sh')
    .flatMap((text) => text.replace(/\\\n\s*/g, '').split('\n'))
    .filter(Boolean)
    .map((line) => ({ page, line: line.replace(/^([A-Z_]+=\S+ )+/, '') })),
)
const mentioned: readonly Command[] = PAGES.flatMap((page) =>
  quoted(page)
    .filter((span) => /^(npm|npx|certrelay) /.test(span))
    .map((line) => ({ page, line })),
)
const commands = [...shown, ...mentioned]
const starting = (...words: string[]) =>
  commands.filter(({ line }) => words.some((word) => line.startsWith(`${word} `)))

describe('the commands that the pages show', () => {
  test('are of programs that this test knows', () => {
    const known = /^(npm|npx|aws|docker|cfssl) /

    expect(shown.length).toBeGreaterThan(10)
    expect(shown.filter(({ line }) => !known.test(line))).toEqual([])
  })

  test('of npm name a script that exists', () => {
    for (const { page, line } of starting('npm')) {
      const [name = ''] = line
        .split(' ')
        .slice(1)
        .filter((word) => word !== '--silent' && word !== 'run')
      const [, file = ''] =
        /^exec node cli\/setup\.mjs (\S+)$/.exec(manifest.scripts[name] ?? '') ?? []
      expect(name === 'ci' || exists(file), `${page}: ${line}`).toBe(true)
    }
  })

  test('of npm give arguments that the script takes', async () => {
    const help = await told('cli/story.ts', '--help')
    const taken = [...starting('npm')].flatMap(({ line }) => {
      const [, name = '', rest = ''] = /^npm (?:--silent )?(?:run )?(\w+) -- (.*)$/.exec(line) ?? []
      return name === 'start' || name === 'bench' ? [[name, rest]] : []
    })

    expect(taken.length).toBeGreaterThan(3)
    for (const [name, rest = ''] of taken) {
      if (name === 'start') expect(help).toContain(`  ${rest} `)
      else expect(rest === 'NAME' || exists(`bench/${rest}.ts`), rest).toBe(true)
    }
  })

  test('of npx are commands that the help knows', async () => {
    const help = await told('cli/main.ts', '--help')

    for (const { page, line } of starting('npx')) {
      const [, bin = '', word = ''] = line.split(' ')
      expect(Object.keys(manifest.bin), `${page}: ${line}`).toContain(bin)
      expect(help, `${page}: ${line}`).toContain(`npx certrelay ${word}`)
    }
  })

  test('to build the image take what npm run package makes', async () => {
    const said = await told('cli/package.ts')
    const build = shown.find(({ line }) => line.startsWith('docker build'))?.line ?? ''

    expect(said).toContain(`${build}\n`)
    const context = build.split(' ').at(-1) ?? ''
    const copied = [...read('envoy/Dockerfile').matchAll(/^COPY --chmod=\S+ (\S+)/gm)]
    expect(copied.length).toBe(2)
    for (const [, name = ''] of [...copied, ['', 'Dockerfile']])
      expect(exists(join(context, name)), name).toBe(true)
  }, 60_000)

  test('push the image that was built, to where the example takes it from', () => {
    const images = shown.flatMap(({ line }) => line.match(/\S*certrelay-envoy:\S+/g) ?? [])

    const names = new Set(images.map((name) => name.split(/[=/]/).at(-1)))
    expect([...names]).toEqual(['certrelay-envoy:1.40.0'])
  })

  test('to deploy an example give the parameters that it has and wants', () => {
    const deploys = shown.filter(({ line }) => line.startsWith('aws cloudformation deploy'))

    expect(deploys.length).toBeGreaterThan(1)
    for (const { page, line } of deploys) {
      const [, file = ''] = /--template-file (\S+)/.exec(line) ?? []
      const [, given = ''] = /--parameter-overrides (.*)$/.exec(line) ?? []
      const parameters = Object.entries(parse(read(file)).parameters)
      const wanted = parameters.filter(([, one]) => !Object.hasOwn(object(one), 'Default'))
      const names = given.split(' ').map((pair) => pair.split('=')[0] ?? '')
      expect(
        parameters.map(([name]) => name),
        `${page}: ${line}`,
      ).toEqual(expect.arrayContaining(names))
      expect(names, `${page}: ${line}`).toEqual(
        expect.arrayContaining(wanted.map(([name]) => name)),
      )
    }
  })
})

describe('the commands of the AWS CLI', () => {
  let cli: Program

  beforeAll(async () => {
    cli = await program(...AWS_CLI)
  }, INSTALLING)

  test('have the options that are given', async () => {
    // made of several operations: these have no skeleton; the options of `cloudformation deploy` are looked at above
    const composed = /^aws (cloudformation deploy|cloudformation wait|ecr get-login-password)\b/
    const spans = PAGES.flatMap((page) =>
      quoted(page)
        .filter((span) => /^aws \S+ \S/.test(span))
        .map((line) => ({ page, line: line.replace(/ …$/, ' x') })),
    )
    const all = [...starting('aws'), ...spans].filter(({ line }) => !composed.test(line))

    expect(all.length).toBeGreaterThan(4)
    const outcomes = await Promise.all(
      all.map(async ({ page, line }) => {
        const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, a, b]) => a ?? b ?? '')
        const asked = [
          ...words.slice(1),
          '--generate-cli-skeleton',
          'output',
          '--region',
          'us-east-1',
        ]
        const { status, stderr } = await cli.run(asked, { HOME: '/nonexistent' })
        return { page, line, status, stderr }
      }),
    )
    const usage = [2, 252] // what the values are is another matter
    expect(outcomes.filter(({ status }) => usage.includes(status))).toEqual([])
  }, 60_000)
})

describe('README.md', () => {
  test('shows the folders that there are, and no others', () => {
    const [tree = ''] = blocks('README.md', 'text').filter((text) => /^events\/ /.test(text))
    const named = [...tree.matchAll(/^(\w+)\/ /gm)].map(([, name]) => name)

    const folders = readdirSync(ROOT, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && /^[a-z]/.test(entry.name))
      .map(({ name }) => name)
      .filter((name) => !['node_modules', 'coverage'].includes(name))
    expect(named.toSorted()).toEqual(folders.sort())
  })

  test('declares a certificate as the function takes it', () => {
    const [snippet = ''] = blocks('README.md', 'yaml')
    const text = `Resources:\n${snippet.replace(/^/gm, '  ')}`
    const [resource] = [...parse(text).resources.values()]
    const properties = { ...object(resource?.properties), Authority: AUTHORITY }

    const wanted = clientCertificate(properties, place)

    expect(resource?.type).toBe('Custom::ClientCertificate')
    expect(wanted).toMatchObject({
      names: ['color.mesh.internal'],
      services: ['mesh/color'],
      renewBefore: 60,
    })
    expect(properties).toMatchObject({
      ServiceToken: { 'Fn::ImportValue': 'certrelay-certificate' },
    })
    expect(read('resources.yml')).toMatch(
      /Export: \{ Name: !Sub '\$\{AWS::StackName\}-certificate' \}/,
    )
    expect(read('serverless.yml')).toContain('stackName: certrelay\n')
  })

  test('has a row for each property that the functions know', () => {
    const rows = column('README.md', 'property of `Custom::ClientCertificate`')

    expect(rows).toEqual(known(() => clientCertificate({ Bogus: '1' }, place)))
    expect(column('README.md', 'property of `Custom::ServiceAuthority`')).toEqual(
      known(() => serviceAuthority({ Label: 'x', Bogus: '1' }, place)),
    )
    const trust =
      /`Custom::TrustBundle` takes([\s\S]*?)and publishes/.exec(read('README.md'))?.[1] ?? ''
    expect([...trust.matchAll(/`(\w+)`/g)].map(([, name]) => name).sort()).toEqual(
      known(() => trustBundle({ Bogus: '1' }, place)),
    )
  })

  test('names the attributes that the functions answer', () => {
    const [, first = '', second = ''] =
      /Attributes: ([^.]*)\.[\s\S]*?attributes\s+([^.]*)\./.exec(read('README.md')) ?? []
    const names = (text: string) => [...text.matchAll(/`(\w+)`/g)].map(([, name]) => name).sort()

    expect(names(first)).toEqual(found('workflows/certificate.ts', /^ {4}([A-Z]\w+):/gm))
    expect(names(second)).toEqual(
      found('workflows/trust.ts', /\b([A-Z]\w+): (?=held\.arn|version|String)/g),
    )
  })

  test('names the attributes that a service authority answers', () => {
    const [, names = ''] = /It answers ([\s\S]*?)\.\n/.exec(read('README.md')) ?? []

    expect([...names.matchAll(/`([A-Z]\w+)`/g)].map(([, name]) => name).sort()).toEqual(
      found('workflows/found.ts', /^ {6}([A-Z]\w+):/gm),
    )
  })

  test('leads to every page of docs', () => {
    const pages = table('README.md', 'page').map(([link = '']) => /\((.*)\)/.exec(link)?.[1] ?? '')

    expect(pages).toEqual(expect.arrayContaining(PAGES.filter((page) => page.startsWith('docs/'))))
  })
})

test('links lead to files that exist', () => {
  const broken = PAGES.flatMap((page) =>
    [...read(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !/^https?:/.test(target) && !exists(join(dirname(page), target)))
      .map((target) => `${page}: ${target}`),
  )

  expect(broken).toEqual([])
})

test('the commands of the package exist', () => {
  expect(Object.keys(manifest.bin).sort()).toEqual(['certrelay', 'certrelay-sidecar'])
  for (const file of Object.values(manifest.bin)) expect(exists(file), file).toBe(true)
  for (const name of Object.keys(manifest.scripts)) expect(name).toMatch(/^[a-z]+$/)
})

/** The property names that a refusal lists. */
function known(refuse: () => unknown): string[] {
  try {
    refuse()
  } catch (error) {
    const [, names = ''] =
      /Bogus: no such property; the known ones are ([^;]*)/.exec(String(error)) ?? []
    return names.split(', ').sort()
  }
  throw new Error('the unknown property was taken')
}

async function told(script: string, ...words: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, script), ...words])
  return stdout
}

function object(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
