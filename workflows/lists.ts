import { replace } from '../authority/replace.ts'
import { encodeTrust, openTrust, type Trust } from '../pki/bundle.ts'
import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import { addLists } from '../pki/lists.ts'
import { readTags } from '../pki/tags.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'

type Needs = Pick<Ports, 'vault'> & {
  readonly clock: Pick<Ports['clock'], 'now'>
  readonly log: Pick<Ports['log'], 'info'>
}

/** What is current in a trust bundle's secret. */
export interface Current {
  readonly version: string
  /** Absent when it cannot be read: somebody else has written it. */
  readonly trust?: Trust
}

/** Somebody else may store at the same time: so often it is looked again. */
const TRIES = 4

/**
 * Puts revocation lists, PEM, into the secret of a trust bundle: watching sidecars take them within a poll. A list whose issuer
 * has a newer one there changes nothing. Returns the version that is current then.
 *
 * @throws SECRET_MISSING, SECRET_TAKEN when it is no trust bundle of certrelay, BUNDLE_INVALID when it holds none, PROPERTY_INVALID when a list is
 * refused
 */
export async function publishLists(
  ports: Needs,
  { secret, lists }: { readonly secret: string; readonly lists: string },
): Promise<{ readonly secret: string; readonly version: string }> {
  const held = await ports.vault.find(secret)
  if (held === undefined || held.deleted)
    throw new RelayError('SECRET_MISSING', `there is no secret ${secret}`)
  if (readTags(held.tags)?.source !== 'trust')
    throw new RelayError('SECRET_TAKEN', `${secret} is no trust bundle of certrelay`)
  const version = await storing(ports, held, (before) => {
    if (before === undefined)
      throw new RelayError('BUNDLE_INVALID', `secret ${secret} holds no trust bundle`)
    return taken(ports, before, { from: 'revocation lists', text: lists })
  })
  return { secret: held.arn, version }
}

/** A trust bundle with the lists of a text in it. @throws PROPERTY_INVALID naming where the text is from, and the rule that a list breaks */
export function taken(
  { clock, log }: Omit<Needs, 'vault'>,
  before: Trust,
  { from, text }: { readonly from: string; readonly text: string },
): Trust {
  const { trust, fates } = addLists(before, text, clock.now())
  for (const fate of fates) {
    if (fate.at === 'refused')
      throw new RelayError('PROPERTY_INVALID', `${from}: each list must be ${fate.rule}`)
    log.info('revocation-list', { from, fate: fate.at, number: String(fate.number) })
  }
  return trust
}

/**
 * Stores what `next` makes of the current trust bundle and makes it current, unless somebody else was faster: then once more, so
 * that nobody's list is lost. Returns the version id, which is made of the content.
 *
 * @throws VERSION_CONFLICT when others are always faster, and what `next` throws
 */
export async function storing(
  { vault }: Pick<Needs, 'vault'>,
  held: Pick<Held, 'arn' | 'versions'>,
  next: (before: Trust | undefined) => Trust,
): Promise<string> {
  for (let tried = 1, versions = held.versions; ; tried++) {
    const before = await current(vault, { arn: held.arn, versions })
    const content = encodeTrust(next(before?.trust))
    try {
      return await replace(vault, { secret: held.arn, over: before?.version, content })
    } catch (error) {
      const isLost = error instanceof RelayError && error.code === 'VERSION_CONFLICT'
      if (!isLost || tried === TRIES) throw error
      versions = (await vault.find(held.arn))?.versions ?? versions
    }
  }
}

/** What is current; `undefined` when nothing was stored yet. */
export async function current(
  vault: Needs['vault'],
  { arn, versions }: Pick<Held, 'arn' | 'versions'>,
): Promise<Current | undefined> {
  const version = holder(versions, 'AWSCURRENT')
  if (version === undefined) return undefined
  const { content } = await vault.read(arn, version)
  try {
    return { version, trust: openTrust(content) }
  } catch (error) {
    if (error instanceof RelayError && error.code === 'BUNDLE_INVALID') return { version }
    throw error
  }
}
