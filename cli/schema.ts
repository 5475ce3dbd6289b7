import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync, constants } from 'node:zlib'
import { type Member, type Type, typesOf } from './descriptor.ts'
import { ensureEnvoy } from './envoy.ts'
import { rulesText } from './rules.ts'

const OUTPUT = join(import.meta.dirname, '..', 'envoy', 'schema.json')
/** What a bootstrap may hold: itself, and what an `Any` in it may name. */
const ROOTS =
  /^(envoy\.config\.bootstrap\.v3\.Bootstrap|(envoy\.(config|extensions)|xds|udpa\.type)\..*)$/

/** One letter for each scalar type of protobuf: as JSON takes them (https://protobuf.dev/programming-guides/json/). */
const LETTERS: Readonly<Record<number, string>> = {
  ...{ 1: 'f', 2: 'f', 3: 'I', 4: 'U', 5: 'i', 6: 'U', 7: 'u', 8: 'b', 9: 's' },
  ...{ 12: 'y', 13: 'u', 15: 'i', 16: 'I', 17: 'i', 18: 'I' },
}

/**
 * Envoy's API as `envoy/schema.ts` reads it, out of the program itself, so that both cannot disagree: one type a line,
 * `M name field …` or `E name value …`; a field is `name:type`, the type a letter or the number of a line, then `*` for a
 * list, `@` and the number of a group that excludes each other, and its rules; `|` and the groups of which one must be there.
 */
export function schemaText(program: Buffer): string {
  const types = typesOf(program)
  const kept = new Set<string>()
  for (const name of [...types.keys()].sort()) if (ROOTS.test(name)) reach(types, name, kept)
  const names = [...kept].sort()
  const lines = new Map(names.map((name, line) => [name, line]))
  return names.map((name) => line(name, types.get(name), lines)).join('\n')
}

function reach(types: ReadonlyMap<string, Type>, name: string, kept: Set<string>): void {
  const type = types.get(name)
  if (type === undefined || kept.has(name)) return
  kept.add(name)
  if (type.kind === 'enum') return
  for (const { of } of type.fields) if (of !== undefined) reach(types, of, kept)
}

function line(name: string, type: Type | undefined, lines: ReadonlyMap<string, number>): string {
  if (type === undefined) throw new TypeError(`no type ${name}`)
  if (type.kind === 'enum') {
    return ['E', name, ...type.values.map(([label, value]) => `${label}=${value}`)].join(' ')
  }
  const demanded = type.demanded.length > 0 ? [`|${type.demanded.join(',')}`] : []
  return ['M', name, ...type.fields.map((one) => field(one, lines)), ...demanded].join(' ')
}

function field(
  { name, type, of, repeated, group, rules }: Member,
  lines: ReadonlyMap<string, number>,
): string {
  const what = of === undefined ? LETTERS[type] : lines.get(of)
  if (what === undefined) throw new TypeError(`no type for the field ${name}`)
  const among = group === undefined ? '' : `@${group}`
  return `${name}:${what}${repeated ? '*' : ''}${among}${rulesText(rules)}`
}

/** The file's content: compressed, because the sidecar carries it. */
export function schemaFile(program: Buffer): string {
  const params = { [constants.BROTLI_PARAM_LGWIN]: 24 }
  const brotli = brotliCompressSync(schemaText(program), { params }).toString('base64')
  return `${JSON.stringify({ envoy: '1.40.0', brotli }, null, 2)}\n`
}

if (process.argv[1] === import.meta.filename) {
  const envoy = await ensureEnvoy((line) => void process.stderr.write(`${line}\n`))
  await writeFile(OUTPUT, schemaFile(await readFile(envoy)))
}
