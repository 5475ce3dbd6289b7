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
  /** End of the current certificate, epoch milliseconds. */
  readonly notAfter?: number
}

const PREFIX = 'certrelay:'
/** AWS allows 256 characters a tag value: lists go on in `certrelay:services-2` and so forth. */
const LONGEST = 256
const SERVICE_TAGS = 8

/** Reads the tags; `undefined` when the secret is not managed. Malformed optional tags read as absent. */
export function readTags(tags: Readonly<Record<string, string>>): Registration | undefined {
  const source = tags[`${PREFIX}source`]
  if (source === undefined || source === '') return undefined
  const [version, at] = (tags[`${PREFIX}promoted`] ?? '').split(' ')
  const days = Number(tags[`${PREFIX}renew-before`])
  const notAfter = Date.parse(tags[`${PREFIX}not-after`] ?? '')
  const promoted = Date.parse(at ?? '')
  const owner = tags[`${PREFIX}owner`]
  return {
    source,
    services: serviceKeys.flatMap((key) =>
      (tags[key] ?? '').split(' ').filter((name) => SERVICE.test(name)),
    ),
    ...(Number.isInteger(days) && days > 0 && { renewBefore: days }),
    ...(owner !== undefined && { owner }),
    ...(version && !Number.isNaN(promoted) && { promoted: { version, at: promoted } }),
    ...(!Number.isNaN(notAfter) && { notAfter }),
  }
}

/** Tags to write for the members that are given; absent members are left alone. */
export function writeTags(record: Partial<Registration>): Record<string, string> {
  const { source, services, renewBefore, owner, promoted, notAfter } = record
  return {
    ...(source !== undefined && { [`${PREFIX}source`]: source }),
    ...(services !== undefined && chunks(services)),
    ...(renewBefore !== undefined && { [`${PREFIX}renew-before`]: String(renewBefore) }),
    ...(owner !== undefined && { [`${PREFIX}owner`]: owner }),
    ...(promoted !== undefined && {
      [`${PREFIX}promoted`]: `${promoted.version} ${iso(promoted.at)}`,
    }),
    ...(notAfter !== undefined && { [`${PREFIX}not-after`]: iso(notAfter) }),
  }
}

/** True when so many services fit into the tags of one secret. */
export function fits(services: readonly string[]): boolean {
  return Object.keys(chunks(services)).length <= SERVICE_TAGS
}

/** Our tags that `wanted` no longer has. */
export function staleTags(
  held: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
): string[] {
  const kept = new Set([`${PREFIX}promoted`, `${PREFIX}not-after`])
  return Object.keys(held).filter(
    (key) => !(key in wanted) && !kept.has(key) && !key.startsWith('aws:'),
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

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
