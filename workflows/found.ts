import { type CaRecord, FOUNDING, PREFIX, TAG } from '../authority/record.ts'
import { facts } from '../pki/bundle.ts'
import { RelayError } from '../pki/error.ts'
import { holder } from '../pki/labels.ts'
import { LISTENS, labelsOf, listensTo } from '../pki/listens.ts'
import type { Signing } from '../pki/signing.ts'
import { type Own, sourceOf, trustOf } from '../pki/source.ts'
import type { Ports } from '../ports/index.ts'
import type { Held } from '../ports/vault.ts'
import { inspect } from './claim.ts'
import { anchorsOf } from './draw.ts'
import { known, store } from './editions.ts'
import type { Asked, Made, Resource } from './resource.ts'
import { remove } from './retire.ts'
import { conclude, establish, type Founded, type Mint, type RootWish } from './roots.ts'
import {
  allowed,
  idsOf,
  inOrder,
  KEPT,
  LABEL,
  NOBODY,
  OWNER,
  REMOVAL,
  stays,
  TRUST,
} from './succession.ts'
import { trust } from './trust.ts'

type Needs = Mint &
  Pick<Ports, 'vault' | 'keeper'> & {
    /** Reads a CFSSL configuration and rules about names. @throws CONFIG_INVALID */
    readonly examine: (config: unknown, names: unknown) => void
    /** Which names trust bundles may have, `*` for any characters; absent: any. */
    readonly trustNames: string | undefined
  }

/** What a user asks for with `Custom::ServiceAuthority`. */
export interface Service {
  readonly label: string
  readonly commonName: string
  readonly algorithm: Signing
  readonly days: number
  readonly pathLength: number
  /** The first one signs; all are trusted. */
  readonly roots: readonly [RootWish, ...RootWish[]]
  /** Signs the roots instead of themselves. */
  readonly parent?: Own
  /** In CFSSL's form, and rules about names (docs/authority.md). */
  readonly config?: unknown
  readonly names?: unknown
  readonly trustSecret: string
  readonly secretKey?: string
  readonly replicas: readonly string[]
  /** Roles that the function `bootstrap` hands the trust bundle over to. */
  readonly roles: readonly string[]
  /** What becomes of it when its resource goes. */
  readonly removal: 'retain' | 'delete'
  /** Takes over what another stack has left. */
  readonly adopt: boolean
  readonly tags: Readonly<Record<string, string>>
}

/** `Custom::ServiceAuthority`: a signing authority for a service, and the anchors that its peers trust. */
export const authority: Resource<Needs, Service> = { make, remove }

async function make(ports: Needs, asked: Asked<Service>): Promise<Made> {
  const { properties: wanted, owner } = asked
  ports.examine(wanted.config, wanted.names)
  const held = await own(ports, asked)
  const trusted = await inspect(ports, wanted.trustSecret, heir(held, owner))
  stays(wanted, held)
  allowed(wanted, ports.trustNames)
  inOrder(wanted, held)
  const founded = await rootsOf(ports, wanted, held)
  const anchors = [...new Set(founded.map(({ root }) => root.anchors))].join('')
  const arn = held?.arn ?? (await create(ports, asked))
  // if this is cut short, somebody looks after it by this tag (tidy.ts)
  if (founded.some(opens)) await ports.keeper.tag(arn, { [FOUNDING]: 'true' })
  const versions: string[] = []
  let closed = true
  for (const { id, root, fresh } of founded) {
    const record = recordOf(ports.org, wanted, { ...root, anchors })
    versions.push(await store(ports, arn, { id, record }))
    const stored = { label: wanted.label, custody: root.custody, fresh }
    closed = (await conclude(ports, stored)) && closed
  }
  if (trusted !== undefined) await ports.keeper.tag(trusted.arn, { [OWNER]: owner })
  const published = await publish(ports, asked, { anchors, arn: trusted?.arn })
  await settle(ports, asked, { arn, versions, closed })
  const [first] = founded
  if (first === undefined) throw new TypeError('an authority has a root')
  const source = sourceOf(wanted)
  const { fingerprint256, notAfter } = facts(source, first.root.certificate)
  ports.log.info('authority', { label: wanted.label, secret: arn, fingerprint256, notAfter })
  return {
    physicalId: source,
    data: {
      Label: source,
      TrustSecretArn: published,
      Certificate: first.root.certificate,
      Fingerprint256: fingerprint256,
      NotAfter: notAfter,
    },
  }
}

/** The secret of a label if it may be ours. @throws SECRET_TAKEN */
async function own({ vault }: Needs, asked: Asked<Service>): Promise<Held | undefined> {
  const { owner, home, properties } = asked
  const { label, adopt } = properties
  const name = `${PREFIX}${label}`
  const held = await vault.find(name)
  if (held === undefined) return undefined
  const by = held.tags[OWNER]
  const isThere = held.tags[TAG] === label && !held.deleted
  const isFree = isThere && by === NOBODY
  const isHeir = adopt || (home !== undefined && held.tags[KEPT] === home)
  if ((isThere && by === owner) || (isFree && isHeir)) return held
  const kept = 'was kept with its key when another stack went: take it over with Adopt: true'
  const taken = held.deleted ? 'waits for its deletion: restore it' : 'belongs to somebody else'
  const why = isFree ? kept : taken
  throw new RelayError('SECRET_TAKEN', `Label: ${name} ${why}, or take another label`)
}

/** Who owns the trust bundle now: it was kept together with the authority. */
function heir(held: Held | undefined, owner: string): string {
  return held?.tags[OWNER] === NOBODY ? NOBODY : owner
}

interface Rooted {
  readonly id: string
  readonly root: Founded
  /** Made by this request, and not found. */
  readonly fresh: boolean
}

function opens({ fresh, root }: Rooted): boolean {
  return fresh && root.custody.mode === 'kms'
}

/** The roots that there are, and new ones for the others. */
async function rootsOf(
  ports: Needs,
  wanted: Service,
  held: Held | undefined,
): Promise<readonly Rooted[]> {
  const found: Rooted[] = []
  for (const wish of wanted.roots) {
    const version = held && holder(held.versions, `${LABEL}${wish.id}`)
    const fresh = held === undefined || version === undefined
    const root =
      held === undefined || version === undefined
        ? await establish(ports, await planOf(ports, wanted), wish)
        : await known(ports, wanted, { arn: held.arn, version, id: wish.id })
    found.push({ id: wish.id, root, fresh })
  }
  return found
}

async function planOf(ports: Needs, { parent, ...wanted }: Service) {
  if (parent === undefined) return wanted
  const arn = sourceOf(parent)
  const about = { status: 'issued', names: [], keyAlgorithm: '', renewing: false } as const
  const authority = { issuer: nobody }
  const anchors = await anchorsOf(
    { authority, vault: ports.vault },
    { ...about, arn, trust: trustOf(parent) },
  )
  return { ...wanted, parent: { own: parent, anchors } }
}

function nobody(): never {
  throw new TypeError('no private CA of AWS is asked')
}

function recordOf(org: string, { label, config, names }: Service, root: Founded): CaRecord {
  return {
    ...{ label, org, kind: 'x509', ...root },
    ...(config !== undefined && { config }),
    ...(names !== undefined && { names }),
  }
}

async function create({ vault }: Needs, { properties, owner }: Asked<Service>): Promise<string> {
  const { label, secretKey: key, replicas } = properties
  const keeping = { replicas, ...(key !== undefined && { key }) }
  return vault.create(`${PREFIX}${label}`, keeping, tagsOf(properties, owner))
}

function tagsOf({ label, removal, trustSecret, tags }: Service, owner: string) {
  return { ...tags, [TAG]: label, [OWNER]: owner, [REMOVAL]: removal, [TRUST]: trustSecret }
}

async function publish(
  ports: Needs,
  { properties, owner, last, former, token, type }: Asked<Service>,
  { anchors, arn }: { readonly anchors: string; readonly arn: string | undefined },
): Promise<string> {
  const above = await listened(ports, properties)
  const bundle = ({ label, trustSecret, secretKey, replicas, roles, tags }: Service) => ({
    ...{ authorities: [], certificates: [anchors], lists: [], secret: trustSecret, replicas },
    ...{ roles, tags: { ...tags, [LISTENS]: listensTo([label, ...above]) } },
    ...(secretKey !== undefined && { secretKey }),
  })
  const made = await trust.make(
    { ...ports, authority: { issuer: nobody } },
    {
      ...{ type, owner, token, last, properties: bundle(properties) },
      ...(former !== undefined && { former: bundle(former) }),
      ...(arn !== undefined && { physicalId: arn }),
    },
  )
  return made.physicalId
}

/** Whose certificates lead to the same root: once a bundle has one list, it needs those of all. */
async function listened({ vault }: Needs, { parent }: Service): Promise<readonly string[]> {
  if (parent === undefined) return []
  const held = await vault.find(trustOf(parent))
  return [parent.label, ...labelsOf(held?.tags[LISTENS] ?? '')]
}

interface Settling {
  readonly arn: string
  readonly versions: readonly string[]
  /** Whether no key is open to this function any more. */
  readonly closed: boolean
}

/** Lets the first root sign, now that its certificate is published, and lets go of those that are asked for no more. */
async function settle(
  { vault, keeper }: Needs,
  { properties, owner }: Asked<Service>,
  { arn, versions, closed }: Settling,
): Promise<void> {
  const { roots, secretKey: key, replicas } = properties
  const held = await vault.find(arn)
  if (held === undefined) throw new RelayError('SECRET_MISSING', `there is no secret ${arn}`)
  const current = holder(held.versions, 'AWSCURRENT')
  const [first] = versions
  if (first !== undefined && current !== first) await vault.move(arn, 'AWSCURRENT', current, first)
  for (const id of idsOf(held)) {
    if (roots.some((one) => one.id === id)) continue
    await vault.move(arn, `${LABEL}${id}`, holder(held.versions, `${LABEL}${id}`), undefined)
  }
  const tags = { ...tagsOf(properties, owner), ...(!closed && { [FOUNDING]: 'true' }) }
  const stale = closed ? [KEPT, FOUNDING] : [KEPT]
  await keeper.tag(
    arn,
    tags,
    stale.filter((one) => held.tags[one] !== undefined),
  )
  await keeper.keep(held, { replicas, ...(key !== undefined && { key }) })
}
