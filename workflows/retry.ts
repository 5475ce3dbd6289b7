import { holder } from '../pki/decide.ts'
import { RelayError } from '../pki/error.ts'
import { ATTEMPTS, readTags } from '../pki/tags.ts'
import type { Ports } from '../ports/index.ts'

type Needs = Pick<Ports, 'vault' | 'keeper' | 'queue'>

/** What is tried again. */
export interface Retried {
  readonly secret: string
  /** The version that was rolled back; absent when there was none, and it is only looked at. */
  readonly version?: string
}

/**
 * Has a certificate that was rolled back tried again at once, as if it had never failed, and looks at the secret in any case.
 *
 * @throws SECRET_MISSING, PROPERTY_INVALID when it is not managed
 */
export async function retry(
  { vault, keeper, queue }: Needs,
  { secret: name }: { readonly secret: string },
): Promise<Retried> {
  const held = await vault.find(name)
  if (held === undefined || held.deleted)
    throw new RelayError(
      'SECRET_MISSING',
      `there is no secret ${name}: look at its name and region`,
    )
  const { arn: secret, tags, versions } = held
  if (readTags(tags) === undefined)
    throw new RelayError(
      'PROPERTY_INVALID',
      `secret ${name} has no tag certrelay:source: certrelay does not look after it`,
    )
  const version = holder(versions, 'ROLLEDBACK')
  if (Object.hasOwn(tags, ATTEMPTS)) await keeper.tag(secret, {}, [ATTEMPTS])
  await queue.look(secret, 0)
  return { secret, ...(version !== undefined && { version }) }
}
