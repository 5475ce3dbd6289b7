import { RelayError } from '../../pki/error.ts'
import { Secret } from '../../pki/secret.ts'
import type { Held, Stored } from '../../ports/vault.ts'
import { DAY } from '../support/fakes.ts'
import type { World } from './world.ts'

const ARN = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:'

/** A version: empty while a rotation by Secrets Manager waits with it. */
export interface Version {
  content?: string
  readonly labels: Set<string>
  /** When it was stored, epoch milliseconds. */
  readonly at: number
}

/** A secret as Secrets Manager keeps it. */
export interface Kept {
  readonly arn: string
  readonly source: string
  readonly services: readonly string[]
  readonly rotating: boolean
  readonly versions: Map<string, Version>
  /** As a read answers it; replaced when something changes. */
  held: Held
  /** What reads answered before, the newest first, and until when. */
  past: readonly { readonly until: number; readonly held: Held }[]
}

/** Hears of every change. */
export interface Watch {
  stored(kept: Kept, version: string): void
  moved(kept: Kept, label: string, from: string | undefined, to: string | undefined): void
}

/** Secrets Manager: labels, tokens and compare-and-swap as in test/support/shelf.ts, and answers that are late. */
export interface Shelf {
  readonly kept: ReadonlyMap<string, Kept>
  add(
    name: string,
    about: Pick<Kept, 'source' | 'services' | 'rotating'>,
    tags: Readonly<Record<string, string>>,
  ): Kept
  /** As it was `age` milliseconds ago, for reads that are stale. */
  find(secret: string, age: number): Held | undefined
  /** What names a version comes too early when that was stored less than `age` milliseconds ago. @throws VERSION_MISSING */
  reach(secret: string, version: string | undefined, age: number): void
  read(secret: string, version: string | undefined): Stored
  put(secret: string, version: string, content: string, label: string): void
  /** A version without content, as RotateSecret makes one. */
  reserve(secret: string, version: string): void
  move(secret: string, label: string, from: string | undefined, to: string | undefined): void
  tag(secret: string, tags: Readonly<Record<string, string>>, remove: readonly string[]): void
}

export function shelf(world: World, watch: Watch): Shelf {
  const all = new Map<string, Kept>()
  const get = (secret: string): Kept => {
    const one = all.get(secret)
    if (one === undefined) throw new RelayError('SECRET_MISSING', `no secret ${secret}`)
    return one
  }
  const change = (kept: Kept, tags: Readonly<Record<string, string>> = kept.held.tags) => {
    kept.past = [{ until: world.loop.now(), held: kept.held }, ...kept.past.slice(0, 5)]
    kept.held = held(kept, tags)
  }
  const attach = (kept: Kept, label: string, version: string) => {
    const before = holder(kept, label)
    if (before === version) return
    kept.versions.get(before ?? '')?.labels.delete(label)
    kept.versions.get(version)?.labels.add(label)
    if (label === 'AWSCURRENT' && before !== undefined) attach(kept, 'AWSPREVIOUS', before)
    watch.moved(kept, label, before, version)
  }
  return {
    kept: all,
    add(name, about, tags) {
      const arn = `${ARN}${name}-AbCdEf`
      const bare = { arn, ...about, versions: new Map(), past: [] }
      const kept: Kept = { ...bare, held: held(bare, tags) }
      all.set(arn, kept)
      return kept
    },
    find(secret, age) {
      const kept = all.get(secret)
      const at = world.loop.now() - age
      const before = kept?.past.filter(({ until }) => until > at).at(-1)
      return before?.held ?? kept?.held
    },
    reach(secret, version, age) {
      const { at = 0 } = all.get(secret)?.versions.get(version ?? '') ?? {}
      if (at <= world.loop.now() - age) return
      world.note('early', secret)
      throw new RelayError('VERSION_MISSING', `version ${version} is not shown yet`)
    },
    read(secret, version) {
      const kept = get(secret)
      const id = version ?? holder(kept, 'AWSCURRENT') ?? ''
      const content = kept.versions.get(id)?.content
      if (content === undefined) throw new RelayError('VERSION_MISSING', `no version ${id}`)
      return { version: id, content: Secret.from(content) }
    },
    put(secret, version, content, label) {
      const kept = get(secret)
      forget(kept, world)
      const there = kept.versions.get(version)
      if (there?.content !== undefined && there.content !== content)
        throw new RelayError('VERSION_CONFLICT', `version ${version} exists with other content`)
      if (there?.content !== undefined) return
      const labels = there?.labels ?? new Set<string>()
      kept.versions.set(version, { content, labels, at: world.loop.now() })
      watch.stored(kept, version)
      attach(kept, label, version)
      if (holder(kept, 'AWSCURRENT') === undefined) attach(kept, 'AWSCURRENT', version)
      change(kept)
    },
    reserve(secret, version) {
      const kept = get(secret)
      kept.versions.set(version, { labels: new Set(), at: world.loop.now() })
      attach(kept, 'AWSPENDING', version)
      change(kept)
    },
    move(secret, label, from, to) {
      const kept = get(secret)
      if (to !== undefined && !kept.versions.has(to))
        throw new RelayError('VERSION_MISSING', `no version ${to}`)
      const has = holder(kept, label)
      if (has !== from && !(from === undefined && has === to))
        throw new RelayError('VERSION_CONFLICT', `${label} is on ${has ?? 'no version'}`)
      if (to !== undefined) attach(kept, label, to)
      else if (from !== undefined) {
        kept.versions.get(from)?.labels.delete(label)
        watch.moved(kept, label, from, undefined)
      }
      change(kept)
    },
    tag(secret, tags, remove) {
      const kept = get(secret)
      if (Object.values(tags).some((value) => value.length > 256))
        world.fail(`a tag of ${secret} has more than 256 characters`)
      const left = Object.entries(kept.held.tags).filter(([key]) => !remove.includes(key))
      change(kept, { ...Object.fromEntries(left), ...tags })
    },
  }
}

/** Versions without labels may vanish (Secrets Manager user guide, "Secret versions"). */
function forget(kept: Kept, { loop, dice }: World): void {
  for (const [id, { labels, at }] of kept.versions)
    if (labels.size === 0 && at < loop.now() - DAY && dice.chance(0.5)) kept.versions.delete(id)
}

export function holder({ versions }: Pick<Kept, 'versions'>, label: string): string | undefined {
  for (const [id, { labels }] of versions) if (labels.has(label)) return id
  return undefined
}

function held(
  { arn, versions, rotating }: Pick<Kept, 'arn' | 'versions' | 'rotating'>,
  tags: Readonly<Record<string, string>>,
): Held {
  const labelled = [...versions].filter(([, { labels }]) => labels.size > 0)
  return {
    arn,
    name: arn.slice(ARN.length, -7),
    tags,
    versions: new Map(labelled.map(([id, { labels }]) => [id, [...labels]])),
    deleted: false,
    rotating,
    replicas: [],
  }
}
