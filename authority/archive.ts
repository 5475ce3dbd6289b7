import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import type { Secret } from '../pki/secret.ts'
import { contentId } from '../pki/version.ts'
import type { Archive } from '../ports/archive.ts'
import type { Keeping, Vault } from '../ports/vault.ts'
import { type CaRecord, EDITION, LABEL, PREFIX, renderRecord, TAG } from './record.ts'
import { replace } from './replace.ts'
import { Refused } from './request.ts'

/** The records in Secrets Manager. */
export function archive(vault: Pick<Vault, 'read'>): Archive {
  return {
    async read(label) {
      try {
        return (await vault.read(`${PREFIX}${label}`)).content
      } catch (error) {
        if (error instanceof RelayError && error.code === 'SECRET_MISSING') return undefined
        throw error
      }
    },
  }
}

/** The records of those roots of a label that do not sign certificates now: peers trust them, and their lists are due all the same. @throws Refused `label-unknown` */
export async function editions(
  vault: Pick<Vault, 'find' | 'read'>,
  label: string,
): Promise<readonly Archive[]> {
  if (!LABEL.test(label)) throw missing()
  const held = await vault.find(`${PREFIX}${label}`)
  if (held === undefined) throw missing()
  const others = [...held.versions].filter(
    ([, labels]) => labels.some((one) => one.startsWith(EDITION)) && !labels.includes('AWSCURRENT'),
  )
  return others.map(([version]) => ({
    read: async () => (await vault.read(held.arn, version)).content,
  }))
}

function missing(): Refused {
  return new Refused('label-unknown', 'there is no authority of this label')
}

/** What is kept of a label now. */
export interface Shelved {
  /** Version id of the record in use; absent while there is none. */
  readonly version?: string
  /** Whether its secret is there, if only an empty one of a founding that was cut short. */
  readonly made: boolean
}

/**
 * Looks for the secret of a label.
 * @throws SECRET_TAKEN when it belongs to somebody else, or waits for its deletion
 */
export async function shelved(vault: Pick<Vault, 'find'>, label: string): Promise<Shelved> {
  const name = `${PREFIX}${label}`
  const held = await vault.find(name)
  if (held === undefined) return { made: false }
  if (held.tags[TAG] !== label)
    throw new RelayError(
      'SECRET_TAKEN',
      `the secret ${name} is not the record of an authority: it has no tag ${TAG}; take another label`,
    )
  if (held.deleted)
    throw new RelayError(
      'SECRET_TAKEN',
      `the secret ${name} waits for its deletion; restore it, or take another label`,
    )
  const version = holder(held.versions, 'AWSCURRENT')
  return { made: true, ...(version !== undefined && { version }) }
}

/**
 * Stores a record as the one in use. `over` is what was in use when it was made: nothing is replaced that nobody looked at. The
 * same record is stored once, however often it is asked for.
 *
 * @throws VERSION_CONFLICT when another record came between; SECRET_TAKEN
 */
export async function shelve(
  vault: Pick<Vault, 'find' | 'create' | 'put' | 'move'>,
  record: CaRecord,
  { over, keeping = { replicas: [] } }: { over: string | undefined; keeping?: Keeping },
): Promise<string> {
  const name = `${PREFIX}${record.label}`
  const content = textOf(renderRecord(record))
  const { made, version: current } = await shelved(vault, record.label)
  if (current === contentId(content)) return current
  if (current !== over) throw conflict(record.label)
  if (!made) await vault.create(name, keeping, { [TAG]: record.label })
  return replace(vault, { secret: name, over, content })
}

function textOf(content: Secret): string {
  try {
    return Buffer.from(content.reveal()).toString('utf8')
  } finally {
    content.wipe()
  }
}

function conflict(label: string): RelayError {
  return new RelayError(
    'VERSION_CONFLICT',
    `the record of authority ${label} was changed meanwhile; look at it (certrelay authority show ${label}) and try again`,
  )
}
