/** What certrelay keeps in a secret's tags: a public interface (docs/tags.md). */
export interface Registration {
  /** ARN of the ACM certificate; its presence makes the secret ours. */
  readonly source: string
  /** `cluster/service` names that are rolled out after a promotion. */
  readonly services: readonly string[]
  /** Days before expiry at which to renew at the latest. */
  readonly renewBefore?: number
  /** Who made it: `STACK-UUID/LogicalId`; only the owner may take a name over or remove it. */
  readonly owner?: string
  /** The version that was promoted last and when (epoch milliseconds): a rollout is due for older deployments. */
  readonly promoted?: { readonly version: string; readonly at: number }
  /** The version whose passphrase was found sealed under this set of keys (`keySet` of sealed.ts). */
  readonly sealed?: { readonly version: string; readonly set: string }
  /** End of the current certificate, epoch milliseconds. */
  readonly notAfter?: number
  /** ARNs of certificates that `source` replaces and that are not removed yet: an update is under way, or was cut short. */
  readonly replaces?: readonly string[]
}

const PREFIX = 'certrelay:'
/** AWS allows 256 characters a tag value: lists go on in `certrelay:services-2` and so forth. */
const LONGEST = 256
const SERVICE_TAGS = 8
/** Holds `replaces`. */
export const REPLACES = `${PREFIX}replaces`

/** Reads the tags; `undefined` when the secret is not managed. Malformed optional tags read as absent. */
export function readTags(tags: Readonly<Record<string, string>>): Registration | undefined {
  const source = tags[`${PREFIX}source`]
  if (source === undefined || source === '') return undefined
  const [version, at] = (tags[`${PREFIX}promoted`] ?? '').split(' ')
  const days = Number(tags[`${PREFIX}renew-before`])
  const notAfter = Date.parse(tags[`${PREFIX}not-after`] ?? '')
  const promoted = Date.parse(at ?? '')
  const owner = tags[`${PREFIX}owner`]
  const [under, set] = (tags[`${PREFIX}sealed`] ?? '').split(' ')
  const replaces = (tags[REPLACES] ?? '').split(' ').filter((arn) => arn.startsWith('arn:'))
  return {
    source,
    services: serviceKeys.flatMap((key) =>
      (tags[key] ?? '').split(' ').filter((name) => SERVICE.test(name)),
    ),
    ...(Number.isInteger(days) && days > 0 && { renewBefore: days }),
    ...(owner !== undefined && { owner }),
    ...(version && !Number.isNaN(promoted) && { promoted: { version, at: promoted } }),
    ...(under && set && { sealed: { version: under, set } }),
    ...(!Number.isNaN(notAfter) && { notAfter }),
    ...(replaces.length > 0 && { replaces }),
  }
}

/** Tags to write for the members that are given; absent members are left alone. */
export function writeTags(record: Partial<Registration>): Record<string, string> {
  const { source, services, renewBefore, owner, promoted, sealed, notAfter, replaces = [] } = record
  return {
    ...(source !== undefined && { [`${PREFIX}source`]: source }),
    ...(services !== undefined && chunks(services)),
    ...(renewBefore !== undefined && { [`${PREFIX}renew-before`]: String(renewBefore) }),
    ...(owner !== undefined && { [`${PREFIX}owner`]: owner }),
    ...(promoted !== undefined && {
      [`${PREFIX}promoted`]: `${promoted.version} ${iso(promoted.at)}`,
    }),
    ...(sealed !== undefined && { [`${PREFIX}sealed`]: `${sealed.version} ${sealed.set}` }),
    ...(notAfter !== undefined && { [`${PREFIX}not-after`]: iso(notAfter) }),
    ...(replaces.length > 0 && { [REPLACES]: joined(replaces) }),
  }
}

/** True when so many services fit into the tags of one secret. */
export function fits(services: readonly string[]): boolean {
  return Object.keys(chunks(services)).length <= SERVICE_TAGS
}

/** Tags to remove: ours that `wanted` no longer has, and those that the user has `dropped`. Anybody else's stay. */
export function staleTags(
  held: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
  dropped: readonly string[] = [],
): string[] {
  const kept = new Set([`${PREFIX}promoted`, `${PREFIX}sealed`, `${PREFIX}not-after`])
  return Object.keys(held).filter(
    (key) =>
      !Object.hasOwn(wanted, key) &&
      ((key.startsWith(PREFIX) && !kept.has(key)) || dropped.includes(key)),
  )
}

const SERVICE = /^[A-Za-z0-9_-]{1,255}\/[A-Za-z0-9_-]{1,255}$/
const serviceKeys = Array.from({ length: SERVICE_TAGS }, (_, index) => serviceKey(index))

function serviceKey(index: number): string {
  return index === 0 ? `${PREFIX}services` : `${PREFIX}services-${index + 1}`
}

function chunks(services: readonly string[]): Record<string, string> {
  const values: string[] = []
  for (const name of services) {
    const last = values.at(-1)
    const longer = last === undefined ? undefined : `${last} ${name}`
    if (longer === undefined || longer.length > LONGEST) values.push(name)
    else values[values.length - 1] = longer
  }
  return Object.fromEntries(values.map((value, index) => [serviceKey(index), value]))
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
