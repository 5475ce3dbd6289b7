import { mkdir, open, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { KMSClient, TagResourceCommand } from '@aws-sdk/client-kms'
import { paginateListSecrets, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { archive, shelve, shelved } from '../authority/archive.ts'
import { refusePlain } from '../authority/plain.ts'
import {
  type CaRecord,
  EDITION,
  LABEL,
  PREFIX,
  parseRecord,
  renderRecord,
  TAG,
} from '../authority/record.ts'
import { type Shelf, type Store, store } from '../authority/store.ts'
import { keyhole, pen } from '../aws/kms.ts'
import { vault } from '../aws/secrets.ts'
import { configuration } from '../cfssl/config.ts'
import type { Surroundings } from '../middleware/conduct.ts'
import { failover } from '../middleware/failover.ts'
import { memory } from '../middleware/memory.ts'
import { pens } from '../middleware/signing.ts'
import { time } from '../middleware/time.ts'
import { RelayError } from '../pki/error.ts'
import { keyRegion } from '../pki/sealed.ts'
import { Secret } from '../pki/secret.ts'
import { contentId } from '../pki/version.ts'
import type { Archive } from '../ports/archive.ts'
import type { Keys, Pens } from '../ports/keys.ts'
import type { Keeping } from '../ports/vault.ts'

/** Where the records of authorities lie, for a person who changes them. */
export interface Records extends Archive {
  labels(): Promise<readonly string[]>
  /** What a record is now, for `write`; `undefined` when there is none. */
  mark(label: string): Promise<string | undefined>
  /** Whether a stack keeps it, with one version a root (`Custom::ServiceAuthority`). */
  kept(label: string): Promise<boolean>
  /** @throws VERSION_CONFLICT when the record is another than `over` by now */
  write(record: CaRecord, over: string | undefined, keeping?: Keeping): Promise<void>
}

/** In Secrets Manager. */
export function secretRecords(client: SecretsManagerClient): Records {
  const kept = vault(client)
  return {
    ...archive(kept),
    mark: async (label) => (await shelved(kept, label)).version,
    async kept(label) {
      const held = await kept.find(`${PREFIX}${label}`)
      return [...(held?.versions.values() ?? [])].flat().some((one) => one.startsWith(EDITION))
    },
    async write(record, over, keeping) {
      await shelve(kept, record, { over, ...(keeping && { keeping }) })
    },
    async labels() {
      const found: string[] = []
      const Filters = [{ Key: 'name' as const, Values: [PREFIX] }]
      for await (const { SecretList = [] } of paginateListSecrets({ client }, { Filters }))
        for (const { Name = '', Tags = [] } of SecretList) {
          const label = Name.slice(PREFIX.length)
          if (Tags.some(({ Key, Value }) => Key === TAG && Value === label)) found.push(label)
        }
      return found.sort()
    },
  }
}

/** In a folder: `LABEL.json`, and in plain mode `LABEL.key` beside it. */
export function folderRecords(folder: string): Records {
  const fileOf = (label: string) => join(folder, `${label}.json`)
  const textOf = (label: string) => readFile(fileOf(label), 'utf8').catch(unlessMissing)
  const mark = async (label: string) => {
    const text = await textOf(label)
    return text === undefined ? undefined : contentId(text)
  }
  return {
    mark,
    kept: async () => false,
    async read(label) {
      const text = await textOf(label)
      return text === undefined ? undefined : Secret.from(text)
    },
    async labels() {
      const names = await readdir(folder).catch((error: unknown) => unlessMissing(error) ?? [])
      return names
        .filter((name) => name.endsWith('.json'))
        .map((name) => name.slice(0, -'.json'.length))
        .filter((label) => LABEL.test(label))
        .sort()
    },
    async write(record, over) {
      if ((await mark(record.label)) !== over)
        throw new RelayError('VERSION_CONFLICT', `${fileOf(record.label)} was changed meanwhile`)
      const content = renderRecord(record)
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const fresh = `${fileOf(record.label)}.${process.pid}`
      await written(fresh, content)
      await rename(fresh, fileOf(record.label))
    },
  }
}

/** A file that only its owner reads; one that is there already is not replaced. */
async function written(file: string, content: Secret): Promise<void> {
  const handle = await open(file, 'wx', 0o600)
  try {
    await handle.writeFile(content.reveal())
    await handle.sync()
  } finally {
    await handle.close()
    content.wipe()
  }
}

function unlessMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
  throw error
}

/** Keeps and finds the keys of plain mode, in development only. */
export function keyFiles(folder: string) {
  return {
    async keep(label: string, file: string, key: Secret): Promise<void> {
      refusePlain(process.env, label)
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await written(join(folder, file), key).catch((error: unknown) => {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
        throw new RelayError(
          'SECRET_TAKEN',
          `${join(folder, file)} is there already: it may be the key of an authority; move it away`,
        )
      })
    },
    async read({ label }: CaRecord, file: string): Promise<Secret> {
      refusePlain(process.env, label)
      return Secret.of(await readFile(join(folder, file)))
    },
  }
}

/** Uses of keys for as long as a command runs. */
export interface Ring {
  readonly keys: Keys | undefined
  readonly pens: Pens
  /** Marks asymmetric keys as those of an authority: the signing function may use no others. */
  claim(keys: readonly string[], label: string): Promise<void>
}

const BUDGET = 15_000

/** KMS in the regions of these keys, with the failover of the functions; audit lines go to standard error. */
export function ring(sealing: readonly string[]): Ring {
  const clients = new Map<string, KMSClient>()
  const of = (key: string) => {
    const region = keyRegion(key)
    const one =
      clients.get(region) ?? new KMSClient({ region, maxAttempts: 1, requestHandler: HASTE })
    clients.set(region, one)
    return one
  }
  const around: Surroundings = {
    audit: (line, attempts) =>
      void process.stderr.write(`${JSON.stringify({ audit: true, ...line, attempts })}\n`),
    warn: () => {},
    count: () => {},
    ...{ time, memory: memory(time.random), remaining: () => BUDGET },
  }
  const holes = sealing.map((key) => keyhole(of(key), keyRegion(key), key))
  return {
    keys: holes.length === 0 ? undefined : failover(holes, around),
    pens: pens((key) => pen(of(key), keyRegion(key), key), around),
    async claim(keys, label) {
      for (const key of keys) {
        const Tags = [{ TagKey: TAG, TagValue: label }]
        await of(key).send(new TagResourceCommand({ KeyId: key, Tags }))
      }
    },
  }
}

const HASTE = { connectionTimeout: 2_000, requestTimeout: 5_000, throwOnRequestTimeout: true }

/** The authorities of these records, with keys that open. */
export function storeOf(
  records: Records,
  {
    org,
    folder,
    keys,
    pens: own,
  }: Pick<Ring, 'keys' | 'pens'> & {
    readonly org: string
    readonly folder: string | undefined
  },
): Store {
  const shelf: Shelf = new Map()
  const none = { read: () => undefined, compatible: new Set<never>() }
  return store({
    ...{ org, keys, pens: own, archive: records, now: Date.now, shelf },
    policy: ({ config = { signing: {} } }) => configuration(config, none).policy,
    plain: folder === undefined ? undefined : keyFiles(folder).read,
  })
}

/** The record of a label. @throws AUTHORITY_MISSING */
export async function recordOf(records: Records, label: string): Promise<CaRecord> {
  const content = await records.read(label)
  if (content === undefined)
    throw new RelayError(
      'AUTHORITY_MISSING',
      `there is no authority ${label}; see certrelay authority list`,
    )
  try {
    return parseRecord(content, label)
  } finally {
    content.wipe()
  }
}
