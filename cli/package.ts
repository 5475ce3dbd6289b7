import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { glob, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, relative } from 'node:path'
import * as v from 'valibot'
import { exclusively } from './lock.mjs'
import { imageContext } from './sidecar.ts'
import { weigh } from './weigh.ts'

const ROOT = join(import.meta.dirname, '..')
/** Of each stack: its configuration, and where its package goes. The first one empties the folder of the second. */
const STACKS = {
  authority: { config: 'serverless.authority.yml', folder: '.serverless-authority' },
  certrelay: { config: 'serverless.yml', folder: '.serverless' },
} as const
const CACHE = join(ROOT, '.cache')
const STAMP = join(CACHE, 'packaged.json')
const BIN = join(ROOT, 'node_modules', '.bin')

/** Everything that the package is made from. */
const INPUTS = [
  '{functions,events,middleware,workflows,authority,cfssl,nebula,aws,pki,ports}/**/*.{ts,json}',
  '{serverless,resources}{,.authority}.yml',
  '{package,package-lock,tsconfig}.json',
]
const OUTPUTS = ['cloudformation-template-update-stack.json', '*.zip']

/**
 * Packages the functions and their CloudFormation template, unless that is done already; processes that ask at the same
 * time wait for one of them.
 *
 * @returns the folder that holds the template of a stack and one zip file for each of its functions
 * @throws Error with what osls said
 */
export async function packaged(stack: keyof typeof STACKS = 'certrelay'): Promise<string> {
  const output = folderOf(stack)
  await mkdir(CACHE, { recursive: true })
  return exclusively(join(CACHE, 'package.lock'), async () => {
    const inputs = await digest(ROOT, INPUTS)
    if (await isFresh(inputs)) return output
    await rm(STAMP, { force: true })
    for (const one of [STACKS.authority, STACKS.certrelay]) {
      await rm(join(ROOT, '.esbuild'), { recursive: true, force: true }) // stale files would be zipped too
      await run(one)
    }
    await record({ inputs, outputs: await outputs() })
    return output
  })
}

function folderOf(stack: keyof typeof STACKS): string {
  return join(ROOT, STACKS[stack].folder)
}

/** A digest of everything that was made. */
async function outputs(): Promise<string> {
  const all = Object.values(STACKS).map(({ folder }) => digest(join(ROOT, folder), OUTPUTS))
  return (await Promise.all(all)).join(' ')
}

const stamp = v.object({ inputs: v.string(), outputs: v.string() })

/** The outputs count too: `npm run deploy` writes into the same folder. */
async function isFresh(inputs: string): Promise<boolean> {
  const text = await readFile(STAMP, 'utf8').catch(() => '{}')
  const made = v.safeParse(stamp, JSON.parse(text))
  if (!made.success || made.output.inputs !== inputs) return false
  return made.output.outputs === (await outputs())
}

/** Renamed into place: a reader never sees half a stamp. */
async function record(made: v.InferOutput<typeof stamp>): Promise<void> {
  const fresh = `${STAMP}.${process.pid}`
  await writeFile(fresh, JSON.stringify(made))
  await rename(fresh, STAMP)
}

async function digest(folder: string, patterns: readonly string[]): Promise<string> {
  const names: string[] = []
  for await (const name of glob([...patterns], { cwd: folder })) names.push(name)
  const hash = createHash('sha256')
  for (const name of names.sort()) {
    hash.update(`${name}\0`).update(
      createHash('sha256')
        .update(await readFile(join(folder, name)))
        .digest(),
    )
  }
  return hash.digest('hex')
}

type Stack = (typeof STACKS)[keyof typeof STACKS]

/** serverless-esbuild leaves a folder for each function where temporary files go. */
async function run(stack: Stack): Promise<void> {
  const place = await mkdtemp(join(tmpdir(), 'certrelay-package-'))
  try {
    await packageTo(stack, place)
  } finally {
    await rm(place, { recursive: true, force: true })
  }
}

async function packageTo({ config, folder }: Stack, TMPDIR: string): Promise<void> {
  const words = ['package', '--config', config, '--package', folder]
  const child = spawn(process.execPath, [join(BIN, 'osls'), ...words], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TMPDIR, PATH: `${BIN}${delimiter}${process.env['PATH'] ?? ''}` },
  })
  const said: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => said.push(part))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(`osls package failed:\n${Buffer.concat(said)}`)
}

if (process.argv[1] === import.meta.filename) {
  for (const stack of ['certrelay', 'authority'] as const) {
    const folder = await packaged(stack)
    for (const [name, bytes] of Object.entries(await weigh(folder)))
      process.stdout.write(`${name}: ${Math.round(bytes / 1000)} kB\n`)
    process.stdout.write(`functions and template of ${stack}: ${relative(ROOT, folder)}\n`)
  }
  process.stdout.write(
    `image of the sidecar and Envoy: docker build --tag certrelay-envoy:1.40.0 ${relative(ROOT, await imageContext())}\n`,
  )
}
