import { readFile } from 'node:fs/promises'
import { RelayError } from '../pki/error.ts'
import { Secret } from '../pki/secret.ts'
import type { Vault } from '../ports/vault.ts'
import { first } from './first.ts'

/** A vault in one region. */
export interface Shelf {
  readonly region: string
  readonly vault: Pick<Vault, 'read' | 'find'>
}

/** What was read; without a version where none is kept beside the content. */
export interface Found {
  readonly version: string | undefined
  readonly content: Secret
  /** The region that answered, when it was not the primary. */
  readonly replica?: string
}

/** Where one secret is kept. */
export interface Place {
  /** Version id of what is current; `undefined` where only the content tells. */
  version(): Promise<string | undefined>
  read(): Promise<Found>
}

type Environment = Record<string, string | undefined>

/** A place by its name: `file:/path`, `env:NAME`, or the ARN or name of a secret. */
export function place(name: string, shelves: readonly Shelf[], environment: Environment): Place {
  if (name.startsWith('file:')) return file(name.slice('file:'.length))
  if (name.startsWith('env:')) return variable(name.slice('env:'.length), environment)
  return secret(name, shelves)
}

function secret(name: string, shelves: readonly Shelf[]): Place {
  const regions = shelves.map(({ region }) => region)
  const at = (index: number) => {
    const shelf = shelves[index]
    if (shelf === undefined) throw new TypeError('every region has a shelf')
    return shelf.vault
  }
  return {
    async version() {
      const { value } = await first(regions, async (region, index) => {
        const held = await at(index).find(inRegion(name, region))
        const [version] = [...(held?.versions ?? [])].find(isCurrent) ?? []
        if (version === undefined || held?.deleted)
          throw new RelayError('SECRET_MISSING', `secret ${name} has no current version`)
        return version
      })
      return value
    },
    async read() {
      const { value, region, replica } = await first(
        regions,
        (each, index) => at(index).read(inRegion(name, each)),
        ({ content }) => content.wipe(),
      )
      return { ...value, ...(replica && { replica: region }) }
    },
  }
}

function isCurrent([, labels]: readonly [string, readonly string[]]): boolean {
  return labels.includes('AWSCURRENT')
}

/** A replica's ARN differs from its primary's in the region only. */
function inRegion(name: string, region: string): string {
  return name.replace(/^(arn:[^:]+:secretsmanager:)[^:]+/, `$1${region}`)
}

function file(path: string): Place {
  return {
    version: async () => undefined,
    async read() {
      const content = await readFile(path).catch((cause: NodeJS.ErrnoException) => {
        const code = cause.code === 'ENOENT' ? 'SECRET_MISSING' : 'ACCESS_REFUSED'
        throw new RelayError(code, `cannot read file ${path}: ${cause.code}`, { cause })
      })
      return { version: undefined, content: Secret.of(content) }
    },
  }
}

/** Read once and taken out of the environment: a new value comes with a new task only. */
function variable(name: string, environment: Environment): Place {
  let kept: string | undefined
  return {
    version: async () => undefined,
    async read() {
      kept ??= environment[name]
      delete environment[name]
      if (!kept) throw new RelayError('SECRET_MISSING', `variable ${name} is not set`)
      return { version: undefined, content: Secret.from(kept) }
    },
  }
}
