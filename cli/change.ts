import { parseArgs } from 'node:util'
import type { CaRecord } from '../authority/record.ts'
import { RelayError } from '../pki/error.ts'
import { isRecord } from '../pki/json.ts'
import { checked, PLACE, siteOf } from './founding.ts'
import { labelOf, listUrl, read, say } from './given.ts'
import { recordOf } from './records.ts'

/**
 * `certrelay authority change`: gives an authority another configuration, other rules, or another URL of its revocation list. What
 * cannot be read is refused, what was changed meanwhile is not overwritten, and no authentication key is shown.
 */
export async function change(words: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...words],
    options: {
      ...PLACE,
      config: { type: 'string' },
      names: { type: 'string' },
      'crl-url': { type: 'string' },
      plan: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
  const label = labelOf(positionals[0], 'certrelay authority change LABEL')
  const { config, names, 'crl-url': url } = values
  if (config === undefined && names === undefined && url === undefined)
    throw new Error('say what changes: --config FILE, --names FILE, --crl-url URL')
  const { records } = siteOf(values, false)
  const over = await records.mark(label)
  const before = await recordOf(records, label)
  if (await records.kept(label)) throw stacks(label)
  const after = changed(before, { config: await read(config), names: await read(names), url })
  checked(after.config, after.names)
  const lines = differences(before, after)
  if (lines.length === 0) {
    say(`authority ${label} is as it should be, and stays so`)
    return 0
  }
  process.stdout.write(lines.map((line) => `${line}\n`).join(''))
  if (values.plan) return 0
  await records.write(after, over)
  say(`authority ${label} is changed; functions and servers that sign know it within 30 seconds`)
  return 0
}

interface Given {
  readonly config: unknown
  readonly names: unknown
  readonly url: string | undefined
}

/** An empty URL takes it away. @throws Error for what an overlay does not have */
function changed({ crl, ...record }: CaRecord, { config, names, url }: Given): CaRecord {
  if (record.kind === 'nebula' && (config !== undefined || url !== undefined))
    throw new Error(`authority ${record.label} is for Nebula, which has --names only`)
  if (url !== '') listUrl(url)
  const at = url === undefined ? crl?.url : url
  return {
    ...record,
    ...(config !== undefined && { config }),
    ...(names !== undefined && { names }),
    ...(at !== undefined && at !== '' && { crl: { url: at } }),
  }
}

/** One line a value: `+` new, `-` gone, `~` another one. */
function differences(before: CaRecord, after: CaRecord): readonly string[] {
  const [old, fresh] = [leavesOf(before), leavesOf(after)]
  const paths = [...new Set([...old.keys(), ...fresh.keys()])].sort()
  return paths.flatMap((path) => {
    const [was, is] = [old.get(path), fresh.get(path)]
    if (was === is) return []
    if (isClosed(path)) return [`${was === undefined ? '+' : is === undefined ? '-' : '~'} ${path}`]
    if (was === undefined) return [`+ ${path}: ${is}`]
    return [is === undefined ? `- ${path}: ${was}` : `~ ${path}: ${was} -> ${is}`]
  })
}

/** Of a configuration only what is under `signing` is shown: authentication keys have names, in whatever case CFSSL takes them. */
function isClosed(path: string): boolean {
  return path.startsWith('config') && !path.startsWith('config.signing.')
}

/** Every value by its path; lists of plain values are one. */
function leavesOf({ config, names, crl }: CaRecord): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  const walk = (path: string, value: unknown): void => {
    const isList = Array.isArray(value) && value.some((one) => typeof one === 'object')
    if (!isList && !isRecord(value)) found.set(path, JSON.stringify(value))
    else for (const [name, one] of Object.entries(value)) walk(`${path}.${name}`, one)
  }
  for (const [name, value] of Object.entries({ config, names, crl: crl?.url }))
    if (value !== undefined) walk(name, value)
  return found
}

function stacks(label: string): RelayError {
  return new RelayError(
    'SECRET_TAKEN',
    `authority ${label} is of a stack, which would undo it: change Config and Names of its Custom::ServiceAuthority`,
  )
}
