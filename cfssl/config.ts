import type { Policy, Profile } from '../authority/policy.ts'
import { BadField, Fields, names } from './fields.ts'
import { type Given, Misconfigured } from './given.ts'
import { authKeys, type Around as KeyAround } from './keys.ts'
import { type Drawn, finish, profile, STANDARD } from './profile.ts'
import type { Compatible } from './switches.ts'

/** What a configuration refers to outside of itself, and how it is read. */
export interface Around extends KeyAround {
  readonly compatible: Compatible
}

/** A configuration that was read. */
export interface Configuration {
  readonly policy: Policy
  /** One line each, with the place: what is not known, what has no effect, what means something else than with CFSSL. */
  readonly warnings: readonly string[]
}

const TOP = names('signing', 'ocsp', 'auth_keys', 'remotes')
const SIGNING = names('profiles', 'default')

/**
 * Reads a CFSSL configuration: the object that its JSON file is (cloudflare/cfssl, config/config.go).
 *
 * @throws CONFIG_INVALID with the path of the mistake
 */
export function configuration(value: unknown, around: Around): Configuration {
  try {
    return read(value, around)
  } catch (error) {
    if (error instanceof BadField) throw new Misconfigured(error.path, error.message)
    throw error
  }
}

function read(value: unknown, around: Around): Configuration {
  const warnings: string[] = []
  const unknown = (path: string) => warnings.push(`${path}: not known, ignored`)
  const top = new Fields(value, '', TOP, unknown)
  if (!top.has('signing')) throw new Misconfigured('', 'No "signing" field present', 0)
  if (top.has('ocsp')) warnings.push('ocsp: has no effect here, there is no OCSP responder')
  const signing = new Fields(top.get('signing'), 'signing', SIGNING, unknown)
  const keys = authKeys(top.entries('auth_keys'), around, warnings)
  const remotes = readRemotes(top)
  const given = { keys, remotes, warnings, unknown, compatible: around.compatible }
  const standard = signing.has('default')
    ? profile(signing.get('default'), 'signing.default', given)
    : STANDARD
  return { policy: policyOf(standard, signing, given), warnings }
}

function policyOf(standard: Drawn, signing: Fields, given: Given): Policy {
  const drawn = signing
    .entries('profiles')
    .map(([name, value]) => [name, profile(value, `signing.profiles.${name}`, given)] as const)
  const profiles = new Map<string, Profile>()
  for (const [name, one] of drawn)
    profiles.set(name, finish(one, standard, `signing.profiles.${name}`))
  return { standard: finish(standard, standard, 'signing.default'), profiles }
}

function readRemotes(top: Fields): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>()
  for (const [name, hosts] of top.entries('remotes')) {
    if (typeof hosts !== 'string') throw new BadField(`remotes.${name}`, 'has to be text')
    found.set(name, hosts.split(','))
  }
  return found
}
