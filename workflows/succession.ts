import { EDITION } from '../authority/record.ts'
import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import type { Held } from '../ports/vault.ts'
import type { RootWish } from './roots.ts'

/** Tags of an authority's record. */
export const OWNER = 'certrelay:owner'
export const REMOVAL = 'certrelay:removal'
/** Name of its trust bundle. */
export const TRUST = 'certrelay:trust'
/** The owner of what was kept when its resource went. */
export const NOBODY = 'nobody'
/** Whose it was then: a stack of the same name gets it back, others have to say that they want it. */
export const KEPT = 'certrelay:kept-for'
/** Staging label of the version that holds a root: `ROOT-` and its id. */
export const LABEL = EDITION

interface Service {
  readonly trustSecret: string
  readonly roots: readonly [RootWish, ...RootWish[]]
}

/** Peers read the bundle by its name. @throws PROPERTY_INVALID */
export function stays({ trustSecret }: Pick<Service, 'trustSecret'>, held: Held | undefined): void {
  const before = held?.tags[TRUST]
  if (before === undefined || before === trustSecret) return
  throw new RelayError(
    'PROPERTY_INVALID',
    `TrustSecret: it is ${before} and stays so, because peers read it; leave the property as it was`,
  )
}

/** What an ARN has behind a name (Secrets Manager API, CreateSecret): IAM sees both. */
const SUFFIX = '-AAAAAA'

/**
 * This function may keep trust bundles of some names only; a `*` in them stands for any characters, as in IAM. Absent: nobody says which.
 * @throws PROPERTY_INVALID
 */
export function allowed(
  { trustSecret }: Pick<Service, 'trustSecret'>,
  names: string | undefined,
): void {
  if (names === undefined) return
  const parts = names.split('*').map((one) => one.replace(/[.+]/g, '\\$&'))
  if (new RegExp(`^${parts.join('.*')}$`).test(`${trustSecret}${SUFFIX}`)) return
  throw new RelayError(
    'PROPERTY_INVALID',
    `TrustSecret: ${trustSecret} is no name that authorities may have for it (${names}): take one of those, or deploy the signing authority's stack with others (TrustNames)`,
  )
}

/**
 * What is not trusted yet must not sign, and what still signs must stay trusted.
 * @throws PROPERTY_INVALID with the list to give first
 */
export function inOrder({ roots }: Pick<Service, 'roots'>, held: Held | undefined): void {
  if (held === undefined) return
  const known = idsOf(held)
  const signs = signing(held)
  const refuse = (why: string) => {
    throw new RelayError('PROPERTY_INVALID', `Roots: ${why}`)
  }
  const [first] = roots
  if (known.length > 0 && !known.includes(first.id))
    refuse(
      `${first.id} is not trusted by anybody yet: list it behind ${signs ?? known[0]} first, and let it sign in a later update`,
    )
  if (signs !== undefined && !roots.some(({ id }) => id === signs))
    refuse(
      `${signs} still signs: let ${first.id} sign first (${first.id}, ${signs}), and drop it when its certificates are renewed`,
    )
}

/** Ids of the roots that a secret holds. */
export function idsOf({ versions }: Held): readonly string[] {
  return [...versions.values()]
    .flat()
    .filter((label) => label.startsWith(LABEL))
    .map((label) => label.slice(LABEL.length))
}

function signing({ versions }: Held): string | undefined {
  const current = holder(versions, 'AWSCURRENT')
  const label = versions.get(current ?? '')?.find((one) => one.startsWith(LABEL))
  return label?.slice(LABEL.length)
}
