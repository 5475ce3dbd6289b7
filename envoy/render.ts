import { readFile } from 'node:fs/promises'
import { RelayError } from '../pki/error.ts'
import { bootstrap } from './bootstrap.ts'
import { isObject } from './json.ts'
import { merge } from './merge.ts'
import { nginxConf } from './nginx.ts'
import { plan } from './plan.ts'
import type { Settings } from './settings.ts'
import { mistakes } from './strict.ts'
import { ownAddress } from './task.ts'
import { parseFile } from './yaml.ts'

/** So many mistakes are named at once. */
const MOST = 20

/**
 * Envoy's bootstrap as JSON, for the address of this container (or what nginx includes): ours, or a user's own (`CERTRELAY_BOOTSTRAP`) with ours in it. Ours
 * compiles only when it is right; a user's is checked against the whole API of Envoy before anything is started.
 *
 * @throws RelayError CONFIG_INVALID naming every mistake and conflict by its path, never a value.
 */
export async function render(
  settings: Settings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  if (settings.target === 'nginx') return nginxConf(settings.dir, false)
  const wanted = plan(settings, await ownAddress(environment))
  const ours = bootstrap(wanted)
  const { bootstrap: path, listeners, clusters } = settings
  if (path === undefined) return text(ours)
  const theirs = parseFile(path, await readFile(path, 'utf8'))
  refuse(
    path,
    'is no bootstrap that Envoy takes',
    mistakes(theirs).map((one) => `${one.path} ${one.rule} (${one.code})`),
  )
  if (!isObject(theirs)) throw new TypeError('the check has let pass what is no object')
  const merged = merge(theirs, ours, { plan: wanted, listeners, clusters })
  refuse(path, "and certrelay's bootstrap do not fit together", merged.conflicts)
  return text(merged.bootstrap)
}

function refuse(path: string, what: string, found: readonly string[]): void {
  if (found.length === 0) return
  const more = found.length > MOST ? [`and ${found.length - MOST} more`] : []
  const list = [...found.slice(0, MOST), ...more].join('; ')
  throw new RelayError('CONFIG_INVALID', `${path} ${what}: ${list}`)
}

function text(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
