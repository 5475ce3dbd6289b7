import { PREFIX } from '../authority/record.ts'
import { RelayError } from '../pki/error.ts'
import { ownSource } from '../pki/source.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import type { Gone } from './resource.ts'
import { KEPT, NOBODY, OWNER, REMOVAL, TRUST } from './succession.ts'

type Needs = Pick<Ports, 'vault' | 'keeper' | 'log'>

/** Keeps the authority for the same stack, or who adopts it, or has its secrets deleted in 7 days when nothing uses it. */
export async function remove(ports: Needs, { owner, home, physicalId }: Gone): Promise<void> {
  const { vault, keeper, log } = ports
  const label = ownSource(physicalId)?.label
  const held = label === undefined ? undefined : await vault.find(`${PREFIX}${label}`)
  if (label === undefined || held === undefined || held.deleted || held.tags[OWNER] !== owner) {
    log.info('nothing-to-remove', { secret: physicalId })
    return
  }
  const bundles = await trustsOf(ports, held)
  if (held.tags[REMOVAL] !== 'delete') {
    for (const { arn } of bundles) await keeper.tag(arn, { [OWNER]: NOBODY })
    await keeper.tag(held.arn, { ...(home !== undefined && { [KEPT]: home }), [OWNER]: NOBODY })
    log.warn('authority-kept', { label, secret: held.arn })
    return
  }
  await unused(ports, label)
  for (const { arn } of [...bundles, held]) await keeper.remove(arn)
  log.info('removed', { secret: held.arn })
}

/** The trust bundle that goes with an authority, if it is still of the same owner. */
async function trustsOf({ vault }: Needs, { tags }: Held): Promise<readonly Held[]> {
  const name = tags[TRUST]
  const held = name === undefined ? undefined : await vault.find(name)
  const ours = held !== undefined && !held.deleted && held.tags[OWNER] === tags[OWNER]
  return ours ? [held] : []
}

/** @throws AUTHORITY_REFUSED naming the secrets whose certificates it signs */
async function unused({ keeper }: Needs, label: string): Promise<void> {
  const users: string[] = []
  for await (const page of keeper.managed())
    for (const { arn, tags } of page)
      if (ownSource(tags['certrelay:source'] ?? '')?.label === label) users.push(arn)
  if (users.length === 0) return
  throw new RelayError(
    'AUTHORITY_REFUSED',
    `authority ${label} is in use by ${users.slice(0, 5).join(', ')}: delete or change those first, or let DeletionPolicy be Retain`,
  )
}
