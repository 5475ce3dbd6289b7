import { examine } from '../pki/anchors.ts'
import { certificates, type Trust } from '../pki/bundle.ts'
import { RelayError } from '../pki/error.ts'
import { carryLists, dropLists } from '../pki/lists.ts'
import { pem, pemBlocks } from '../pki/pem.ts'
import { rolesFit, writeRoles } from '../pki/roles.ts'
import { readTags, writeTags } from '../pki/tags.ts'
import type { Authority } from '../ports/authority.ts'
import type { Ports } from '../ports/index.ts'
import { claim, inspect, release } from './claim.ts'
import { current, storing, taken } from './lists.ts'
import { ask } from './obtain.ts'
import type { Asked, Gone, Made, Resource } from './resource.ts'

type Needs = Pick<Ports, 'vault' | 'keeper' | 'clock' | 'log'> & {
  readonly authority: Pick<Authority, 'issuer'>
}

/** What a user asks for with `Custom::TrustBundle`. */
export interface Trusted {
  /** ARNs of CAs, whose roots are published. */
  readonly authorities: readonly string[]
  /** Further roots, PEM. */
  readonly certificates: readonly string[]
  /** Revocation lists, PEM, with the certificates of their issuers where these are no roots. */
  readonly lists: readonly string[]
  readonly secret: string
  readonly secretKey?: string
  readonly replicas: readonly string[]
  /** Roles that the function `bootstrap` hands it over to. */
  readonly roles: readonly string[]
  readonly tags: Readonly<Record<string, string>>
}

/** `Custom::TrustBundle`: the anchors that peers trust, apart from any private key. */
export const trust: Resource<Needs, Trusted> = { make, remove }

async function make(ports: Needs, asked: Asked<Trusted>): Promise<Made> {
  const { properties: wanted, owner } = asked
  if (!rolesFit(wanted.roles))
    throw new RelayError('PROPERTY_INVALID', 'Roles: too many for the tags of one secret')
  const before = await inspect(ports, wanted.secret, owner, asked.physicalId)
  const anchors = await gather(ports, wanted)
  const known = before?.deleted === false ? await current(ports.vault, before) : undefined
  listed(ports, asked, anchors, known?.trust) // refused before anything is made
  try {
    return await publish(ports, asked, anchors)
  } catch (error) {
    const waits = error instanceof RelayError && ['wait', 'retry'].includes(error.remedy)
    const known = before !== undefined && before.arn === asked.physicalId
    if (known || (waits && !asked.last)) throw error
    const left = await release(ports, wanted.secret, owner)
    if (left.length === 0 || !(error instanceof RelayError)) throw error
    const message = `${error.message}; left behind, mend by hand: ${left.join(', ')}`
    throw new RelayError(error.code, message, { cause: error })
  }
}

async function publish(
  ports: Needs,
  asked: Asked<Trusted>,
  anchors: readonly string[],
): Promise<Made> {
  const { properties: wanted, owner, former } = asked
  const held = await claim(ports, {
    name: wanted.secret,
    owner,
    keeping: {
      replicas: wanted.replicas,
      ...(wanted.secretKey !== undefined && { key: wanted.secretKey }),
    },
    tags: { ...wanted.tags, ...writeRoles(wanted.roles), ...writeTags({ source: 'trust', owner }) },
    dropped: Object.keys(former?.tags ?? {}),
  })
  let lists = 0
  const version = await storing(ports, held, (before) => {
    const next = listed(ports, asked, anchors, before)
    lists = pemBlocks(next.crl ?? '')?.length ?? 0
    return next
  })
  const counts = { Anchors: String(anchors.length), RevocationLists: String(lists) }
  return { physicalId: held.arn, data: { SecretArn: held.arn, VersionId: version, ...counts } }
}

/**
 * The anchors with their revocation lists: those that are there, which the signing authority may have published, and those that
 * the properties have; without those that the properties had before an update. @throws PROPERTY_INVALID
 */
function listed(
  ports: Pick<Needs, 'clock' | 'log'>,
  { properties, former }: Asked<Trusted>,
  anchors: readonly string[],
  before: Trust | undefined,
): Trust {
  const all = anchors.join('')
  const now = ports.clock.now()
  let trust: Trust = before ? carryLists(before, all, now) : { format: 1, anchors: all }
  for (const [index, text] of properties.lists.entries())
    trust = taken(ports, trust, { from: `RevocationLists[${index}]`, text })
  const about = { gone: (former?.lists ?? []).join('\n'), given: properties.lists.join('\n') }
  return dropLists(trust, about, now)
}

/** Roots as PEM, each once, in the order asked. @throws PROPERTY_INVALID, AUTHORITY_MISSING, AUTHORITY_REFUSED naming the property. */
async function gather({ authority, clock, log }: Needs, wanted: Trusted): Promise<string[]> {
  const texts: { readonly from: string; readonly text: string }[] = []
  for (const [index, arn] of wanted.authorities.entries()) {
    const from = `Authorities[${index}]`
    texts.push({ from, text: await rootOf(authority, arn, from) })
  }
  for (const [index, text] of wanted.certificates.entries())
    texts.push({ from: `Certificates[${index}]`, text })
  const anchors = new Map<string, string>()
  for (const { from, text } of texts) {
    for (const certificate of parse(text, from)) {
      if (!certificate.ca)
        throw new RelayError(
          'PROPERTY_INVALID',
          `${from}: it is not the certificate of a CA; give a root`,
        )
      if (certificate.validToDate.getTime() < clock.now()) {
        throw new RelayError(
          'PROPERTY_INVALID',
          `${from}: it ended on ${certificate.validToDate.toISOString()}; leave it out`,
        )
      }
      if (anchors.has(certificate.fingerprint256)) continue
      anchors.set(certificate.fingerprint256, pem('CERTIFICATE', certificate.raw))
      log.info('anchor', {
        from,
        fingerprint256: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
      })
    }
  }
  const list = [...anchors.values()]
  for (const { code, at, rule } of examine(list.join(''), clock.now()))
    log.warn('anchor-doubtful', { code, at, rule })
  return list
}

function parse(text: string, from: string) {
  try {
    const found = certificates(text, from)
    if (found.length > 0) return found
  } catch (cause) {
    if (!(cause instanceof RelayError)) throw cause
  }
  throw new RelayError(
    'PROPERTY_INVALID',
    `${from}: it is not a PEM certificate; give the text with its BEGIN and END lines`,
  )
}

async function rootOf(authority: Needs['authority'], arn: string, from: string): Promise<string> {
  const { root, status } = await ask(authority, arn, from)
  if (root !== undefined) return root
  throw new RelayError('AUTHORITY_REFUSED', `${from}: ${arn} is ${status}; activate it first`)
}

async function remove(
  { vault, keeper, log }: Needs,
  { owner, physicalId, name }: Gone,
): Promise<void> {
  const secret = physicalId.startsWith('arn:') ? physicalId : name
  const held = secret === undefined ? undefined : await vault.find(secret)
  if (held === undefined || held.deleted || readTags(held.tags)?.owner !== owner) {
    log.info('nothing-to-remove', { secret: physicalId })
    return
  }
  await keeper.remove(held.arn)
  log.info('removed', { secret: held.arn })
}
