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
  /** Keys of tags that it had before and is not to have any more. */
  readonly dropped: readonly string[]
}

/**
 * The secret of that name if it may be ours: free (`undefined`), ours, or ours and waiting for its deletion.
 *
 * @param arn what CloudFormation knows the resource by. A name is found a little later than a secret is made: before the one
 * that it has is believed to be gone, it is looked for by its ARN.
 * @throws SECRET_TAKEN when it is somebody else's: it is never written to.
 */
export async function inspect(
  { vault }: Needs,
  name: string,
  owner: string,
  arn?: string,
): Promise<Held | undefined> {
  const held = (await vault.find(name)) ?? (isNamed(arn, name) ? await vault.find(arn) : undefined)
  if (held === undefined) return undefined
  const registration = readTags(held.tags)
  // whoever deleted a managed secret has let go of its name
  if (registration !== undefined && (held.deleted || registration.owner === owner)) return held
  const state = held.deleted ? 'waits for its deletion and belongs' : 'belongs'
  throw new RelayError(
    'SECRET_TAKEN',
    `Secret: ${name} ${state} to somebody else; choose another name, or delete that secret if nobody reads it`,
  )
}

/** An ARN ends in the name, a dash and six characters (Secrets Manager API, CreateSecret). */
function isNamed(arn: string | undefined, name: string): arn is string {
  return arn?.replace(/^.*:secret:/, '').replace(/-[A-Za-z0-9]{6}$/, '') === name
}

/** Makes the claimed secret exist with its tags, key and replicas; values are not touched. Repeating it changes nothing. */
export async function claim(ports: Needs, wanted: Claim): Promise<Held> {
  const { vault, keeper } = ports
  const { name, owner, keeping, tags, dropped } = wanted
  let held = await inspect(ports, name, owner)
  if (held === undefined) {
    try {
      const arn = await vault.create(name, keeping, tags)
      return { arn, name, tags, versions: new Map(), deleted: false, replicas: keeping.replicas }
    } catch (error) {
      if (!(error instanceof RelayError) || error.code !== 'SECRET_TAKEN') throw error
      held = await inspect(ports, name, owner) // another delivery of this request may have been faster
      if (held === undefined) throw error
    }
  }
  if (held.deleted) await keeper.restore(held.arn)
  await keeper.tag(held.arn, tags, staleTags(held.tags, tags, dropped))
  await keeper.keep(held, keeping)
  return { ...held, tags: { ...held.tags, ...tags }, deleted: false }
}

/**
 * Gives a name back that was claimed in vain: removes the secret if it is the owner's. Returns what is left behind.
 */
export async function release(
  { vault, keeper }: Needs,
  name: string,
  owner: string,
): Promise<string[]> {
  try {
    const held = await vault.find(name)
    if (held !== undefined && readTags(held.tags)?.owner === owner) await keeper.remove(held.arn)
    return []
  } catch {
    return [`secret ${name}`] // why it failed matters less than what to look for
  }
}
