import { readdirSync, readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { basename, dirname, join, relative, sep } from 'node:path'
import { describe, expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')

/** What a folder may import: our folders by name, packages, `node:` modules. It may always import itself. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  pki: ['node:crypto'],
  ports: ['pki'],
  workflows: ['ports', 'pki', 'authority'],
  aws: ['ports', 'pki', '@aws-sdk/*', '@aws-lambda-powertools/*', 'valibot', 'node:*'],
  middleware: ['ports', 'pki', '@middy/core', 'aws-lambda'],
  events: ['pki', 'valibot', 'node:crypto'],
  authority: ['ports', 'pki', 'node:crypto'],
  cfssl: ['authority', 'ports', 'pki', 're2js', 'node:crypto'],
  nebula: ['authority', 'ports', 'pki', 'node:crypto'],
  functions: [
    ...['events', 'middleware', 'workflows', 'authority', 'cfssl', 'nebula', 'aws', 'ports'],
    'node:crypto',
  ],
  local: ['pki', 'valibot', '@peculiar/x509', 'yaml', 'fflate', 'node:*'],
  envoy: ['pki', 'ports', 'workflows', 'aws', 'middleware', 'node:*'],
  cli: ['*'],
  bench: ['*'],
}
const FOLDERS = Object.keys(MAY)

/** Who may look into a `Secret`. */
const REVEALERS = [
  'aws/',
  'pki/',
  'envoy/',
  'authority/',
  'cfssl/',
  'nebula/',
  'middleware/failover.ts',
  'middleware/page.ts',
]
const REVEALERS_WITH_A_REASON: Readonly<Record<string, string>> = {
  'bench/handler.ts': 'the benchmark does with a passphrase what a reader does',
  'cli/records.ts': 'a record, and in development its key, are written into files',
  'cli/steps.ts': 'the story opens what the stack has stored, to prove that it opens',
}
/** Who may read the environment. */
const READERS = ['aws/config.ts', 'middleware/serve.ts', 'envoy/', 'cli/', 'local/', 'bench/']
/** The SDK beyond `aws/`: what is no part of the product may talk to AWS as any client does. */
const CALLERS = ['aws/', 'cli/', 'bench/']

/** Names of two words, and why one would not do. */
const DASHED: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['balancer', 'custom', 'ecs', 'events', 'iam', 'keys', 'lambda', 'pca', 'stored'].map(
      (what) => [
        `local/formation/provide-${what}.ts`,
        'the providers of resource types, side by side in a long folder',
      ],
    ),
  ),
  'local/ecs/describe-service.ts': 'a service and a task are described apart',
  'local/ecs/describe-task.ts': 'a service and a task are described apart',
  'local/ecs/service-deployments.ts': "ECS's own term, which is not a deployment",
  'local/elb/target-group.ts': "ELB's own term",
  'local/elb/target-groups.ts': "ELB's own term",
  'local/lambda/runtime-api.ts': "Lambda's own term",
}
/** Files of more than 300 lines, and why they are one thing. */
const LONG: Readonly<Record<string, string>> = {}

interface File {
  readonly path: string
  readonly text: string
}

const files: readonly File[] = FOLDERS.flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|mjs)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({
      path: relative(ROOT, path).split(sep).join('/'),
      text: readFileSync(path, 'utf8'),
    })),
)

const STATEMENT = /^(?:import|export)\s(?:[^;'"]*?\sfrom\s)?['"]([^'"]+)['"]/gm
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]/g

/** All that a file imports, types too: our folders by name, everything else as written. */
function imports({ path, text }: File): string[] {
  const found = [STATEMENT, DYNAMIC].flatMap((pattern) => [...text.matchAll(pattern)])
  return found.map(([, name = '']) =>
    name.startsWith('.') ? home(join(dirname(path), name)) : name,
  )
}

function home(path: string): string {
  return path.split(sep)[0] ?? ''
}

function allowed(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  )
}

/** Offenders among the files: `path: what`. */
const offenders = (find: (file: File) => readonly string[]) =>
  files.flatMap((file) => find(file).map((what) => `${file.path}: ${what}`))
const within = (path: string, places: readonly string[]) =>
  places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place))

/** The code of a file without its comments: good enough to look for a name in. */
const code = (text: string) => text.replace(/\/\*[\s\S]*?\*\/|(?<![:'"`/\\])\/\/.*$/gm, '')

/** What of a file is TypeScript only, at its place, the rest blank: types, assertions, non-null marks. */
function types(text: string): string {
  const plain = text.replace(/[^\n -~]/g, '_')
  const stripped = stripTypeScriptTypes(plain)
  const bare = plain.replace(STATEMENT, (all) => all.replace(/[^\n]/g, ' '))
  const only = [...bare].map((char, at) => (stripped[at] === char && char !== '\n' ? ' ' : char))
  return only.join('').replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
}

test('there is something to look at in every folder', () => {
  for (const folder of FOLDERS) {
    expect(
      files.filter(({ path }) => path.startsWith(`${folder}/`)).length,
      folder,
    ).toBeGreaterThan(0)
  }
})

describe('imports', () => {
  test.each(FOLDERS)('of %s run one way', (folder) => {
    const wrong = offenders((file) =>
      file.path.startsWith(`${folder}/`)
        ? imports(file).filter((name) => name !== folder && !allowed(name, MAY[folder] ?? []))
        : [],
    )

    expect(wrong).toEqual([])
  })

  test('of the SDK are in aws, even of types', () => {
    const wrong = offenders((file) =>
      within(file.path, CALLERS)
        ? []
        : imports(file).filter((name) => name.startsWith('@aws-sdk/')),
    )

    expect(wrong).toEqual([])
  })

  test('are all seen by this test', () => {
    const file = {
      path: 'pki/x.ts',
      text: "import a from '../aws/b.ts'\nimport {\n  type c,\n} from 'd'\nexport * from './e.ts'\nimport 'f'\nimport type { g } from 'g'\nawait import('h')\n",
    }

    expect(imports(file)).toEqual(['aws', 'd', 'pki', 'f', 'g', 'h'])
  })
})

test('secrets are looked into where it is allowed only', () => {
  const places = [...REVEALERS, ...Object.keys(REVEALERS_WITH_A_REASON)]
  const wrong = offenders(({ path, text }) =>
    within(path, places) ? [] : (code(text).match(/\.reveal\b/g) ?? []),
  )

  expect(wrong).toEqual([])
})

test('the environment is read where it is allowed only', () => {
  const wrong = offenders(({ path, text }) =>
    within(path, READERS) ? [] : (code(text).match(/process\.env\b|process\[['"]env/g) ?? []),
  )

  expect(wrong).toEqual([])
})

describe('types', () => {
  const check = (text: string) => {
    const only = types(text)
    return [
      ...(only.replace(/'[^'\n]*'/g, '').match(/\bany\b/g) ?? []),
      ...(only.match(/\bas\s+(?!const\b)[^\n]*/g) ?? []).map((what) => what.trim()),
      ...(only.match(/!/g) ?? []),
    ]
  }

  test('are never any, asserted or taken for granted', () => {
    const wrong = offenders(({ path, text }) => (path.endsWith('.ts') ? check(text) : []))

    expect(wrong).toEqual([])
  })

  test('are all seen by this test', () => {
    expect(check('const a: any = 1')).toEqual(['any'])
    expect(check("type a = Exclude<b, 'any'>")).toEqual([])
    expect(check('const a = b as string')).toEqual(['as string'])
    expect(check('const a = b!.c')).toEqual(['!'])
    expect(
      check(
        "import type { a as b } from 'c'\nimport { d as e, type f as g } from 'h'\nexport { d as i } from 'j'",
      ),
    ).toEqual([])
    expect(
      check("const a = ['any as b!'] as const // any as !\nconst c = !a || a !== `é as x`"),
    ).toEqual([])
  })
})

describe('files', () => {
  test('have names of one word, or a reason', () => {
    const wrong = offenders(({ path }) =>
      /^[a-z0-9]+\.(ts|mjs)$/.test(basename(path)) || path in DASHED ? [] : [basename(path)],
    )

    expect(wrong).toEqual([])
  })

  test('have 300 lines at most, or a reason', () => {
    const wrong = offenders(({ path, text }) => {
      const lines = text.split('\n').length - 1
      return lines <= 300 || path in LONG ? [] : [`${lines} lines`]
    })

    expect(wrong).toEqual([])
  })

  test('with a reason still need it', () => {
    const gone = [
      ...Object.keys(DASHED),
      ...Object.keys(LONG),
      ...Object.keys(REVEALERS_WITH_A_REASON),
    ].filter((path) => !files.some((file) => file.path === path))
    const short = Object.keys(LONG).filter((path) =>
      files.some((file) => file.path === path && file.text.split('\n').length <= 301),
    )

    expect([...gone, ...short]).toEqual([])
  })
})
