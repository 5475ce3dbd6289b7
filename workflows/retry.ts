import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
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
  const source = readTags(tags)?.source
  if (source === undefined || source === 'trust')
    throw new RelayError(
      'PROPERTY_INVALID',
      `secret ${name} holds no certificate of certrelay: its tag certrelay:source names none`,
    )
  const version = holder(versions, 'ROLLEDBACK')
  await keeper.tag(secret, {}, [ATTEMPTS])
  await queue.look(secret, 0)
  return { secret, ...(version !== undefined && { version }) }
}
