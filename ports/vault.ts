import type { Secret } from '../pki/secret.ts'

/** A secret without its values. */
export interface Held {
  readonly arn: string
  readonly name: string
  readonly tags: Readonly<Record<string, string>>
  /** Version id to its staging labels; versions without labels are not listed. */
  readonly versions: ReadonlyMap<string, readonly string[]>
  /** True while it waits for its deletion. */
  readonly deleted: boolean
  /** Encryption key (ARN, id or alias); absent for the account's default key. */
  readonly key?: string
  readonly replicas: readonly string[]
  /** Secrets Manager rotates it by a schedule or on demand. */
  readonly rotating?: boolean
}

/** A secret as a list of many shows it. */
export type Listed = Pick<Held, 'arn' | 'tags' | 'versions'> & {
  /** When it was made, and when anything of it was changed last, its tags too; epoch milliseconds. */
  readonly created?: number
  readonly changed?: number
}

/** How a secret is kept. */
export interface Keeping {
  readonly key?: string
  readonly replicas: readonly string[]
}

/** A value and the version it was read from. */
export interface Stored {
  readonly version: string
  readonly content: Secret
}

/** Keeps secrets, versioned and labelled. In production: AWS Secrets Manager. */
export interface Vault {
  /** By ARN or name; `undefined` when there is none. */
  find(secret: string): Promise<Held | undefined>
  /** Makes an empty secret. @throws SECRET_TAKEN when the name is in use. */
  create(name: string, keeping: Keeping, tags: Readonly<Record<string, string>>): Promise<string>
  /**
   * Stores a version under an id and label; the first version of a secret becomes AWSCURRENT whatever the label.
   * @throws VERSION_CONFLICT when the id exists with other content.
   */
  put(
    secret: string,
    version: string,
    content: Secret,
    label: 'AWSPENDING' | 'AWSCURRENT',
  ): Promise<void>
  /**
   * The current version, or that of an id.
   * @throws SECRET_MISSING when there is no such secret, or none is current; VERSION_MISSING when the secret is there and a version
   * of that id is not, or not yet: what was stored a moment ago is not always shown, and one that a rotation waits with is empty.
   */
  read(secret: string, version?: string): Promise<Stored>
  /**
   * Moves a label: compare-and-swap on the version that holds it now.
   * @throws VERSION_CONFLICT when another version holds it; VERSION_MISSING as `read` does.
   */
  move(
    secret: string,
    label: string,
    from: string | undefined,
    to: string | undefined,
  ): Promise<void>
}

/** Changes what surrounds the values. */
export interface Keeper {
  tag(
    secret: string,
    tags: Readonly<Record<string, string>>,
    remove?: readonly string[],
  ): Promise<void>
  /** Makes encryption key and replicas as asked. */
  keep(held: Held, keeping: Keeping): Promise<void>
  restore(secret: string): Promise<void>
  /** Removes replicas and schedules the deletion in 7 days; nothing happens when it is gone already. */
  remove(secret: string): Promise<void>
  /**
   * The secrets that hold a certificate, page by page: all, or those of one source or of one service (`cluster/service`); no
   * trust bundles, no replicas.
   */
  managed(of?: {
    readonly source?: string
    readonly service?: string
  }): AsyncIterable<readonly Listed[]>
}
