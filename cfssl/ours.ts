import type { Allowances } from '../authority/policy.ts'
import { BadField, Fields, names } from './fields.ts'
import type { Given } from './given.ts'
import { type Compatible, HARDENINGS, isHardening } from './switches.ts'

/** What a profile says beyond CFSSL, in its member `certrelay`: CFSSL itself does not look at it. */
export interface Ours {
  /** The switches of the server, and those of the profile. */
  readonly compatible: Compatible
  readonly canary: boolean
  /** `authsign` wants the header that binds a request to its time. */
  readonly timed: boolean
  /** Whether the profile's keys revoke too. */
  readonly revokes: boolean
  readonly allowances: Partial<Allowances>
}

const OURS = names('compatible', 'canary', 'refuse', 'most_names', 'timed', 'revoke')
const KINDS = ['addresses', 'emails', 'uris'] as const

/** @throws BadField */
export function ours(fields: Fields, given: Given): Ours {
  const path = fields.at('certrelay')
  const own = new Fields(fields.get('certrelay') ?? {}, path, OURS, given.unknown)
  const compatible = new Set(given.compatible)
  for (const name of own.texts('compatible')) {
    if (!isHardening(name))
      throw new BadField(own.at('compatible'), `knows only ${Object.keys(HARDENINGS).join(', ')}`)
    compatible.add(name)
  }
  const most = own.count('most_names')
  if (most < 0) throw new BadField(own.at('most_names'), 'has to be 1 or more')
  return {
    compatible,
    canary: own.flag('canary'),
    timed: own.flag('timed'),
    revokes: own.flag('revoke'),
    allowances: { ...refusedKinds(own), ...(most > 0 && { mostNames: most }) },
  }
}

function refusedKinds(own: Fields): Partial<Allowances> {
  const refused = own.texts('refuse')
  const stray = refused.find((name) => !KINDS.some((kind) => kind === name))
  if (stray !== undefined) throw new BadField(own.at('refuse'), `knows only ${KINDS.join(', ')}`)
  return Object.fromEntries(refused.map((kind) => [kind, false]))
}
