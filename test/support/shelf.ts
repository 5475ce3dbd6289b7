import { RelayError } from '../../pki/error.ts'
import { Secret } from '../../pki/secret.ts'
import { readTags } from '../../pki/tags.ts'
import type { Held, Keeper, Keeping, Vault } from '../../ports/vault.ts'

/** A secret as Secrets Manager keeps it. */
export interface Kept {
  readonly arn: string
  readonly name: string
  tags: Record<string, string>
  /** Empty content: a rotation has begun, and nothing was stored yet. */
  readonly versions: Map<string, { readonly content: string; readonly labels: Set<string> }>
  deleted: boolean
  rotating?: boolean
  key: string | undefined
  replicas: readonly string[]
}

/** Vault and keeper over one memory, and the memory itself. */
export interface Shelf {
  readonly vault: Vault
  readonly keeper: Keeper
  /** By ARN. */
  readonly kept: Map<string, Kept>
  /** By name or ARN. */
  get(secret: string): Kept | undefined
}

const MOST_TAG = 256

/** Secrets Manager's labels, tokens and compare-and-swap (aws.md 3), in memory. */
export function shelf(): Shelf {
  const kept = new Map<string, Kept>()
  const get = (secret: string) =>
    kept.get(secret) ?? [...kept.values()].find(({ name }) => name === secret)
  const alive = (secret: string): Kept => {
    const one = get(secret)
    if (one === undefined) throw new RelayError('SECRET_MISSING', `no secret ${secret}`)
    if (one.deleted) throw new TypeError('a secret that waits for its deletion takes no changes')
    return one
  }
  return { vault: vault(kept, get, alive), keeper: keeper(kept, get, alive), kept, get }
}

type Get = (secret: string) => Kept | undefined
type Alive = (secret: string) => Kept

function vault(kept: Map<string, Kept>, get: Get, alive: Alive): Vault {
  return {
    async find(secret) {
      const one = get(secret)
      return one === undefined ? undefined : held(one)
    },
    async create(name, { key, replicas }, tags) {
      if (get(name) !== undefined) throw new RelayError('SECRET_TAKEN', `${name} exists`)
      const arn = `arn:aws:secretsmanager:us-east-1:111122223333:secret:${name}-AbCdE${kept.size}`
      const versions = new Map()
      kept.set(arn, { arn, name, tags: valid(tags), versions, deleted: false, key, replicas })
      return arn
    },
    async put(secret, version, content, label) {
      const one = alive(secret)
      const text = Buffer.from(content.reveal()).toString('utf8')
      const there = one.versions.get(version)
      const empty = there === undefined || there.content === ''
      if (!empty && there.content !== text)
        throw new RelayError('VERSION_CONFLICT', `version ${version} exists with other content`)
      if (!empty) return
      const first = one.versions.size === 0
      one.versions.set(version, { content: text, labels: new Set(there?.labels) })
      attach(one, label, version)
      if (first) attach(one, 'AWSCURRENT', version)
    },
    async read(secret, version) {
      const one = alive(secret)
      const id = version ?? holder(one, 'AWSCURRENT') ?? ''
      const there = one.versions.get(id)
      if (there === undefined || there.content === '')
        throw new RelayError(
          version === undefined ? 'SECRET_MISSING' : 'VERSION_MISSING',
          `no version ${id}`,
        )
      return { version: id, content: Secret.from(there.content) }
    },
    async move(secret, label, from, to) {
      const one = alive(secret)
      if (to !== undefined && !one.versions.has(to))
        throw new RelayError('VERSION_MISSING', `no version ${to}`)
      const has = holder(one, label)
      if (has !== from && !(from === undefined && has === to))
        throw new RelayError('VERSION_CONFLICT', `${label} is on ${has ?? 'no version'}`)
      if (to === undefined) one.versions.get(from ?? '')?.labels.delete(label)
      else attach(one, label, to)
    },
  }
}

/** A label sits on one version; what AWSCURRENT leaves becomes AWSPREVIOUS. */
function attach(one: Kept, label: string, version: string): void {
  const before = holder(one, label)
  if (before === version) return
  for (const { labels } of one.versions.values()) labels.delete(label)
  one.versions.get(version)?.labels.add(label)
  if (label === 'AWSCURRENT' && before !== undefined) attach(one, 'AWSPREVIOUS', before)
}

function holder(one: Kept, label: string): string | undefined {
  return [...one.versions].find(([, { labels }]) => labels.has(label))?.[0]
}

function keeper(kept: Map<string, Kept>, get: Get, alive: Alive): Keeper {
  return {
    async tag(secret, tags, remove = []) {
      const one = alive(secret)
      const left = Object.entries(one.tags).filter(([key]) => !remove.includes(key))
      one.tags = { ...Object.fromEntries(left), ...valid(tags) }
    },
    async keep({ arn }, { key, replicas }: Keeping) {
      const one = alive(arn)
      one.key = key ?? one.key
      one.replicas = replicas
    },
    async restore(secret) {
      const one = get(secret)
      if (one !== undefined) one.deleted = false
    },
    async remove(secret) {
      const one = get(secret)
      if (one === undefined) return
      one.replicas = []
      one.deleted = true
    },
    async *managed({ source, service } = {}) {
      const all = [...kept.values()].filter(({ deleted, tags }) => {
        const has = readTags(tags)
        if (deleted || has === undefined || has.source === 'trust') return false
        if (service !== undefined) return has.services.includes(service)
        return source === undefined || has.source === source
      })
      for (let at = 0; at < all.length; at += 2) yield all.slice(at, at + 2).map(held)
    },
  }
}

function held({ arn, name, tags, versions, deleted, rotating = false, key, replicas }: Kept): Held {
  const labelled = [...versions].filter(([, { labels }]) => labels.size > 0)
  return {
    arn,
    name,
    tags: { ...tags },
    versions: new Map(labelled.map(([id, { labels }]) => [id, [...labels]])),
    deleted,
    rotating,
    replicas,
    ...(key !== undefined && { key }),
  }
}

function valid(tags: Readonly<Record<string, string>>): Record<string, string> {
  for (const value of Object.values(tags)) {
    if (value.length > MOST_TAG) throw new TypeError('a tag value has 256 characters at most')
  }
  return { ...tags }
}
