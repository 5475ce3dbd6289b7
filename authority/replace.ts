import { holder } from '../pki/labels.ts'
import { Secret } from '../pki/secret.ts'
import { contentId } from '../pki/version.ts'
import type { Vault } from '../ports/vault.ts'

/** What is to be in use in a secret that is there. */
export interface Replacement {
  /** ARN or name. */
  readonly secret: string
  /** Version id of what it was made from; absent when nothing was in use. */
  readonly over: string | undefined
  readonly content: string
}

/**
 * Makes a content the one in use, and only after the one that it was made from: of several who change a secret at once the others have to
 * look again. The same content is stored once. Returns its version id.
 *
 * @throws VERSION_CONFLICT when another one came between
 */
export async function replace(
  vault: Pick<Vault, 'find' | 'put' | 'move'>,
  { secret, over, content }: Replacement,
): Promise<string> {
  const version = contentId(content)
  if (version === over) return version
  const bytes = Secret.from(content)
  try {
    await vault.put(secret, version, bytes, 'AWSPENDING')
  } finally {
    bytes.wipe()
  }
  if (over === undefined && (await current(vault, secret)) === version) return version // the first one is in use by itself
  await vault.move(secret, 'AWSCURRENT', over, version)
  return version
}

async function current(vault: Pick<Vault, 'find'>, secret: string): Promise<string | undefined> {
  const held = await vault.find(secret)
  return held && holder(held.versions, 'AWSCURRENT')
}
