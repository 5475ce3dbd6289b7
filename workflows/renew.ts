import { issuerKey, parseRevocationList } from '../pki/crl.ts'
import { isFault } from '../pki/der.ts'
import { RelayError } from '../pki/error.ts'
import { LISTENS } from '../pki/listens.ts'
import { pemBlocks } from '../pki/pem.ts'
import type { Ports } from '../ports/index.ts'
import type { Directory, Given, Listening, Lister } from '../ports/lister.ts'
import type { Publisher } from '../ports/publisher.ts'
import { current, publishLists } from './lists.ts'

type Needs = Pick<Ports, 'vault' | 'clock' | 'log'> & {
  /** Absent when no function that signs is configured. */
  readonly lister: Lister | undefined
  readonly directory: Directory
  /** Absent when no bucket is configured. */
  readonly publisher: Publisher | undefined
}

/** What was looked at. */
export interface Renewed {
  readonly authorities: number
  readonly bundles: number
}

/** A label and its lists, or why there are none. */
type Lists = readonly Given[] | RelayError

/**
 * Brings the revocation lists of authorities to who reads them: into every trust bundle that names them, and into the bucket. Asks for
 * them each time and publishes them each time: whatever got lost is there after the next look. What fails keeps nothing else from being
 * published.
 *
 * @param only the authority whose lists have changed; absent: all
 * @throws what failed first, when all the rest is done
 */
export async function renew(
  ports: Needs,
  { label: only }: { readonly label?: string },
): Promise<Renewed> {
  const failed: RelayError[] = []
  const known = new Map<string, Lists>()
  const listsOf = async (label: string): Promise<Lists> => {
    const lists = known.get(label) ?? (await asked(ports, label))
    known.set(label, lists)
    return lists
  }
  const found = { bundles: 0, left: Infinity }
  for await (const page of ports.directory.listening())
    for (const one of page) {
      if (only !== undefined && !one.labels.includes(only)) continue
      found.bundles++
      try {
        await bring(ports, one, listsOf)
      } catch (error) {
        failed.push(told(ports, { secret: one.secret }, error))
      }
      found.left = Math.min(found.left, await left(ports, one).catch(() => 0))
    }
  const labels = ports.publisher === undefined ? [] : await ports.directory.labels()
  for (const label of labels.filter((one) => only === undefined || one === only))
    failed.push(...(await offer(ports, label, await listsOf(label))))
  for (const [label, lists] of known)
    if (lists instanceof RelayError) failed.push(told(ports, { label }, lists))
  if (only === undefined) measure(ports, found.left)
  const [first] = failed
  if (first !== undefined) throw first
  ports.log.info('lists', { authorities: known.size, bundles: found.bundles })
  return { authorities: known.size, bundles: found.bundles }
}

async function asked({ lister }: Needs, label: string): Promise<Lists> {
  try {
    if (lister !== undefined) return await lister.lists(label)
    throw new RelayError('CONFIG_INVALID', 'set CERTRELAY_SIGN_URL: nobody signs revocation lists')
  } catch (error) {
    if (error instanceof RelayError) return error
    throw error
  }
}

/**
 * All at once: of an authority without a list Envoy refuses everybody as soon as there is the list of another one. A bundle that has lists
 * gets what there is.
 */
async function bring(
  ports: Needs,
  { secret, labels }: Listening,
  listsOf: (label: string) => Promise<Lists>,
): Promise<void> {
  const all: Given[] = []
  const missing = new Map<string, Lists>()
  for (const label of labels) {
    const lists = await listsOf(label)
    if (lists instanceof RelayError || lists.length === 0) missing.set(label, lists)
    else all.push(...lists)
  }
  if (all.length === 0) return
  if (missing.size > 0 && !(await hasLists(ports, secret))) throw heldBack(missing)
  const text = all.map(({ list, issuer }) => `${list}${issuer}`).join('')
  await publishLists(ports, { secret, lists: text })
}

function heldBack(missing: ReadonlyMap<string, Lists>): RelayError {
  const error = [...missing.values()].find((one) => one instanceof RelayError)
  const all = [...missing.keys()].join(', ')
  return new RelayError(
    error?.code ?? 'CONFIG_INVALID',
    `nothing is put into it while there is no list of ${all}, or Envoy would refuse their peers: see why (certrelay authority show LABEL), or take the label out of the tag ${LISTENS}`,
  )
}

async function hasLists({ vault }: Needs, secret: string): Promise<boolean> {
  const held = await vault.find(secret)
  const now = held && (await current(vault, held))
  return now?.trust?.crl !== undefined
}

/** Milliseconds until the first list of a bundle ends. */
async function left({ vault, clock }: Needs, { secret }: Listening): Promise<number> {
  const held = await vault.find(secret)
  const now = held && (await current(vault, held))
  const ends = (pemBlocks(now?.trust?.crl ?? '') ?? []).map(({ der }) => {
    const list = parseRevocationList(der)
    return isFault(list) ? 0 : (list.nextUpdate?.at ?? 0)
  })
  return Math.min(...ends) - clock.now()
}

/** Puts the list of the root that signs now under the name of the label, and the one of each root under that of its key. */
async function offer(ports: Needs, label: string, lists: Lists): Promise<readonly RelayError[]> {
  if (lists instanceof RelayError) return []
  const ders = lists.flatMap(({ list }) => pemBlocks(list) ?? []).map(({ der }) => der)
  const named = ders.flatMap((der, at) => {
    const list = parseRevocationList(der)
    const key = isFault(list) ? undefined : issuerKey(list)
    const own = key === undefined ? [] : [{ name: `crl/${label}/${key}.crl`, der }]
    return at === 0 ? [{ name: `crl/${label}.crl`, der }, ...own] : own
  })
  const failed: RelayError[] = []
  for (const { name, der } of named)
    try {
      await ports.publisher?.publish(name, der, 'application/pkix-crl')
    } catch (error) {
      failed.push(told(ports, { label }, error))
    }
  return failed
}

function told({ log }: Needs, about: Readonly<Record<string, string>>, error: unknown): RelayError {
  if (!(error instanceof RelayError)) throw error
  log.error('list-not-published', { ...about, code: error.code, reason: error.message })
  log.count('ListNotPublished', 1)
  return error
}

const HOUR = 3_600_000
/** Hours of a list that was made just now: what is told when there is none. */
const FULL = 168

function measure({ log }: Needs, left: number): void {
  log.count('ListHoursLeft', Math.min(FULL, Math.max(0, Math.floor(left / HOUR))))
}
