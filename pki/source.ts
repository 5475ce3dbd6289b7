/** An authority of certrelay's own, as a source: `certrelay:LABEL`, or `certrelay:LABEL/PROFILE`. */
export interface Own {
  readonly label: string
  /** Absent: the standard profile of the authority's policy. */
  readonly profile?: string
}

const OWN = /^certrelay:(\w{1,64})(?:\/([A-Za-z0-9][A-Za-z0-9._-]{0,62}))?$/
/** Certificates of our own that live shorter cannot be renewed in time, milliseconds: their last third holds two sweeps and a rollout. */
export const SHORTEST = 8 * 3_600_000

const ACM = /^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/.+$/

/** Whether a source is the ARN of an ACM certificate. A tag may hold anything else. */
export function isAcm(source: string): boolean {
  return ACM.test(source)
}

/** Reads a source; `undefined` when it is an ARN or anything else that is no authority of our own. */
export function ownSource(source: string): Own | undefined {
  const [, label, profile] = OWN.exec(source) ?? []
  if (label === undefined) return undefined
  return { label, ...(profile !== undefined && { profile }) }
}

/** The source as it stands in tags and facts. */
export function sourceOf({ label, profile }: Own): string {
  return `certrelay:${label}${profile === undefined ? '' : `/${profile}`}`
}

/** The secret that holds the anchors of an authority of our own where nothing else is configured. */
export function trustOf({ label }: Own): string {
  return `certrelay/trust/${label}`
}
