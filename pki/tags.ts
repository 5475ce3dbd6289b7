/** The version that was promoted last and when (epoch milliseconds). */
export interface Promoted {
  readonly version: string
  readonly at: number
}

/** What AWSCURRENT was on before, and the validity of its certificate (epoch milliseconds) where that is known. */
export interface Previous {
  readonly version: string
  readonly notAfter?: number
  readonly notBefore?: number
}

/** A version whose rollout failed so many times; `at` is the promotion (epoch milliseconds) that was counted last. */
export interface Attempts {
  readonly version: string
  readonly count: number
  readonly at: number
}

/** Algorithms of keys that are made for an authority of our own. */
export const OWN_ALGORITHMS = ['EC_prime256v1', 'EC_secp384r1', 'RSA_2048'] as const
export type OwnAlgorithm = (typeof OWN_ALGORITHMS)[number]

/** What certrelay keeps in a secret's tags: a public interface (docs/tags.md). */
export interface Registration {
  /** ARN of the ACM certificate, or an authority of our own (pki/source.ts); its presence makes the secret ours. */
  readonly source: string
  /** DNS names, IP addresses and URIs that an authority of our own is asked for, the common name first. */
  readonly names?: readonly string[]
  /** Of the key that goes with them, as ACM names it; absent: `EC_prime256v1`. */
  readonly keyAlgorithm?: OwnAlgorithm
  /** Name or ARN of the trust bundle that holds the anchors of an authority of our own; absent: by its label. */
  readonly trust?: string
  /** `cluster/service` names that are rolled out after a promotion. */
  readonly services: readonly string[]
  /** Days before expiry at which to renew at the latest. */
  readonly renewBefore?: number
  /** Sidecars take a new version without a deployment, and prove it. */
  readonly hot?: true
  /** How its versions are written (docs/bundle.md); absent: format 1. */
  readonly layout?: 'walkthrough'
  /** Who made it: `STACK-UUID/LogicalId`; only the owner may take a name over or remove it. */
  readonly owner?: string
  /** A rollout is due for deployments that began before. */
  readonly promoted?: Promoted
  readonly previous?: Previous
  readonly attempts?: Attempts
  /** The version that a rotation by Secrets Manager chose (`token`) holds the certificate that would have the id `of`. */
  readonly rotated?: { readonly token: string; readonly of: string }
  /** The version whose passphrase was found sealed under this set of keys (`keySet` of sealed.ts). */
  readonly sealed?: { readonly version: string; readonly set: string }
  /** Validity of the current certificate, epoch milliseconds. */
  readonly notBefore?: number
  readonly notAfter?: number
  /** When a look last found everything as it should be, epoch milliseconds. */
  readonly looked?: number
  /** Since when a person is needed, epoch milliseconds; over when a later look found everything as it should be. */
  readonly attention?: number
  /** The version, and the threshold in days before its end, that somebody was told of last. */
  readonly told?: { readonly version: string; readonly days: number }
  /** ARNs of certificates that `source` replaces and that are not removed yet: an update is under way, or was cut short. */
  readonly replaces?: readonly string[]
}

const PREFIX = 'certrelay:'
/** AWS allows 256 characters a tag value: lists go on in `certrelay:services-2` and so forth. */
const LONGEST = 256
const SERVICE_TAGS = 8
const NAME_TAGS = 4
/** Holds `attempts`: without it a certificate that was rolled back is tried again at once. */
export const ATTEMPTS = `${PREFIX}attempts`
/** Holds `replaces`. */
export const REPLACES = `${PREFIX}replaces`

/** Reads the tags; `undefined` when the secret is not managed. Malformed optional tags read as absent. */
export function readTags(tags: Readonly<Record<string, string>>): Registration | undefined {
  const known = READ.get(tags)
  if (known !== undefined) return known
  const registration = read(tags)
  if (registration !== undefined) READ.set(tags, registration)
  return registration
}

/** One look reads the same tags several times. */
const READ = new WeakMap<Readonly<Record<string, string>>, Registration>()

function read(tags: Readonly<Record<string, string>>): Registration | undefined {
  const source = tags[`${PREFIX}source`]
  if (source === undefined || source === '') return undefined
  const promoted = promotion(words(tags, 'promoted'))
  const previous = former(words(tags, 'previous'))
  const attempts = failures(words(tags, 'attempts'))
  const [token, of] = words(tags, 'rotated')
  const days = Number(tags[`${PREFIX}renew-before`])
  const notBefore = time(tags[`${PREFIX}not-before`])
  const notAfter = time(tags[`${PREFIX}not-after`])
  const looked = time(tags[`${PREFIX}looked`])
  const attention = time(tags[`${PREFIX}attention`])
  const told = threshold(words(tags, 'told'))
  const owner = tags[`${PREFIX}owner`]
  const [under, set] = words(tags, 'sealed')
  const replaces = words(tags, 'replaces').filter((arn) => arn.startsWith('arn:'))
  const names = nameKeys.flatMap((key) => tags[key]?.split(' ').filter(Boolean) ?? [])
  const keyAlgorithm = OWN_ALGORITHMS.find((one) => one === tags[`${PREFIX}key-algorithm`])
  const trust = tags[`${PREFIX}trust`]
  return {
    source,
    services: serviceKeys.flatMap(
      (key) => tags[key]?.split(' ').filter((name) => SERVICE.test(name)) ?? [],
    ),
    ...(names.length > 0 && { names }),
    ...(keyAlgorithm && { keyAlgorithm }),
    ...(trust && { trust }),
    ...(Number.isInteger(days) && days > 0 && { renewBefore: days }),
    ...(tags[`${PREFIX}hot`] === 'yes' && { hot: true }),
    ...(tags[`${PREFIX}layout`] === 'walkthrough' && { layout: 'walkthrough' }),
    ...(owner !== undefined && { owner }),
    ...(promoted && { promoted }),
    ...(previous && { previous }),
    ...(attempts && { attempts }),
    ...(token && of && { rotated: { token, of } }),
    ...(under && set && { sealed: { version: under, set } }),
    ...(notBefore !== undefined && { notBefore }),
    ...(notAfter !== undefined && { notAfter }),
    ...(looked !== undefined && { looked }),
    ...(attention !== undefined && { attention }),
    ...(told && { told }),
    ...(replaces.length > 0 && { replaces }),
  }
}

/** Tags to write for the members that are given; absent members are left alone. */
export function writeTags(record: Partial<Registration>): Record<string, string> {
  const { source, services, renewBefore, layout, owner, promoted, previous, attempts } = record
  const { names, keyAlgorithm, trust } = record
  const { rotated, sealed, notBefore, notAfter, looked, attention, told, replaces = [] } = record
  const own: Record<string, string | undefined> = {
    source,
    'key-algorithm': keyAlgorithm,
    trust,
    'renew-before': renewBefore?.toString(),
    hot: record.hot && 'yes',
    layout,
    owner,
    promoted: promoted && `${promoted.version} ${iso(promoted.at)}`,
    previous: previous && [previous.version, ...validity(previous)].join(' '),
    attempts: attempts && `${attempts.version} ${attempts.count} ${iso(attempts.at)}`,
    rotated: rotated && `${rotated.token} ${rotated.of}`,
    sealed: sealed && `${sealed.version} ${sealed.set}`,
    'not-before': notBefore === undefined ? undefined : iso(notBefore),
    'not-after': notAfter === undefined ? undefined : iso(notAfter),
    looked: looked === undefined ? undefined : iso(looked),
    attention: attention === undefined ? undefined : iso(attention),
    told: told && `${told.version} ${told.days}`,
  }
  const tags = Object.entries(own).flatMap(([key, value]) =>
    value === undefined ? [] : [[`${PREFIX}${key}`, value]],
  )
  return {
    ...Object.fromEntries(tags),
    ...(services !== undefined && chunks(services)),
    ...(names !== undefined && nameTags(names)),
    ...(replaces.length > 0 && { [REPLACES]: joined(replaces) }),
  }
}

/** True when so many services fit into the tags of one secret. */
export function fits(services: readonly string[]): boolean {
  return Object.keys(chunks(services)).length <= SERVICE_TAGS
}

/** True when so many names fit into the tags of one secret. */
export function namesFit(names: readonly string[]): boolean {
  return Object.keys(nameTags(names)).length <= NAME_TAGS
}

/** Tags to remove: ours that `wanted` no longer has, and those that the user has `dropped`. Anybody else's stay. */
export function staleTags(
  held: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
  dropped: readonly string[] = [],
): string[] {
  const kept = new Set(STATE.map((name) => `${PREFIX}${name}`))
  return Object.keys(held).filter(
    (key) =>
      !Object.hasOwn(wanted, key) &&
      ((key.startsWith(PREFIX) && !kept.has(key)) || dropped.includes(key)),
  )
}

/** What certrelay writes down by itself: no update of the registration takes it away. */
const STATE =
  'promoted previous attempts rotated sealed not-before not-after looked attention told'.split(' ')
const SERVICE = /^[A-Za-z0-9_-]{1,255}\/[A-Za-z0-9_-]{1,255}$/
const serviceKeys = Array.from({ length: SERVICE_TAGS }, (_, index) => serviceKey(index))
const nameKeys = Array.from({ length: NAME_TAGS }, (_, index) => numbered(`${PREFIX}names`, index))

function nameTags(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    packed(names).map((value, index) => [numbered(`${PREFIX}names`, index), value]),
  )
}

function serviceKey(index: number): string {
  return numbered(`${PREFIX}services`, index)
}

/** The nth tag of a list that goes on in `NAME-2` and so forth; 0 is `NAME` itself. */
export function numbered(name: string, index: number): string {
  return index === 0 ? name : `${name}-${index + 1}`
}

/** One tag a service as long as there are enough, because a secret is found by how the value of a tag begins. */
function chunks(services: readonly string[]): Record<string, string> {
  const values = services.length <= SERVICE_TAGS ? services : packed(services)
  return Object.fromEntries(values.map((value, index) => [serviceKey(index), value]))
}

/** Words in as few values of tags as they take, separated by spaces. */
export function packed(words: readonly string[]): readonly string[] {
  const values: string[] = []
  for (const word of words) {
    const last = values.at(-1)
    const longer = last === undefined ? undefined : `${last} ${word}`
    if (longer === undefined || longer.length > LONGEST) values.push(word)
    else values[values.length - 1] = longer
  }
  return values
}

/** As many as fit into one tag, the first ones first. */
function joined(arns: readonly string[]): string {
  let text = ''
  for (const arn of arns) {
    const longer = `${text} ${arn}`.trim()
    if (longer.length <= LONGEST) text = longer
  }
  return text
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

/** End and beginning, as far as they are known. */
function validity({ notAfter, notBefore }: Previous): readonly string[] {
  if (notAfter === undefined) return []
  return notBefore === undefined ? [iso(notAfter)] : [iso(notAfter), iso(notBefore)]
}

function words(tags: Readonly<Record<string, string>>, name: string): readonly string[] {
  return tags[`${PREFIX}${name}`]?.split(' ') ?? []
}

/** ISO 8601 as epoch milliseconds. */
function time(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const milliseconds = Date.parse(text)
  return Number.isNaN(milliseconds) ? undefined : milliseconds
}

function promotion([version, at]: readonly string[]): Promoted | undefined {
  const when = time(at)
  return version && when !== undefined ? { version, at: when } : undefined
}

function former([version, end, start]: readonly string[]): Previous | undefined {
  const [notAfter, notBefore] = [time(end), time(start)]
  if (!version) return undefined
  return {
    version,
    ...(notAfter !== undefined && { notAfter }),
    ...(notBefore !== undefined && { notBefore }),
  }
}

function threshold([version, text]: readonly string[]): Registration['told'] {
  const days = Number(text)
  return version && Number.isInteger(days) && days > 0 ? { version, days } : undefined
}

function failures([version, times, at]: readonly string[]): Attempts | undefined {
  const count = Number(times)
  const when = time(at)
  if (!version || when === undefined || !Number.isInteger(count) || count < 1) return undefined
  return { version, count, at: when }
}
