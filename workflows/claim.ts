import { RelayError } from '../pki/error.ts'
import { readTags, staleTags } from '../pki/tags.ts'
import type { Ports } from '../ports/index.ts'
import type { Held, Keeping } from '../ports/vault.ts'

type Needs = Pick<Ports, 'vault' | 'keeper'>

/** A name, and who wants it. */
export interface Claim {
  readonly name: string
  readonly owner: string
  readonly keeping: Keeping
  readonly tags: Readonly<Record<string, string>>
}

/**
 * The secret of that name if it may be ours: free (`undefined`), ours, or ours and waiting for its deletion.
 * @throws SECRET_TAKEN when it is somebody else's: it is never written to.
 */
export async function inspect(
  { vault }: Needs,
  name: string,
  owner: string,
): Promise<Held | undefined> {
  const held = await vault.find(name)
  if (held === undefined) return undefined
  const registration = readTags(held.tags)
  // whoever deleted a managed secret has let go of its name
  if (registration !== undefined && (held.deleted || registration.owner === owner)) return held
  const state = held.deleted ? 'waits for its deletion and' : ''
  throw new RelayError(
    'SECRET_TAKEN',
    `Secret: ${name} ${state} belongs to somebody else; choose another name, or delete that secret if nobody reads it`.replace(
      '  ',
      ' ',
    ),
  )
}

/** Makes the claimed secret exist with its tags, key and replicas; values are not touched. Repeating it changes nothing. */
export async function claim(ports: Needs, { name, owner, keeping, tags }: Claim): Promise<Held> {
  const { vault, keeper } = ports
  const held = await inspect(ports, name, owner)
  if (held === undefined) {
    const arn = await vault.create(name, keeping, tags)
    return { arn, name, tags, versions: new Map(), deleted: false, replicas: keeping.replicas }
  }
  if (held.deleted) await keeper.restore(held.arn)
  await keeper.tag(held.arn, tags, staleTags(held.tags, tags))
  await keeper.keep(held, keeping)
  return { ...held, tags: { ...held.tags, ...tags }, deleted: false }
}
